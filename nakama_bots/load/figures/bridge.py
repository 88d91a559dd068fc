"""Passes observed calls to the recorder and to Locust.

No value from a scenario raises here: an observer is called in the middle of a protocol's work, partly in
the event loop. A value that cannot be recorded counts as a fault of the scenario and fires no event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from functools import partial
from time import perf_counter, time
from typing import Any, Final

import gevent
from locust.event import Events
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from nakama_bots import observer as names
from nakama_bots.errors import Abandoned, ScenarioFault
from nakama_bots.load.figures.locust_table import LocustTable
from nakama_bots.load.figures.tracing import TracedPlayer
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import SCENARIO, Recorder
from nakama_bots.results.record.request_samples import RequestSampler

STOPPED: Final = " (stopped)"
"""Suffix of an abandoned call's name in Locust's tables."""

_CONTROL: Final = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)
"""Exceptions that a listener of Locust's request event may raise to steer the user."""


class CallContext(dict[str, Any]):
    """The context of events fired here. Its type distinguishes them from events of other code.

    ``waited_ms``, if known: how long the answer waited to be read, which is not part of ``response_time``.
    """


class LocustObserver:
    """Fires Locust's ``request`` event once for every finished call and passes everything to ``recorder``.

    ``sampler``, if given, writes a sample of the calls one by one; ``table``, if given, enters successful calls
    into Locust's statistics while nothing else listens to the event. ``complain(line, kind)`` logs one line per
    kind. ``of_scenario`` creates the observer of a scenario's players, ``of_player`` that of one player.

    A call that was abandoned because its player was stopped is neither a success nor a failure of the server:
    its event has no response time, and its name ends in ``STOPPED``.
    """

    __slots__ = (
        "_complain",
        "_fire",
        "_must",
        "_recorder",
        "_sampled",
        "_scenario",
        "_tap",
        "sampler",
        "table",
    )

    def __init__(
        self, events: Events, recorder: Recorder, complain: Callable[[str, str], object] = lambda *_: None
    ) -> None:
        self._fire: Callable[..., None] = events.request.fire
        self._recorder = recorder
        self._complain = complain
        self._scenario = "-"
        self._must: dict[str, str] = {}
        self._tap: TracedPlayer | None = None
        self._sampled: TracedPlayer | None = None
        self.sampler: RequestSampler | None = None
        self.table: LocustTable | None = None

    def of_scenario(self, scenario: str, must_do: Collection[str] = ()) -> LocustObserver:
        """Return the observer of the players of ``scenario``, which also counts what they ``must_do``."""
        other = copy(self)
        other._scenario = scenario
        other._must = {name: f"{names.PURPOSE_PREFIX}{scenario}.{name}" for name in must_do}
        return other

    def of_player(self, tap: TracedPlayer) -> LocustObserver:
        """Return the observer of one player; ``tap`` receives what has been recorded."""
        other = copy(self)
        other._tap = tap
        # A player in a match has a hundred samples per second, which few taps keep.
        other._sampled = tap if tap.whole else None
        return other

    def call(self, call: FinishedCall) -> None:
        """``Observer``: record a finished call. Seconds become Locust's milliseconds, with fractions."""
        try:
            taken = self.table is not None and self.table.add(call)
            if not taken:
                self._recorder.call(call)
        except ScenarioFault as fault:
            self._refused(fault)
            return
        if self.sampler is not None:
            self.sampler.call(call)
        if self._tap is not None:
            self._tap.call(call)
        if self._must and call.error is None:
            self._done(f"{call.kind} {call.name}")
        if not taken:
            self._fire_event(call)

    def _fire_event(self, call: FinishedCall) -> None:
        kind, name, _, elapsed, size, error, waited, _ = call
        abandoned = type(error) is Abandoned
        try:
            self._fire(
                request_type=kind,
                name=name + STOPPED if abandoned else name,
                response_time=None if abandoned else elapsed * 1000,
                response_length=size,
                exception=None if abandoned else error,
                context=CallContext() if waited is None else CallContext(waited_ms=waited * 1000),
                start_time=time() - elapsed,
            )
        except _CONTROL:
            # In the event loop there is no user to steer, and the connection must continue to work.
            if gevent.getcurrent() is not gevent.get_hub():
                raise

    def sample(self, name: str, seconds: float) -> None:
        """``Observer``: record a duration; Locust has no equivalent."""
        try:
            self._recorder.sample(name, seconds)
        except ScenarioFault as fault:
            self._refused(fault)
            return
        if self._sampled is not None:
            self._sampled.sample(name, seconds)
        if self._must:
            self._done(name)

    def series(self, *names: str) -> Callable[[float], object]:
        """As ``observer.series``: past this object, if nothing here needs to see each sample."""
        if self._sampled is None and not self._must.keys() & set(names):
            return self._recorder.series(*names)

        def sample(seconds: float) -> None:
            for name in names:
                self.sample(name, seconds)

        return sample

    def tally(self, name: str) -> Callable[[int], object]:
        """As ``observer.tally``."""
        return partial(self.count, name) if name in self._must else self._recorder.tally(name)

    def count(self, name: str, number: int = 1) -> None:
        """``Observer``: record a count; Locust has no equivalent."""
        try:
            self._recorder.count(name, number)
        except ScenarioFault as fault:
            self._refused(fault)
            return
        if self._must and number > 0:
            self._done(name, number)

    def _done(self, name: str, number: int = 1) -> None:
        if name in self._must:
            self._recorder.count(self._must[name], number)

    def _refused(self, fault: ScenarioFault) -> None:
        self._recorder.count(names.SCENARIO_FAULTS)
        self._recorder.fault(SCENARIO, self._scenario, fault.label, str(fault), perf_counter())
        self._complain(f"{self._scenario}: {fault} (further ones of this kind are only counted)", fault.label)
