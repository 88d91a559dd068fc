"""The match of ``nakama_modules/benchmark_match.lua``, which the published benchmark used."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from nakama_bots.observer import FinishedCall
from nakama_bots.players.inbox import PUSH, missed

if TYPE_CHECKING:
    from nakama_bots.players.acts.match import Match
    from nakama_bots.players.behaviours.behaviour import State

FIND: Final = "find_benchmark_match"
ECHO: Final = 1
BROADCAST: Final = 2

# Op code, length of the payload and name of the vendor's two messages.
_MESSAGES: Final = ((ECHO, 44, "match_data (echo)"), (BROADCAST, 35, "match_data (broadcast)"))


def alternate(match: Match, every: float, seconds: float) -> None:
    """Send messages that the match echoes and broadcasts, alternately, one ``every`` seconds.

    Each is reported as ``PUSH match_data (echo)`` or ``(broadcast)``, from the send until the message comes
    back. A message that does not come back is reported as a failure at the end.
    """
    sent: dict[bytes, tuple[str, float]] = {}
    player = match.player

    def on_state(state: State) -> None:
        found = sent.pop(state.data, None)
        if found is not None:
            name, started = found
            player.calls.call(
                FinishedCall(PUSH, name, started, perf_counter() - started, len(state.data), None)
            )

    remove = match.on_state(on_state)
    try:
        for tick in match.ticks(1 / every, seconds, skip=False):
            op_code, size, name = _MESSAGES[tick.number % 2]
            payload = f"{player.user_id.replace('-', '')[:20]}{tick.number:08x}".ljust(size, ".").encode()
            sent[payload] = (name, perf_counter())
            match.send(op_code, payload)
        match.wait(lambda: not sent, 2.0)
    finally:
        remove()
    for name, started in sent.values():
        elapsed = perf_counter() - started
        missed(player, name, started, f"the message did not come back within {elapsed:.1f} s")
