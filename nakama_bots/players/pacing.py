"""Sends at a pace that does not wait for the server: none is skipped, and each is also timed from its plan.

A player that waits for each answer before its next request sends nothing while the server stalls, and measures
the stall once; many real clients would have met it many times. Timed from its planned start, every
send that the stall delayed shows it ("coordinated omission", Gil Tene; the same correction as in wrk2).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter

import gevent

from nakama_bots import observer as names
from nakama_bots.clock import Tick, Ticker
from nakama_bots.errors import CallError
from nakama_bots.observer import FinishedCall, Observer, series, tally
from nakama_bots.realtime.catalog import REPLIES
from nakama_bots.realtime.protocol import KIND

Sample = Callable[[float], object]


class PacedCalls:
    """A player's observer: passes everything on, and also samples the calls of paced steps.

    A successful call is sampled as ``paced.<kind> <name>``, and, with the seconds by which its step was late
    added, as ``paced.<kind> <name>.corrected``. A provoked failure counts as success.
    """

    __slots__ = ("_late", "_observer", "_paced", "_provoked", "_since", "count", "sample")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        # ``Observer``: passed on, without a call in between.
        self.sample = observer.sample
        self.count = observer.count
        self._since = 0.0
        self._late: float | None = None
        self._paced: dict[tuple[str, str], tuple[Sample, Sample]] = {}
        self._provoked: list[tuple[str, tuple[type[CallError], ...]]] = []

    @contextmanager
    def provoking(self, name: str, *kinds: type[CallError]) -> Iterator[None]:
        """Inside, a call that fails with one of ``kinds`` is no failure: the scenario provokes it.

        It is reported as a successful call, named ``<its name> (<name>)``, and counted as ``provoked.<name>``.
        The caller still gets the error.
        """
        given = name, kinds
        self._provoked.append(given)
        try:
            yield
        finally:
            self._provoked.remove(given)

    def begin(self, now: float, late: float) -> None:
        """Start a step that was planned ``late`` seconds ago."""
        self._since, self._late = now, late

    def end(self) -> None:
        """End the step."""
        self._late = None

    def call(self, call: FinishedCall) -> None:
        """``Observer``: one call ended."""
        if self._provoked and call.error is not None:
            for provoked, kinds in reversed(self._provoked):  # the innermost first
                if isinstance(call.error, kinds):
                    self._observer.count(names.PROVOKED_PREFIX + provoked)
                    self._observer.call(call._replace(name=f"{call.name} ({provoked})", error=None))
                    return
        self._observer.call(call)
        if self._late is not None and call.error is None and call.started >= self._since:
            kept = self._paced.get(call[:2]) if _is_time(call.elapsed) else None
            sample, sample_corrected = kept or self._samples_of(call)
            sample(call.elapsed)
            sample_corrected(call.elapsed + self._late)

    def _samples_of(self, call: FinishedCall) -> tuple[Sample, Sample]:
        """Return what samples a paced call, and what samples it from its plan."""
        paced = f"{names.PACED_PREFIX}{call.kind} {call.name}"
        if call.kind != KIND or call.name not in REPLIES or not _is_time(call.elapsed):
            # The number of other names is not bounded, and what cannot be recorded is refused at once.
            return partial(self.sample, paced), partial(self.sample, paced + names.CORRECTED)
        kept = self._paced[call[:2]] = self.series(paced), self.series(paced + names.CORRECTED)
        return kept

    def series(self, *names: str) -> Sample:
        """As ``observer.series``."""
        return series(self._observer, *names)

    def tally(self, name: str) -> Callable[[int], object]:
        """As ``observer.tally``."""
        return tally(self._observer, name)


def _is_time(seconds: object) -> bool:
    return type(seconds) is float and math.isfinite(seconds)


def pace(calls: PacedCalls, rate: float, seconds: float | None = None) -> Iterator[Tick]:
    """Steps ``rate`` times a second on the grid of the start, for ``seconds`` or until the loop is left.

    An overdue step runs at once, however late; none is skipped. A player has one pace at a time.
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


def thinking(median: float, spread: float, longest: float) -> Callable[..., None]:
    """Return a method that pauses as a person does, for the class of a user.

    ``think = thinking(0.8, 0.5, longest=4.0)``: seconds; log-normal, with the standard deviation ``spread`` of
    the logarithm. ``self.think(0.3)`` pauses in 3 of 10 calls.
    """

    def think(_user: object, share: float = 1.0) -> None:
        if random.random() < share:
            gevent.sleep(min(random.lognormvariate(math.log(median), spread), longest))

    return think
