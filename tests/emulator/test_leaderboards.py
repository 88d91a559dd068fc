"""Boards against models and the clock: cases for which recordings are too short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.store.boards import (
    AttemptsReached,
    Authoritative,
    BoardNotFound,
    InvalidScore,
    JoinRequired,
    Leaderboard,
    Operator,
    OutsideDuration,
    Score,
    TournamentFull,
)
from nakama_bots.emulator.store.leaderboards import Leaderboards
from nakama_bots.emulator.store.ranking import Page

from .support import Clock

DAY = 86_400
# Midnight in UTC.
MIDNIGHT = 1_800_057_600
OWNERS = st.sampled_from([f"owner{number}" for number in range(8)])


class Boards(Leaderboards):
    """A registry whose clock the test sets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.seconds = MIDNIGHT
        super().__init__(self.clock)

    def put(self, board: Leaderboard, owner: str, score: int, operator: int = 0) -> tuple[int, int]:
        """Write a score; return the resulting score and its rank."""
        record, rank = self.write(board, Score(owner, owner, score, operator=operator))
        return record.score, rank


def names(page: Page) -> list[str]:
    return [record.owner_id for record, _ in page.records]


@given(
    st.sampled_from(("asc", "desc")),
    st.lists(st.tuples(OWNERS, st.integers(0, 5), st.integers(0, 2)), max_size=30),
    st.integers(1, 9),
)
def test_pages_and_ranks_match_a_sorted_list(
    order: str, scores: list[tuple[str, int, int]], limit: int
) -> None:
    boards = Boards()
    board = boards.create("b", sort_order=order, operator="set")
    model: dict[str, tuple[int, int]] = {}
    for owner, score, subscore in scores:
        boards.write(board, Score(owner, owner, score, subscore))
        model[owner] = (score, subscore)
    expected = sorted(model, key=lambda owner: (*model[owner], owner), reverse=order == "desc")

    whole: list[str] = []
    pages: list[Page] = []
    cursor = ""
    while not pages or cursor:
        page = boards.page(board, limit, cursor, ())
        assert [rank for _, rank in page.records] == list(
            range(len(whole) + 1, len(whole) + len(page.records) + 1)
        )
        pages.append(page)
        whole += names(page)
        cursor = page.next_cursor
    assert whole == expected

    # And all the way back to the first page.
    for earlier, later in zip(pages[-2::-1], pages[:0:-1], strict=True):
        back = boards.page(board, limit, later.prev_cursor, ())
        assert names(back) == names(earlier)
        assert [rank for _, rank in back.records] == [rank for _, rank in earlier.records]
        assert bool(back.prev_cursor) == (earlier is not pages[0])

    result = boards.page(board, None, "", ["owner3", "owner1", "nobody", "owner1"])
    assert result.records == []
    assert [(r.owner_id, rank) for r, rank in result.owner_records] == [
        (owner, number) for number, owner in enumerate(expected, 1) if owner in ("owner1", "owner3")
    ]
    assert result.rank_count == len(expected)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 11))
def test_records_around_an_owner(total: int, limit: int, place: int) -> None:
    boards = Boards()
    board = boards.create("b")
    for number in range(total):
        boards.put(board, f"owner{number:02}", 100 - number)
    if place >= total:
        assert boards.around(board, f"owner{place:02}", limit).wire() == {}
        return
    page = boards.around(board, f"owner{place:02}", limit)
    ranks = [rank for _, rank in page.records]
    assert len(ranks) == min(limit, total)
    assert ranks == list(range(ranks[0], ranks[0] + len(ranks)))
    assert place + 1 in ranks
    # The cursors lead to the records above and below.
    if ranks[0] > 1:
        assert page.prev_cursor
        above = boards.around(board, "nobody", 100, page.prev_cursor)
        assert [rank for _, rank in above.records] == list(range(1, ranks[0]))
    if page.next_cursor:
        below = boards.around(board, "nobody", 100, page.next_cursor)
        assert [rank for _, rank in below.records] == list(range(ranks[-1] + 1, total + 1))


def test_operators() -> None:
    boards = Boards()
    board = boards.create("b", sort_order="asc")
    assert boards.put(board, "a", 10) == (10, 1)
    assert boards.put(board, "a", 20) == (10, 1)
    assert boards.put(board, "a", 5) == (5, 1)
    assert boards.put(board, "a", 7, Operator.SET) == (7, 1)
    assert boards.put(board, "a", 7, Operator.INCREMENT) == (14, 1)
    assert boards.put(board, "a", 4, Operator.DECREMENT) == (10, 1)
    assert boards.put(board, "a", 40, Operator.DECREMENT) == (0, 1)
    record, _ = boards.write(board, Score("a", "renamed", 0, operator=Operator.INCREMENT))
    assert (record.num_score, record.username) == (6, "a")
    for operator in (9, -1):
        with pytest.raises(InvalidScore):
            boards.put(board, "a", 1, operator)


@pytest.mark.parametrize("operator", [Operator.BEST, Operator.SET, Operator.INCREMENT])
def test_negative_score(operator: Operator) -> None:
    boards = Boards()
    board = boards.create("b")
    boards.put(board, "a", 10)
    for owner in ("a", "new"):
        with pytest.raises(InvalidScore):
            boards.put(board, owner, -1, operator)
    assert boards.put(board, "a", -1, Operator.DECREMENT) == (11, 1)


def test_daily_board_resets_at_midnight() -> None:
    boards = Boards()
    board = boards.create("b", reset_schedule="0 0 * * *")
    boards.put(board, "a", 10)
    cursor_of_today = boards.page(board, 1, "", ()).records[0][0]
    assert cursor_of_today.expiry == MIDNIGHT + DAY
    boards.put(board, "c", 20)
    first = boards.page(board, 1, "", ())
    assert (names(first), first.rank_count) == (["c"], 2)

    boards.clock.seconds += DAY
    assert boards.page(board, 10, "", ()).wire() == {}
    with pytest.raises(InvalidCursor):
        boards.page(board, 1, first.next_cursor, ())
    assert boards.put(board, "a", 1) == (1, 1)
    # Records of the day before can still be listed, but without ranks.
    before = boards.page(board, 10, "", ["a"], MIDNIGHT + DAY)
    assert (names(before), before.rank_count, before.owner_records[0][1]) == (["c", "a"], 0, 0)


def test_only_the_runtime_writes_to_an_authoritative_board() -> None:
    boards = Boards()
    board = boards.create("b", authoritative=True)
    with pytest.raises(Authoritative):
        boards.put(board, "a", 1)
    assert boards.write(board, Score("a", "a", 1), authoritative=True)[1] == 1
    with pytest.raises(Authoritative):
        boards.delete("b", "a")
    boards.delete("b", "a", authoritative=True)
    assert boards.page(board, 10, "", ()).wire() == {}


def test_tournament_that_ends_before_its_first_reset() -> None:
    def create(end: int) -> None:
        Boards().create_tournament(
            "t",
            duration=60,
            reset_schedule="0 0 * * *",
            start_time=MIDNIGHT + DAY // 2,
            end_time=MIDNIGHT + end,
        )

    create(DAY + 1)
    for end in (DAY, DAY - 1):
        with pytest.raises(ValueError, match="before first reset schedule"):
            create(end)


def test_board_is_created_once() -> None:
    boards = Boards()
    board = boards.create("b", sort_order="asc")
    assert boards.create("b", sort_order="desc") is board
    with pytest.raises(ValueError, match="a leaderboard has that id"):
        boards.create_tournament("b", duration=10)
    with pytest.raises(ValueError, match="sort_order 'up'; accepted: asc, desc"):
        boards.create("c", sort_order="up")
    with pytest.raises(ValueError, match="operator 'add'; accepted: best, set, incr, decr"):
        boards.create("c", operator="add")
    with pytest.raises(BoardNotFound):
        boards.get("c")
    tournament = boards.create_tournament("t", duration=10)
    assert boards.create_tournament("t", duration=20) is tournament
    with pytest.raises(BoardNotFound):
        boards.get_tournament("b")
    with pytest.raises(BoardNotFound):
        boards.delete("t", "a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0}, "duration must be above 0"),
        ({"duration": 1, "max_size": -1}, "limits not below 0"),
        ({"duration": 1, "start_time": 20, "end_time": 10}, "end_time 10 is before start_time 20"),
    ],
)
def test_bad_tournament_options(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Boards().create_tournament("t", **options)  # type: ignore[typeddict-item]


# By ``calculateTournamentDeadlines``: (options, seconds after midnight, the period).
PERIODS = [
    ({"duration": 100}, 50, (0, 100, 0)),
    ({"duration": 100, "end_time": 60}, 50, (0, 60, 60)),
    # Every day at midnight, for an hour.
    ({"duration": 3600, "reset_schedule": "0 0 * * *"}, 0, (0, 3600, DAY)),
    ({"duration": 3600, "reset_schedule": "0 0 * * *"}, 7200, (0, 3600, DAY)),
    ({"duration": 2 * DAY, "reset_schedule": "0 0 * * *"}, 7200, (0, DAY, DAY)),
    # It starts tomorrow at noon: the first period is the next midnight's.
    (
        {"duration": 3600, "reset_schedule": "0 0 * * *", "start_time": DAY + DAY // 2},
        10,
        (2 * DAY, 2 * DAY + 3600, 3 * DAY),
    ),
    # It started in the middle of a period.
    ({"duration": 7200, "reset_schedule": "0 0 * * *", "start_time": 3600}, 5000, (3600, 7200, DAY)),
    # It started after that day's period.
    (
        {"duration": 3600, "reset_schedule": "0 0 * * *", "start_time": 7200},
        7300,
        (DAY, DAY + 3600, 2 * DAY),
    ),
    (
        {"duration": 2 * DAY, "reset_schedule": "0 0 * * *", "end_time": DAY // 2},
        10,
        (0, DAY // 2, DAY // 2),
    ),
]


@pytest.mark.parametrize(("options", "after", "period"), PERIODS)
def test_periods(options: dict[str, int], after: int, period: tuple[int, int, int]) -> None:
    boards = Boards()
    for name in ("start_time", "end_time"):
        if name in options:
            options = {**options, name: options[name] + MIDNIGHT}
    board = boards.create_tournament("t", **options)  # type: ignore[typeddict-item]
    got = board.period(MIDNIGHT + after)
    assert (got.start - MIDNIGHT, got.end - MIDNIGHT) == period[:2]
    assert got.expiry == (period[2] + MIDNIGHT if period[2] else 0)


def test_tournament_places_and_attempts() -> None:
    boards = Boards()
    board = boards.create_tournament("t", duration=100, authoritative=False, max_size=1, max_num_score=2)
    assert boards.write_tournament(board, Score("a", "a", 5))[0].max_num_score == 2
    with pytest.raises(TournamentFull):
        boards.write_tournament(board, Score("b", "b", 5))
    record, rank = boards.write_tournament(board, Score("a", "a", 3, metadata='{"a":1}'))
    # A worse score counts as an attempt all the same.
    assert (record.score, record.num_score, record.metadata, rank) == (5, 2, '{"a": 1}', 1)
    with pytest.raises(AttemptsReached):
        boards.write_tournament(board, Score("a", "a", 9))
    boards.add_attempts("t", "a", 1)
    boards.add_attempts("t", "nobody", 1)
    assert boards.write_tournament(board, Score("a", "a", 9))[0].score == 9

    boards.delete_tournament_record("t", "a")
    assert boards.write_tournament(board, Score("b", "b", 5))[1] == 1
    with pytest.raises(InvalidScore):
        boards.write_tournament(board, Score("b", "b", -5))

    boards.clock.seconds += 100
    for call in (
        lambda: boards.write_tournament(board, Score("b", "b", 5)),
        lambda: boards.add_attempts("t", "b", 1),
    ):
        with pytest.raises(OutsideDuration):
            call()


def test_tournament_that_requires_joining() -> None:
    boards = Boards()
    board = boards.create_tournament("t", duration=100, authoritative=False, join_required=True, max_size=1)
    with pytest.raises(JoinRequired):
        boards.write_tournament(board, Score("a", "a", 5))
    boards.join("t", "a", "a")
    boards.join("t", "a", "a")
    with pytest.raises(TournamentFull):
        boards.join("t", "b", "b")
    # Only an update runs here, so the row that would be refused is never created.
    assert boards.write_tournament(board, Score("a", "a", -5))[0].score == 0
    assert board.tournament is not None
    assert board.tournament.size == 1
    boards.clock.seconds += 100
    with pytest.raises(OutsideDuration):
        boards.join("t", "b", "b")


def test_ended_tournament_has_no_records() -> None:
    boards = Boards()
    board = boards.create_tournament("t", duration=100, authoritative=False, end_time=MIDNIGHT + 50)
    boards.write_tournament(board, Score("a", "a", 5))
    assert names(boards.page(board, 10, "", ())) == ["a"]
    boards.clock.seconds += 50
    assert boards.page(board, 10, "", ()).wire() == {}
    assert boards.around(board, "a", 10).wire() == {}
    assert names(boards.page(board, 10, "", (), MIDNIGHT + 50)) == ["a"]


def test_deleted_user_has_no_records() -> None:
    boards = Boards()
    board = boards.create("b")
    boards.put(board, "a", 5)
    boards.put(board, "b", 4)
    boards.forget_user("a")
    page = boards.page(board, 10, "", ["a"])
    assert (names(page), page.owner_records, page.rank_count) == (["b"], [], 1)
