"""Ends a task or a handler that blocks its whole process.

While Python code runs without a pause, or waits in a call that gevent has not patched, no timer fires and
gevent handles no signal: run time and Ctrl-C have no effect. A real thread notices, and a signal handler, which
Python runs inside that code, raises a fault there. A user that continues to block is never resumed.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final
from weakref import WeakSet

import gevent
from gevent.monkey import get_original

from nakama_bots.load.generator.code_sampler import SCENARIO, owner_of
from nakama_bots.load.process.faults import UserFault, user_of

LIMIT: Final = 10.0
"""Seconds without a turn of the event loop."""
NEXT_LIMIT: Final = 1.0
"""The limit after the first stall of a run: there are often many users of the same class."""

# Ignored where no handler is set: a late signal does no harm.
_SIGNAL: Final = signal.SIGURG
_LOOK: Final = 0.5
_BEAT: Final = 0.1


class StallGuard:
    """One per process, created in the main thread. ``limit`` in seconds."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = self._first_limit = limit
        self._beats = 0
        self._stalled = False
        self._blamed: WeakSet[object] = WeakSet()
        self._started = False
        self._timer = gevent.get_hub().loop.timer(_BEAT, repeat=_BEAT, ref=False)

    def start(self) -> None:
        """Watch until the process ends. Idempotent; does nothing if the signal already has a handler."""
        if self._started or signal.getsignal(_SIGNAL) not in (signal.SIG_DFL, signal.SIG_IGN):
            return
        self._started = True
        signal.signal(_SIGNAL, self._on_signal)
        self._timer.start(self._beat)
        # A real thread: gevent has patched the threading module.
        start: Callable[[Callable[[int], None], tuple[int]], int] = get_original("_thread", "start_new_thread")
        start(self._watch, (get_original("threading", "get_ident")(),))

    def reset(self, **_: object) -> None:
        """Start a new run."""
        self._limit = self._first_limit

    def hasten(self) -> None:
        """Wait no longer than ``NEXT_LIMIT``: some users cannot be stopped otherwise."""
        self._limit = min(self._limit, NEXT_LIMIT)

    def _beat(self) -> None:
        self._beats += 1

    def _watch(self, main: int) -> None:
        sleep = get_original("time", "sleep")
        seen, stalled = -1, 0.0
        while True:
            sleep(_LOOK)
            # Counted, not measured: a process that was suspended has not stalled.
            stalled = 0.0 if self._beats != seen else stalled + _LOOK
            seen = self._beats
            if stalled >= self._limit:
                self._stalled, stalled = True, 0.0
                signal.pthread_kill(main, _SIGNAL)

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        stalled, self._stalled = self._stalled, False
        current = gevent.getcurrent()
        # A debugger stops the process too, and our own long work is no fault of the scenario.
        if not stalled or sys.gettrace() is not None or not _is_scenarios(current, frame):
            return
        if current in self._blamed:  # it has caught the fault, or blocks again
            _never_return()
        self._blamed.add(current)
        user = user_of(current)
        who = type(user).__name__ if user is not None else "a handler"
        msg = f"{who}: blocked the whole process for more than {self._limit:g} s"
        self.hasten()
        raise UserFault(msg)


def _is_scenarios(greenlet: object, frame: FrameType | None) -> bool:
    if user_of(greenlet) is not None:
        return True
    if greenlet is gevent.get_hub() or getattr(greenlet, "parent", None) is None:
        return False
    while frame is not None:
        if owner_of(frame.f_code.co_filename) == SCENARIO:
            return True
        frame = frame.f_back
    return False


def _never_return() -> None:
    while not sys.is_finalizing():
        try:
            gevent.sleep(3600)
        except BaseException:  # noqa: BLE001, S112 - a fault thrown in here would be caught out there
            continue
