"""Sends on a pace that does not wait for the server: none is left out, and each is timed from its plan too.

A player that waits for one answer before it asks again sends nothing while the server stalls, and so measures
the stall once; a crowd of real clients would have met it many times. Timed from when a send was planned, every
send that the stall held up shows it ("coordinated omission", Gil Tene; the same correction as in wrk2).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import gevent

from nakama_bots import observer as names
from nakama_bots.clock import Tick, Ticker
from nakama_bots.errors import CallError
from nakama_bots.observer import Observer


class PacedCalls:
    """A player's observer: passes everything on, and times the calls of a paced step a second time.

    A call that went well is sampled as ``paced.<kind> <name>``, and with the seconds that its step began after
    the plan added as ``paced.<kind> <name>.corrected``. A failure that was provoked on purpose is none.
    """

    __slots__ = ("_late", "_observer", "_provoked", "_since")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._since = 0.0
        self._late: float | None = None
        self._provoked: dict[str, tuple[type[CallError], ...]] = {}

    @contextmanager
    def provoking(self, name: str, *kinds: type[CallError]) -> Iterator[None]:
        """Inside, a call that fails with one of ``kinds`` is no failure: the scenario wants to see it.

        It is told as a call that went well, named ``<its name> (<name>)``, and counted as ``provoked.<name>``.
        Whoever made the call gets the error all the same.
        """
        self._provoked[name] = kinds
        try:
            yield
        finally:
            del self._provoked[name]

    def begin(self, now: float, late: float) -> None:
        """A step that was planned ``late`` seconds ago begins."""
        self._since, self._late = now, late

    def end(self) -> None:
        """No step runs."""
        self._late = None

    def call(
        self, kind: str, name: str, started: float, elapsed: float, size: int, error: CallError | None
    ) -> None:
        """``Observer``: one call ended."""
        if error is not None and self._provoked:
            for provoked, kinds in self._provoked.items():
                if isinstance(error, kinds):
                    self._observer.count(names.PROVOKED_PREFIX + provoked)
                    self._observer.call(kind, f"{name} ({provoked})", started, elapsed, size, None)
                    return
        self._observer.call(kind, name, started, elapsed, size, error)
        if self._late is not None and error is None and started >= self._since:
            paced = f"{names.PACED_PREFIX}{kind} {name}"
            self._observer.sample(paced, elapsed)
            self._observer.sample(paced + names.CORRECTED, elapsed + self._late)

    def sample(self, name: str, seconds: float) -> None:
        """``Observer``: passed on."""
        self._observer.sample(name, seconds)

    def count(self, name: str, number: int = 1) -> None:
        """``Observer``: passed on."""
        self._observer.count(name, number)


def pace(calls: PacedCalls, rate: float, seconds: float | None = None) -> Iterator[Tick]:
    """Steps ``rate`` times a second on the grid of the start, for ``seconds`` or until the loop is left.

    An overdue step runs at once, however late; none is left out. A player keeps one pace at a time.
    """
    ticker = Ticker(rate, perf_counter())
    left = None if seconds is None else round(rate * seconds)
    try:
        while left is None or left > 0:
            calls.end()
            gevent.sleep(ticker.wait(perf_counter()))
            now = perf_counter()
            tick = ticker.in_turn(now)
            calls.begin(now, tick.late)
            yield tick
            left = None if left is None else left - 1
    finally:
        calls.end()
