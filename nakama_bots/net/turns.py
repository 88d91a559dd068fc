"""Giving way: what keeps a peer that never pauses from stopping the process."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

# Seconds of reading, parsing included, after which everything else has a turn.
_TURN: Final = 0.005
# Not 0: gevent comes back from a sleep(0) up to 50 times before it looks at sockets, timers and signals.
_SHORTEST: Final = 1e-6


class Turns:
    """Gives way to everything else after every 5 ms of reading.

    A recv of gevent does not wait while there is data. Against a peer that sends without a pause no other
    greenlet would run, no timer would fire and no signal be handled. ``sleep`` waits as the socket does.
    The time until the first read is not counted: everything else had its turn.
    """

    __slots__ = ("_began", "_sleep")

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep
        self._began: float | None = None

    def give_way(self) -> None:
        """Call after each read."""
        now = perf_counter()
        if self._began is None:
            self._began = now
        elif now - self._began > _TURN:
            self._sleep(_SHORTEST)
            self._began = perf_counter()
