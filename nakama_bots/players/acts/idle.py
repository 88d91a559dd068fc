"""An idle socket."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from gevent.event import Event

from nakama_bots.observer import FinishedCall
from nakama_bots.realtime.socket import DISCONNECT

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

HELD: Final = "sockets_held"
HOLD: Final = "hold"


def hold(player: Player, seconds: float) -> None:
    """Keep the socket open for ``seconds``, heartbeats only; counted as ``sockets_held``.

    If the connection ends early, a failed ``WS hold`` is reported to the observer, and raised.
    """
    lost = Event()
    remove = player.socket.on(DISCONNECT, lambda _: lost.set())
    started = perf_counter()
    try:
        if player.connected:
            lost.wait(seconds)
    finally:
        remove()
    if player.connected:
        player.calls.count(HELD)
        return
    elapsed = perf_counter() - started
    cause = player.socket.error
    assert cause is not None
    error = cause.for_call(HOLD, elapsed)
    player.calls.call(FinishedCall("WS", HOLD, started, elapsed, 0, error))
    raise error
