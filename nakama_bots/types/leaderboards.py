"""Leaderboards and their records, which tournaments share."""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypedDict

from nakama_bots.types.common import D, N, Timestamp


class ApiOperator(IntEnum):
    """How a written score changes the current one."""

    NO_OVERRIDE = 0
    BEST = 1
    SET = 2
    INCREMENT = 3
    DECREMENT = 4


class LeaderboardRecord(TypedDict, Generic[D, N], total=False):
    """One owner's record. No ``score``: 0. A write to a board without ranks answers no ``rank``."""

    leaderboard_id: str
    owner_id: str
    username: str
    score: N
    subscore: N
    num_score: int
    metadata: D
    create_time: Timestamp
    update_time: Timestamp
    expiry_time: Timestamp
    rank: N
    max_num_score: int


class LeaderboardRecordList(TypedDict, Generic[D, N], total=False):
    """A page of ``records`` by rank, and the ``owner_records`` that were asked for by id."""

    records: list[LeaderboardRecord[D, N]]
    owner_records: list[LeaderboardRecord[D, N]]
    next_cursor: str
    prev_cursor: str
    rank_count: N


class WriteLeaderboardRecordRequestLeaderboardRecordWrite(TypedDict, Generic[D], total=False):
    """A score to write; scores are int64. ``operator`` overrides the board's own."""

    score: int | str
    subscore: int | str
    metadata: D
    operator: ApiOperator
