"""Tournaments; their records are those of leaderboards."""

from __future__ import annotations

from typing import Generic, TypedDict

from nakama_bots.types.common import D, N, Timestamp
from nakama_bots.types.leaderboards import ApiOperator, LeaderboardRecord


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


class TournamentRecordList(TypedDict, Generic[D, N], total=False):
    """A page of ``records`` by rank, and the ``owner_records`` that were asked for by id."""

    records: list[LeaderboardRecord[D, N]]
    owner_records: list[LeaderboardRecord[D, N]]
    next_cursor: str
    prev_cursor: str
    rank_count: N


class WriteTournamentRecordRequestTournamentRecordWrite(TypedDict, Generic[D], total=False):
    """A score to write; scores are int64. ``operator`` overrides the tournament's own."""

    score: int | str
    subscore: int | str
    metadata: D
    operator: ApiOperator
