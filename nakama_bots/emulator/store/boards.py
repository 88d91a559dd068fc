"""Boards: leaderboards and tournaments, their periods, and the records on them.

A tournament is a board with a duration (``server/core_leaderboard.go``, ``core_tournament.go``).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.schedule import Schedule

_SECOND: Final = 10**9
UNLIMITED: Final = 2**31 - 1
# The default limit of writes.
ATTEMPTS: Final = 1_000_000


class SortOrder(enum.IntEnum):
    """Whether high or low scores are better."""

    ASCENDING = 0
    DESCENDING = 1


class Operator(enum.IntEnum):
    """How a score changes the existing one, with the API's numbers; 0 is the board's default."""

    NO_OVERRIDE = 0
    BEST = 1
    SET = 2
    INCREMENT = 3
    DECREMENT = 4


# The names that runtime modules use.
SORT_ORDERS: Final = {"asc": SortOrder.ASCENDING, "desc": SortOrder.DESCENDING}
OPERATORS: Final = {
    "best": Operator.BEST,
    "set": Operator.SET,
    "incr": Operator.INCREMENT,
    "decr": Operator.DECREMENT,
}


class BoardError(Exception):
    """A refused operation on a board; nothing was changed."""


class BoardNotFound(BoardError):
    """No board of that kind has this id."""


class Authoritative(BoardError):
    """Only the runtime may do that on this board."""


class InvalidScore(BoardError):
    """The score would become negative or too large, or the operator or metadata is invalid."""


class TournamentFull(BoardError):
    """The tournament has its maximum number of players."""


class OutsideDuration(BoardError):
    """The tournament is not active."""


class JoinRequired(BoardError):
    """The player has not joined the tournament."""


class AttemptsReached(BoardError):
    """The player has used all its attempts."""


@dataclass(frozen=True, slots=True)
class Period:
    """When a tournament accepts scores, in Unix seconds; ``expiry`` 0: its records do not expire."""

    start: int
    end: int
    expiry: int


@dataclass(slots=True)
class StoredTournament:
    """The properties that a tournament adds to a leaderboard. Times in Unix seconds; ``end_time`` 0: none."""

    duration: int
    start_time: int
    title: str = ""
    description: str = ""
    category: int = 0
    end_time: int = 0
    max_size: int = UNLIMITED
    max_num_score: int = ATTEMPTS
    join_required: bool = False
    size: int = 0

    @property
    def limited(self) -> bool:
        """Whether the number of players is limited."""
        return self.max_size != UNLIMITED


@dataclass(slots=True)
class Leaderboard:
    """One board. ``create_time``: Unix seconds."""

    id: str
    create_time: int
    authoritative: bool = False
    sort_order: SortOrder = SortOrder.DESCENDING
    operator: Operator = Operator.BEST
    schedule: Schedule | None = None
    metadata: str = "{}"
    enable_ranks: bool = True
    tournament: StoredTournament | None = None

    @property
    def descending(self) -> bool:
        """Whether higher scores are better."""
        return self.sort_order == SortOrder.DESCENDING

    def period(self, now: int) -> Period:
        """Return the period of a tournament at ``now`` (``calculateTournamentDeadlines``)."""
        tournament = self.tournament
        assert tournament is not None
        start_time, end_time, duration = tournament.start_time, tournament.end_time, tournament.duration
        if self.schedule is None:
            end = start_time + duration
            return Period(start_time, min(end, end_time) if end_time else end, end_time)
        if now < start_time:
            start = self.schedule.next(start_time)
        elif self.schedule.next(now - 1) == now:
            start = now
        else:
            start = self.schedule.previous(now) or start_time
        expiry = self.schedule.next(start)
        end = min(start + duration, expiry)
        if start_time > end:
            start = self.schedule.next(start_time)
            expiry = self.schedule.next(start)
            end = min(start + duration, expiry)
        elif start_time > start:
            start = start_time
        if end_time and expiry > end_time:
            expiry, end = end_time, min(end, end_time)
        return Period(start, end, expiry)

    def expiry(self, now: int) -> int:
        """Return when records written through the leaderboard endpoint expire."""
        return 0 if self.schedule is None else self.schedule.next(now)


class RecordKey(NamedTuple):
    """The sort key of records."""

    score: int
    subscore: int
    owner_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one owner. Times are Unix nanoseconds, except ``expiry`` (seconds)."""

    leaderboard_id: str
    owner_id: str
    username: str
    score: int
    subscore: int
    num_score: int
    max_num_score: int
    metadata: str
    create_time: int
    update_time: int
    expiry: int

    @property
    def key(self) -> RecordKey:
        """The sort key of the record."""
        return RecordKey(self.score, self.subscore, self.owner_id)

    def wire(self, rank: int) -> JsonObject:
        """Return Nakama's ``LeaderboardRecord``; rank 0: unknown."""
        fields: JsonObject = {
            "leaderboard_id": self.leaderboard_id,
            "owner_id": self.owner_id,
            "username": self.username,
            "score": str(self.score or ""),
            "subscore": str(self.subscore or ""),
            "num_score": self.num_score,
            "metadata": self.metadata,
            "create_time": timestamp(self.create_time // _SECOND * _SECOND),
            "update_time": timestamp(self.update_time // _SECOND * _SECOND),
            "expiry_time": timestamp(self.expiry * _SECOND) if self.expiry else "",
            "rank": str(rank or ""),
            "max_num_score": self.max_num_score,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Score:
    """A score to write; ``metadata`` "": unchanged."""

    owner_id: str
    username: str
    score: int = 0
    subscore: int = 0
    metadata: str = ""
    operator: int = Operator.NO_OVERRIDE
