"""Closes connections that have been idle for too long to be used again.

Each player has its own connection. Without this, thousands of players that are connected and call nothing would
each hold one, with its descriptor, for the rest of the run.
"""

from __future__ import annotations

import weakref
from typing import Any, Final, Protocol

import gevent

PERIOD: Final = 5.0
"""Seconds between two looks."""


class Prunable(Protocol):
    """A pool of connections."""

    def prune(self) -> bool:
        """Close what is idle for too long; True if others are still idle. Called in the hub: must not block."""


class IdleReaper:
    """Prunes the pools of a hub every ``period`` seconds while any of them has an idle connection."""

    def __init__(self, period: float = PERIOD) -> None:
        self._pools: dict[Prunable, None] = {}
        # Without a reference, so that a program may end while it runs.
        self._timer: Any = gevent.get_hub().loop.timer(period, repeat=period, ref=False)

    def watch(self, pool: Prunable) -> None:
        """``pool`` has an idle connection."""
        if not self._pools:
            self._timer.start(self._look)
        self._pools[pool] = None

    def _look(self) -> None:
        for pool in [pool for pool in self._pools if not pool.prune()]:
            del self._pools[pool]
        if not self._pools:
            self._timer.stop()


_reapers: Final[weakref.WeakKeyDictionary[Any, IdleReaper]] = weakref.WeakKeyDictionary()


def reaper_of_hub() -> IdleReaper:
    """Return the reaper of this thread's hub."""
    hub = gevent.get_hub()
    if hub not in _reapers:
        _reapers[hub] = IdleReaper()
    return _reapers[hub]
