"""Tournaments; their records are those of leaderboards."""

from __future__ import annotations

from typing import Generic, TypedDict

from nakama_bots.types.common import D, N, Timestamp
from nakama_bots.types.leaderboards import (
    LeaderboardRecordList,
    WriteLeaderboardRecordRequestLeaderboardRecordWrite,
)


class Tournament(TypedDict, Generic[D], total=False):
    """A tournament. ``start_active``, ``end_active``, ``prev_reset`` and ``next_reset`` are Unix seconds,
    ``duration`` seconds; ``sort_order`` is 0 for ascending and 1 for descending.
    """

    id: str
    title: str
    description: str
    category: int
    sort_order: int
    size: int
    max_size: int
    max_num_score: int
    can_enter: bool
    end_active: int
    next_reset: int
    metadata: D
    create_time: Timestamp
    start_time: Timestamp
    end_time: Timestamp
    duration: int
    start_active: int
    prev_reset: int
    operator: int
    authoritative: bool
    join_required: bool


class TournamentList(TypedDict, Generic[D], total=False):
    """A page of tournaments."""

    tournaments: list[Tournament[D]]
    cursor: str


class TournamentRecordList(LeaderboardRecordList[D, N], total=False):
    """A page of records, as of a leaderboard."""


class WriteTournamentRecordRequestTournamentRecordWrite(
    WriteLeaderboardRecordRequestLeaderboardRecordWrite[D], total=False
):
    """A score to write, as to a leaderboard."""
