"""The authoritative match of ``nakama_modules/benchmark_match.lua``, as a bot finds a place in it."""

from __future__ import annotations

import base64
from time import perf_counter
from typing import Final

import gevent
import orjson

from nakama_bots.errors import MatchJoinRejected, RequestTimeout
from nakama_bots.players.acts.match import GRACE, MatchRun
from nakama_bots.players.acts.matchmaking import PUSH
from nakama_bots.players.pacing import pace
from nakama_bots.players.player import Player
from nakama_bots.types.realtime import MatchData

FIND: Final = "find_benchmark_match"
ECHO: Final = 1
BROADCAST: Final = 2
MATCH_FULL: Final = "match_full"
_TRIES: Final = 20

# Op code, length of the payload and name of the vendor's two messages.
_MESSAGES: Final = ((ECHO, 44, "match_data (echo)"), (BROADCAST, 35, "match_data (broadcast)"))


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


def alternate(player: Player, match_id: str, every: float, seconds: float) -> None:
    """Send what the match echoes and what it broadcasts by turns, ``every`` so many seconds.

    Each is told as ``PUSH match_data (echo)`` or ``(broadcast)``, from the send to one's own message coming
    back; one that does not is told as a failure at the end.
    """
    sent: dict[bytes, tuple[str, float]] = {}
    calls = player.calls
    own = player.session.user_id

    def on_data(body: MatchData, read_at: float, size: int) -> None:
        found = sent.pop(base64.b64decode(body.get("data", "")), None)
        if found is not None:
            name, started = found
            calls.call(PUSH, name, started, read_at - started, size, None)

    remove = player.socket.tap("match_data", on_data)
    try:
        for number, _ in enumerate(pace(calls, 1 / every, seconds)):
            op_code, size, name = _MESSAGES[number % 2]
            payload = f"{own.replace('-', '')[:20]}{number:08x}".ljust(size, ".").encode()
            sent[payload] = (name, perf_counter())
            player.socket.send_match_state(match_id, op_code, payload)
        deadline = perf_counter() + GRACE
        while sent and player.connected and perf_counter() < deadline:
            gevent.sleep(0.05)
    finally:
        remove()
    for name, started in sent.values():
        elapsed = perf_counter() - started
        cause = player.socket.error or RequestTimeout(f"the message did not come back within {elapsed:.1f} s")
        calls.call(PUSH, name, started, elapsed, 0, cause.for_call(name, elapsed))
