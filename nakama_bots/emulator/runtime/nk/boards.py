"""Leaderboards, tournaments and their records."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.schedule import Schedule, ScheduleError
from nakama_bots.emulator.handlers.tournaments import tournament_fields
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    document,
    fail,
    flag,
    identifier,
    integer,
    loaded,
    optional_integer,
    optional_table,
    optional_text,
    seconds,
    text,
    texts,
)
from nakama_bots.emulator.store.boards import (
    Authoritative,
    BoardError,
    BoardNotFound,
    InvalidScore,
    Leaderboard,
    Operator,
    Record,
    Score,
)
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.ranking import Page

_ORDERS: Final = {"asc": "asc", "ascending": "asc", "desc": "desc", "descending": "desc"}
_OPERATORS: Final = {
    "best": "best",
    "set": "set",
    "incr": "incr",
    "increment": "incr",
    "decr": "decr",
    "decrement": "decr",
}
_OVERRIDES: Final = {
    "best": Operator.BEST,
    "set": Operator.SET,
    "incr": Operator.INCREMENT,
    "increment": Operator.INCREMENT,
    "decr": Operator.DECREMENT,
    "decrement": Operator.DECREMENT,
}
_LEADERBOARD: Final = "expects a leaderboard ID string"
OWNER: Final = "expects owner ID to be a valid identifier"
PLAYER: Final = "expects user ID to be a valid identifier"
_BOARD_FAULTS: Final[dict[type[BoardError], str]] = {
    BoardNotFound: "leaderboard not found",
    Authoritative: "leaderboard only allows authoritative submissions",
    InvalidScore: "the database does not take the score",
}


class _BoardPlace(NamedTuple):
    board_id: str


def record(of: Record, rank: int) -> JsonObject:
    """Return a record as a module receives it."""
    return {
        "leaderboard_id": of.leaderboard_id,
        "owner_id": of.owner_id,
        "username": of.username or None,
        "score": of.score,
        "subscore": of.subscore,
        "num_score": of.num_score,
        "max_num_score": of.max_num_score,
        "metadata": loaded(of.metadata),
        "create_time": seconds(of.create_time),
        "update_time": seconds(of.update_time),
        "expiry_time": of.expiry or None,
        "rank": rank,
    }


def leaderboard(board: Leaderboard, now: int) -> JsonObject:
    """Return a leaderboard as a module receives it; the server omits ``prev_reset``."""
    return {
        "id": board.id,
        "authoritative": board.authoritative,
        "operator": Operator(board.operator).name.lower(),
        "sort_order": str(int(board.sort_order)),
        "metadata": loaded(board.metadata),
        "create_time": board.create_time,
        "next_reset": board.expiry(now) or None,
        "": (board.schedule.previous(now) or None) if board.schedule is not None else None,
    }


def tournament(board: Leaderboard, now: int) -> JsonObject:
    """Return a tournament as a module receives it."""
    assert board.tournament is not None
    of, shown = board.tournament, tournament_fields(board, board.tournament, now)
    names = ("id", "title", "description", "category", "size", "max_size", "max_num_score", "duration")
    return {
        **{name: shown[name] for name in names},
        **{name: shown[name] for name in ("start_active", "end_active", "can_enter", "join_required")},
        "sort_order": str(int(board.sort_order)),
        "next_reset": shown["next_reset"] or None,
        "prev_reset": shown["prev_reset"] or None,
        "metadata": loaded(board.metadata),
        "create_time": board.create_time,
        "start_time": of.start_time,
        "end_time": of.end_time or None,
        "operator": Operator(board.operator).name.lower(),
    }


def page_values(page: Page) -> tuple[list[JsonObject], list[JsonObject], str | None, str | None, int]:
    return (
        [record(of, rank) for of, rank in page.records],
        [record(of, rank) for of, rank in page.owner_records],
        page.next_cursor or None,
        page.prev_cursor or None,
        page.rank_count,
    )


class BoardFunctions(FunctionFamily):
    """The common functions of both kinds of boards."""

    def _made(self, order: Any, operator: Any, reset: Any, at: int) -> dict[str, str]:
        """Read sort order, operator and reset schedule; ``at``: the argument number of the schedule."""
        given = optional_text(3, order, "desc")
        if given not in _ORDERS:
            raise ArgumentError(3, "expects sort order to be 'asc' or 'desc'")
        does = optional_text(4, operator, "best")
        if does not in _OPERATORS:
            raise ArgumentError(4, "expects operator to be 'best', 'set', 'decr' or 'incr'")
        schedule = optional_text(at, reset)
        try:
            if schedule:
                Schedule.parse(schedule)
        except ScheduleError:
            raise ArgumentError(at, "expects reset schedule to be a valid CRON expression") from None
        return {"sort_order": _ORDERS[given], "operator": _OPERATORS[does], "reset_schedule": schedule}

    @staticmethod
    def _owners(owner_ids: Any) -> list[str] | None:
        given = optional_table(2, owner_ids)
        if given is None:
            return None
        each = "expects each owner ID to be string"
        found = texts(2, given, each, each)
        for one in found:
            identifier(2, one, "expects each owner ID to be a valid identifier")
        return found

    @staticmethod
    def _limit(limit: Any) -> int | None:
        number = optional_integer(3, limit)
        if not 0 <= number <= 10000:
            raise ArgumentError(3, "expects limit to be 0-10000")
        return number or None

    def _around(self, kind: str, board: Leaderboard, owner: str, limit: Any, cursor: Any, expiry: Any) -> Page:
        number = optional_integer(3, limit, 10)
        if not 1 <= number <= 100:
            raise ArgumentError(3, "limit must be 1-100")
        place, until = optional_text(4, cursor), optional_integer(5, expiry)
        if until < 0:
            reason = "expiry should be time since epoch in seconds and has to be a positive integer"
            raise ArgumentError(5, reason)
        try:
            return self.core.leaderboards.around(board, owner, number, place, until)
        except cursors.InvalidCursor:
            raise fail(f"error listing {kind} records haystack: leaderboard cursor invalid") from None

    def _board(self, board_id: str, doing: str) -> Leaderboard:
        try:
            return self.core.leaderboards.get(board_id)
        except BoardNotFound:
            raise fail(f"{doing}: leaderboard not found") from None

    def _tournament(self, board_id: str, doing: str) -> Leaderboard:
        try:
            return self.core.leaderboards.get_tournament(board_id)[0]
        except BoardNotFound:
            raise fail(f"{doing}: tournament not found") from None

    @staticmethod
    def _score(owner: str, username: Any, score: Any, subscore: Any, metadata: Any, operator: Any) -> Score:
        given = optional_text(7, operator)
        if given and given not in _OVERRIDES:
            raise ArgumentError(7, "invalid operator")
        numbers = optional_integer(4, score), optional_integer(5, subscore)
        kept = document(6, metadata, "")
        return Score(owner, optional_text(3, username), *numbers, kept, int(_OVERRIDES.get(given, 0)))


class LeaderboardFunctions(BoardFunctions):
    """Leaderboards and their records."""

    def leaderboard_create(
        self,
        id: str,  # noqa: A002 - the server's name
        authoritative: bool | None = None,
        sort_order: str | None = None,
        operator: str | None = None,
        reset_schedule: str | None = None,
        metadata: Table | None = None,
        enable_ranks: bool | None = None,
    ) -> None:
        """Create a leaderboard; an existing one stays unchanged.

        ``sort_order``: "desc" or "asc"; ``operator``: "best", "set", "incr" or "decr"; ``reset_schedule``: a
        CRON expression.
        """
        name = text(1, id, _LEADERBOARD)
        made = self._made(sort_order, operator, reset_schedule, 5)
        ranks = flag(7, enable_ranks)
        self.core.leaderboards.create(
            name,
            authoritative=flag(2, authoritative),
            metadata=document(6, metadata),
            enable_ranks=ranks,
            **made,
        )

    def leaderboard_delete(self, id: str) -> None:  # noqa: A002 - the server's name
        """Delete a leaderboard with its records."""
        self.core.leaderboards.drop(text(1, id, _LEADERBOARD))

    def leaderboard_list(
        self, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return leaderboards, and the cursor of the next page."""
        number = optional_integer(1, limit, 10)
        if not 1 <= number <= 100:
            raise ArgumentError(1, "limit must be 1-100")
        page, following = listed(2, self.core.leaderboards.boards(), number, cursor)
        now = self.core.seconds()
        return [leaderboard(board, now) for board in page], following

    def leaderboard_ranks_disable(self, id: str) -> None:  # noqa: A002 - the server's name
        """Stop ranking a leaderboard."""
        doing = "error disabling leaderboard ranks"
        self._board(text(1, id, "expects a leaderboard id string"), doing).enable_ranks = False

    def leaderboards_get_id(self, ids: Table) -> list[JsonObject]:
        """Return the existing leaderboards of these ids."""
        return [
            leaderboard(board, self.core.seconds()) for board in boards_of(self.core, ids, tournaments=False)
        ]

    def leaderboard_records_list(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_ids: Table | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | None = None,
    ) -> Any:
        """Return records, those of ``owner_ids``, the next and previous cursors, and the number of ranks."""
        name, owners, number = text(1, id, _LEADERBOARD), self._owners(owner_ids), self._limit(limit)
        if owners == []:
            return ([],)
        place, until = optional_text(4, cursor), optional_integer(5, expiry)
        doing = "error listing leaderboard records"
        board = self._board(name, doing)
        return listed_records(self.core, board, number, place, owners, until, doing)

    def leaderboard_records_list_cursor_from_rank(
        self,
        id: str,  # noqa: A002 - the server's name
        rank: int,
        expiry: int | None = None,
    ) -> str:
        """Return the cursor of the page that starts with a rank."""
        name, number = text(1, id, _LEADERBOARD), integer(2, rank)
        if number < 1:
            raise ArgumentError(2, "invalid rank - must be > 1")
        until = optional_integer(3, expiry)
        board = self._board(name, "error listing leaderboard records")
        if number == 1:
            return ""
        ranking = self.core.leaderboards.current(board, until)
        found = ranking.slice(number - 2, number - 1) if ranking is not None else []
        if ranking is None or not found:
            raise fail("failed to get cursor from rank: rank entry not found")
        return ranking.place(found[0], number - 1, following=True)

    def leaderboard_record_write(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_id: str,
        username: str | None = None,
        score: int | None = None,
        subscore: int | None = None,
        metadata: Table | None = None,
        operator: str | None = None,
    ) -> JsonObject:
        """Write a score; returns the current record. ``operator``: instead of the board's."""
        name, owner = text(1, id, _LEADERBOARD), identifier(2, owner_id, OWNER)
        if optional_integer(4, score) < 0:
            raise ArgumentError(4, "expects score to be >= 0")
        if optional_integer(5, subscore) < 0:
            raise ArgumentError(4, "expects subscore to be >= 0")
        written = self._score(owner, username, score, subscore, metadata, operator)
        doing = "error writing leaderboard record"
        board = self._board(name, doing)
        try:
            return record(*self.core.leaderboards.write(board, written, authoritative=True))
        except BoardError as error:
            raise fail(f"{doing}: {_BOARD_FAULTS[type(error)]}") from None

    def leaderboard_records_haystack(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | None = None,
    ) -> Any:
        """Return records around an owner's, the next and previous cursors, and the number of ranks."""
        name, owner = text(1, id, _LEADERBOARD), identifier(2, owner_id, PLAYER)
        board = self._board(name, "error listing leaderboard records haystack")
        records, _, *rest = page_values(self._around("leaderboard", board, owner, limit, cursor, expiry))
        return (records, *rest)

    def leaderboard_record_delete(self, id: str, owner_id: str) -> None:  # noqa: A002 - the server's name
        """Delete an owner's record."""
        name, owner = text(1, id, _LEADERBOARD), identifier(2, owner_id, OWNER)
        try:
            self.core.leaderboards.delete(name, owner, authoritative=True)
        except BoardError:
            raise fail("error deleting leaderboard record: leaderboard not found") from None


def listed(
    number: int, boards: list[Leaderboard], limit: int, cursor: Any
) -> tuple[list[Leaderboard], str | None]:
    given = optional_text(number, cursor)
    try:
        after = cursors.decode(given, _BoardPlace).board_id if given else ""
    except cursors.InvalidCursor:
        raise ArgumentError(number, "expects cursor to be valid when provided") from None
    if after:
        first = next((at for at, board in enumerate(boards, 1) if board.id == after), len(boards))
        boards = boards[first:]
    page = boards[:limit]
    return page, cursors.encode(_BoardPlace(page[-1].id)) if len(boards) > limit else None


def boards_of(core: Core, ids: Any, *, tournaments: bool) -> list[Leaderboard]:
    given = optional_table(1, ids)
    if given is None:
        raise ArgumentError(1, "invalid tournament id list")
    wanted = texts(1, given, "invalid tournament id data", "each tournament id must be a string")
    known = {board.id: board for board in core.leaderboards.boards(tournaments=tournaments)}
    return [known[one] for one in dict.fromkeys(wanted) if one in known]


def listed_records(
    core: Core,
    board: Leaderboard,
    limit: int | None,
    cursor: str,
    owners: list[str] | None,
    expiry: int,
    doing: str,
) -> Any:
    try:
        # Without a limit and without owners the server lists nothing; only owners: theirs.
        page = core.leaderboards.page(board, limit, cursor, owners or [], expiry)
    except cursors.InvalidCursor:
        raise fail(f"{doing}: leaderboard cursor invalid") from None
    return page_values(page)
