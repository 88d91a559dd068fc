"""The authoritative match of ``nakama_modules/benchmark_match.lua``, as a bot finds a place in it."""

from __future__ import annotations

from typing import Final

import orjson

from nakama_bots.bots.match import MatchRun
from nakama_bots.bots.player import Player
from nakama_bots.errors import MatchJoinRejected

FIND: Final = "find_benchmark_match"
ECHO: Final = 1
BROADCAST: Final = 2
MATCH_FULL: Final = "match_full"
_TRIES: Final = 20


def join_a_place(player: Player, match: MatchRun) -> None:
    """Join a match that is not full, or a new one.

    What the server lists lags behind: a match that has filled up meanwhile refuses, which is counted as
    ``provoked.match_full``, and the next one is asked for. ``MatchJoinRejected`` when none takes the player.
    """
    with player.calls.provoking(MATCH_FULL, MatchJoinRejected):
        for left in reversed(range(_TRIES)):
            answer = orjson.loads(player.socket.rpc(FIND)["payload"])
            try:
                match.join_id(answer["match_id"])
            except MatchJoinRejected:
                if not left:
                    raise
            else:
                return
