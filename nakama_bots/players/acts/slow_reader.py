"""A client that sends requests and does not read the answers."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

import gevent
from gevent.event import Event
from gevent.pool import Pool

from nakama_bots.errors import CallError, ConnectionClosed, RequestTimeout
from nakama_bots.observer import SLOW_READERS_CLOSED
from nakama_bots.realtime.handlers import DISCONNECT

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

FUNCTION: Final = "blob"
SLOW_READER: Final = "slow_reader"
SURVIVED: Final = "slow_reader_survived"

# More than the server's session queue and both kernels' buffers hold, a few megabytes.
_REQUESTS: Final = 600
_AT_ONCE: Final = 10
_PAUSE: Final = 0.05


def read_nothing(player: Player, size: int, patience: float) -> None:
    """Request answers of ``size`` bytes without reading, until the server closes, or for ``patience`` seconds.

    Counted as ``slow_reader_closed`` or ``slow_reader_survived``; the sample ``slow_reader`` has the seconds
    until the server closed the connection. How the requests end is counted as ``provoked.slow_reader``.
    """
    socket, calls = player.socket, player.calls
    pool = Pool()
    lost = Event()

    def ask() -> None:
        if lost.is_set():
            return
        try:
            socket.rpc(FUNCTION, str(size))
        except CallError:
            lost.set()

    socket.rpc(FUNCTION, "0")  # raises if the function does not exist
    remove = socket.on(DISCONNECT, lambda _: lost.set())
    with calls.provoking(SLOW_READER, ConnectionClosed, RequestTimeout):
        started = perf_counter()
        socket.pause_reading()
        try:
            while not lost.is_set() and perf_counter() - started < patience:
                # Only a write detects a closed connection: continue a little after the last request.
                for _ in range(_AT_ONCE if len(pool) < _REQUESTS else 1):
                    pool.spawn(ask)
                gevent.sleep(_PAUSE)
            closed = not player.connected
            calls.count(SLOW_READERS_CLOSED if closed else SURVIVED)
            if closed:
                calls.sample(SLOW_READER, perf_counter() - started)
            socket.resume_reading()
            pool.join()
        finally:
            remove()
            pool.kill()
