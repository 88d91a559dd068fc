"""Leaderboards and tournaments: the registry in which runtime modules create them, and writes of records.

The rules are those of ``server/core_leaderboard.go`` and ``core_tournament.go``. Records belong to a board and
an expiry time, 0 for none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Required, TypedDict, TypeVar, Unpack

from nakama_bots.emulator.formats.documents import storable
from nakama_bots.emulator.formats.protojson import jsonb
from nakama_bots.emulator.formats.schedule import Schedule
from nakama_bots.emulator.store.boards import (
    ATTEMPTS,
    OPERATORS,
    SORT_ORDERS,
    UNLIMITED,
    AttemptsReached,
    Authoritative,
    BoardNotFound,
    InvalidScore,
    JoinRequired,
    Leaderboard,
    Operator,
    OutsideDuration,
    Record,
    Score,
    StoredTournament,
    TournamentFull,
)
from nakama_bots.emulator.store.limits import UNBOUNDED, Full
from nakama_bots.emulator.store.ranking import Page, Ranking

_SECOND: Final = 10**9
# The largest score that the server's database column accepts.
_LARGEST: Final = 2**63 - 1
E = TypeVar("E", bound=enum.IntEnum)


def _combined(board: Leaderboard, operator: Operator, old: int, new: int) -> int:
    if operator == Operator.SET:
        return new
    if operator == Operator.INCREMENT:
        return old + new
    if operator == Operator.DECREMENT:
        return max(old - new, 0)
    return max(old, new) if board.descending else min(old, new)


class LeaderboardOptions(TypedDict, total=False):
    """Options of a leaderboard: "asc" or "desc"; "best", "set", "incr" or "decr"; a CRON expression."""

    authoritative: bool
    sort_order: str
    operator: str
    reset_schedule: str
    metadata: str
    enable_ranks: bool


class TournamentOptions(LeaderboardOptions, total=False):
    """Options of a tournament. Times are Unix seconds, ``duration`` seconds.

    Absent or 0: ``start_time`` now, ``end_time`` never, ``max_size`` and ``max_num_score`` unlimited.
    """

    duration: Required[int]
    title: str
    description: str
    category: int
    start_time: int
    end_time: int
    max_size: int
    max_num_score: int
    join_required: bool


class Leaderboards:
    """All boards and records: the registry in which runtime modules create boards. ``now``: Unix nanoseconds.

    ``most``: the most records; beyond it the oldest period that has ended is dropped.
    """

    def __init__(self, now: Callable[[], int], most: int = UNBOUNDED.records) -> None:
        self._now = now
        self._most = most
        self._boards: dict[str, Leaderboard] = {}
        self._rankings: dict[tuple[str, int], Ranking] = {}

    def create(self, leaderboard_id: str, **options: Unpack[LeaderboardOptions]) -> Leaderboard:
        """Create a leaderboard; an existing one stays unchanged.

        ``ValueError`` for an invalid order, operator or schedule.
        """
        board = self._boards.get(leaderboard_id)
        if board is None:
            board = self._boards[leaderboard_id] = self._board(leaderboard_id, options)
        return board

    def create_tournament(self, tournament_id: str, **options: Unpack[TournamentOptions]) -> Leaderboard:
        """Create a tournament; an existing one stays unchanged.

        ``ValueError`` for invalid options, and for the id of a leaderboard.
        """
        before = self._boards.get(tournament_id)
        if before is not None and before.tournament is None:
            msg = f"tournament {tournament_id!r}: a leaderboard has that id"
            raise ValueError(msg)
        if before is not None:
            return before
        duration, start, end = options["duration"], options.get("start_time", 0), options.get("end_time", 0)
        size, attempts = options.get("max_size", 0), options.get("max_num_score", 0)
        if duration <= 0 or min(start, end, size, attempts) < 0:
            msg = f"tournament {tournament_id!r}: duration must be above 0, times and limits not below 0"
            raise ValueError(msg)
        if end and end < start:
            msg = f"tournament {tournament_id!r}: end_time {end} is before start_time {start}"
            raise ValueError(msg)
        board = self._board(tournament_id, options)
        # A start time of 0 counts as 1970 here, on the server too.
        if end and board.schedule is not None and end <= board.schedule.next(start):
            msg = (
                "tournament end time cannot be before first reset schedule - either increase end time or "
                "change/disable reset schedule"
            )
            raise ValueError(msg)
        board.tournament = StoredTournament(
            duration,
            start or self._seconds(),
            options.get("title", ""),
            options.get("description", ""),
            options.get("category", 0),
            end,
            size or UNLIMITED,
            attempts or ATTEMPTS,
            options.get("join_required", False),
        )
        self._boards[tournament_id] = board
        return board

    def _board(self, board_id: str, options: LeaderboardOptions | TournamentOptions) -> Leaderboard:
        reset = options.get("reset_schedule", "")
        return Leaderboard(
            board_id,
            self._seconds(),
            options.get("authoritative", False),
            _named("sort_order", options.get("sort_order", "desc"), SORT_ORDERS),
            _named("operator", options.get("operator", "best"), OPERATORS),
            Schedule.parse(reset) if reset else None,
            jsonb(options.get("metadata", "{}")),
            options.get("enable_ranks", True),
        )

    def get(self, leaderboard_id: str) -> Leaderboard:
        """Return the board of that id. ``BoardNotFound``."""
        board = self._boards.get(leaderboard_id)
        if board is None:
            raise BoardNotFound(leaderboard_id)
        return board

    def get_tournament(self, tournament_id: str) -> tuple[Leaderboard, StoredTournament]:
        """Return the tournament of that id. ``BoardNotFound``, also for a leaderboard."""
        board = self.get(tournament_id)
        if board.tournament is None:
            raise BoardNotFound(tournament_id)
        return board, board.tournament

    def boards(self, *, tournaments: bool = False) -> list[Leaderboard]:
        """Return all leaderboards, or all tournaments, by id."""
        found = [board for board in self._boards.values() if (board.tournament is not None) is tournaments]
        return sorted(found, key=lambda board: board.id)

    def records(self) -> list[Record]:
        """Return all records."""
        return [record for ranking in self._rankings.values() for record in ranking.owners.values()]

    def restore(self, board: Leaderboard) -> None:
        """Restore a board unchanged."""
        self._boards[board.id] = board

    def restore_record(self, record: Record) -> None:
        """Restore a record unchanged. ``BoardNotFound``."""
        self._keep(self.ranking(self.get(record.leaderboard_id), record.expiry), record)

    def drop(self, board_id: str) -> None:
        """Delete a board with all its records."""
        self._boards.pop(board_id, None)
        for key in [key for key in self._rankings if key[0] == board_id]:
            del self._rankings[key]

    def tournaments(self) -> list[Leaderboard]:
        """Return all tournaments, in the order of a list (``OrderedTournaments``)."""

        def order(board: Leaderboard) -> tuple[int, int, int, str]:
            tournament = board.tournament
            assert tournament is not None
            return (tournament.start_time, -tournament.end_time, tournament.category, board.id)

        return sorted((board for board in self._boards.values() if board.tournament is not None), key=order)

    def ranking(self, board: Leaderboard, expiry: int) -> Ranking:
        """Return the records of a board that expire at that time."""
        return self._rankings.get((board.id, expiry)) or Ranking(board, expiry)

    def current(self, board: Leaderboard, override: int = 0) -> Ranking | None:
        """Return the records to list; None if there can be none. ``override``: those that expire then."""
        now = self._seconds()
        expiry = override
        if not override and board.tournament is not None:
            expiry = board.period(now).expiry
            if expiry and expiry <= now:
                return None
        elif not override:
            expiry = board.expiry(now)
        return self.ranking(board, expiry)

    def page(
        self, board: Leaderboard, limit: int | None, cursor: str, owner_ids: Iterable[str], override: int = 0
    ) -> Page:
        """Return records of a board, and those of certain owners; ``limit`` None: only the latter."""
        ranking = self.current(board, override)
        if ranking is None:
            return Page()
        now = self._seconds()
        page = Page(rank_count=ranking.count(now)) if limit is None else ranking.page(limit, cursor, now)
        own = [ranking.owners[owner] for owner in dict.fromkeys(owner_ids) if owner in ranking.owners]
        own.sort(key=lambda record: record.key, reverse=board.descending)
        page.owner_records = [(record, ranking.rank(record, now)) for record in own]
        return page

    def around(
        self, board: Leaderboard, owner_id: str, limit: int, cursor: str = "", override: int = 0
    ) -> Page:
        """Return records around an owner's; with a cursor, the page that it names."""
        ranking = self.current(board, override)
        if ranking is None:
            return Page()
        if cursor:
            return ranking.page(limit, cursor, self._seconds())
        return ranking.around(owner_id, limit, self._seconds())

    def write(self, board: Leaderboard, score: Score, *, authoritative: bool = False) -> tuple[Record, int]:
        """Write a score to a board. Returns the resulting record and its rank.

        ``Authoritative``, ``InvalidScore``. A worse score on a "best" board, and a change by zero, do not count
        as an attempt.
        """
        if board.authoritative and not authoritative:
            raise Authoritative(board.id)
        operator = _operator(board, score)
        _check_metadata(board, score)
        ranking = self.ranking(board, board.expiry(self._seconds()))
        before = ranking.owners.get(score.owner_id)
        if before is None:
            record = self._first(ranking, score, operator, ATTEMPTS)
        else:
            # PostgreSQL checks the row that it would insert before it finds the one to update.
            self._first(ranking, score, operator, ATTEMPTS)
            record = self._next(board, before, score, operator)
            relative = operator in (Operator.INCREMENT, Operator.DECREMENT)
            changed = (record.score, record.subscore) != (before.score, before.subscore)
            if not ((score.score or score.subscore) if relative else changed):
                return before, ranking.rank(before, self._seconds())
        return self._keep(ranking, record)

    def join(self, tournament_id: str, owner_id: str, username: str) -> None:
        """Join a tournament, if joining is required. Idempotent.

        ``BoardNotFound``, ``TournamentFull``, ``OutsideDuration``.
        """
        board, tournament = self.get_tournament(tournament_id)
        if not tournament.join_required:
            return
        period = board.period(self._seconds())
        if period.end <= self._seconds():
            raise OutsideDuration(tournament_id)
        ranking = self.ranking(board, period.expiry)
        if owner_id in ranking.owners:
            return
        self._enter(tournament, tournament_id)
        joined = self._first(
            ranking, Score(owner_id, username), Operator.SET, tournament.max_num_score, num_score=0
        )
        self._keep(ranking, joined)

    def write_tournament(
        self, board: Leaderboard, score: Score, *, authoritative: bool = False
    ) -> tuple[Record, int]:
        """Write a score to a tournament. Returns the resulting record and its rank. Every write is an attempt.

        ``Authoritative``, ``OutsideDuration``, ``JoinRequired``, ``TournamentFull``, ``AttemptsReached``,
        ``InvalidScore``. Where joining is required, an attempt above the limit changes nothing.
        """
        tournament, now = board.tournament, self._seconds()
        assert tournament is not None
        if board.authoritative and not authoritative:
            raise Authoritative(board.id)
        period = board.period(now)
        if not period.start <= now < period.end:
            raise OutsideDuration(board.id)
        operator = _operator(board, score)
        ranking = self.ranking(board, period.expiry)
        before = ranking.owners.get(score.owner_id)
        if before is None and tournament.join_required:
            raise JoinRequired(board.id)
        _check_metadata(board, score)
        if before is None:
            record = self._first(ranking, score, operator, tournament.max_num_score)
            self._enter(tournament, board.id)
        elif before.max_num_score and before.num_score >= before.max_num_score:
            if not tournament.join_required:
                raise AttemptsReached(board.id)
            return before, ranking.rank(before, now)
        else:
            if not tournament.join_required:
                # As for a leaderboard; where joining is required, the server only updates.
                self._first(ranking, score, operator, tournament.max_num_score)
            record = self._next(board, before, score, operator)
        return self._keep(ranking, record)

    def add_attempts(self, tournament_id: str, owner_id: str, count: int) -> None:
        """Grant a player more attempts. ``BoardNotFound``, ``OutsideDuration``."""
        board, _ = self.get_tournament(tournament_id)
        period = board.period(self._seconds())
        if period.end <= self._seconds():
            raise OutsideDuration(tournament_id)
        ranking = self.ranking(board, period.expiry)
        record = ranking.owners.get(owner_id)
        if record is not None:
            ranking.put(replace(record, max_num_score=record.max_num_score + count))

    def delete(self, leaderboard_id: str, owner_id: str, *, authoritative: bool = False) -> None:
        """Delete an owner's record. ``BoardNotFound``, also for a tournament; ``Authoritative``."""
        board = self.get(leaderboard_id)
        if board.tournament is not None:
            raise BoardNotFound(leaderboard_id)
        if board.authoritative and not authoritative:
            raise Authoritative(leaderboard_id)
        self.ranking(board, board.expiry(self._seconds())).remove(owner_id)

    def delete_tournament_record(
        self, tournament_id: str, owner_id: str, *, authoritative: bool = False
    ) -> None:
        """Delete a player's record and free its place. ``BoardNotFound``, ``Authoritative``."""
        board, tournament = self.get_tournament(tournament_id)
        if board.authoritative and not authoritative:
            raise Authoritative(tournament_id)
        removed = self.ranking(board, board.period(self._seconds()).expiry).remove(owner_id)
        if removed and tournament.limited:
            tournament.size -= 1

    def forget_user(self, user_id: str) -> None:
        """Delete all records of a deleted user."""
        for ranking in self._rankings.values():
            ranking.remove(user_id)

    def _seconds(self) -> int:
        return self._now() // _SECOND

    @staticmethod
    def _enter(tournament: StoredTournament, tournament_id: str) -> None:
        if not tournament.limited:
            return
        if tournament.size >= tournament.max_size:
            raise TournamentFull(tournament_id)
        tournament.size += 1

    def _keep(self, ranking: Ranking, record: Record) -> tuple[Record, int]:
        if record.owner_id not in ranking.owners:
            self._make_room()
        self._rankings[ranking.board.id, ranking.expiry] = ranking
        ranking.put(record)
        return record, ranking.rank(record, self._seconds())

    def _make_room(self) -> None:
        if sum(len(ranking.owners) for ranking in self._rankings.values()) < self._most:
            return
        ended = [key for key in self._rankings if 0 < key[1] <= self._seconds()]
        if not ended:
            raise Full("records", self._most)
        del self._rankings[min(ended, key=lambda key: key[1])]

    def _first(
        self, ranking: Ranking, score: Score, operator: Operator, attempts: int, num_score: int = 1
    ) -> Record:
        # A first score that subtracts starts from zero.
        nothing = operator == Operator.DECREMENT
        return _valid(
            Record(
                ranking.board.id,
                score.owner_id,
                score.username,
                0 if nothing else score.score,
                0 if nothing else score.subscore,
                num_score,
                attempts,
                jsonb(score.metadata or "{}"),
                self._now(),
                self._now(),
                ranking.expiry,
            )
        )

    def _next(self, board: Leaderboard, before: Record, score: Score, operator: Operator) -> Record:
        return _valid(
            replace(
                before,
                score=_combined(board, operator, before.score, score.score),
                subscore=_combined(board, operator, before.subscore, score.subscore),
                num_score=before.num_score + 1,
                metadata=jsonb(score.metadata) if score.metadata else before.metadata,
                username=score.username or before.username,
                update_time=self._now(),
            )
        )


def _named(name: str, value: str, accepted: Mapping[str, E]) -> E:
    if value not in accepted:
        msg = f"{name} {value!r}; accepted: {', '.join(accepted)}"
        raise ValueError(msg)
    return accepted[value]


def _operator(board: Leaderboard, score: Score) -> Operator:
    try:
        return Operator(score.operator) or board.operator
    except ValueError:
        raise InvalidScore(board.id) from None


def _check_metadata(board: Leaderboard, score: Score) -> None:
    if score.metadata and not storable(score.metadata):
        raise InvalidScore(board.id)


def _valid(record: Record) -> Record:
    if not (0 <= record.score <= _LARGEST and 0 <= record.subscore <= _LARGEST):
        raise InvalidScore(record.leaderboard_id)
    return record
