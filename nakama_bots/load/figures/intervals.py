"""Moves a run's figures once a second from the hot recorder to an interval, then to totals and time line.

The recorder behind the observer is swapped, not copied, and its rows are encoded one by one, yielding to the
hub between them: 40 names take some milliseconds, and no message should wait for that.

Each step is guarded: one that fails leaves a gap, which the verdict lists, and the others continue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, time
from typing import Final

import gevent
from gevent.lock import RLock

from nakama_bots.results.record import gauges
from nakama_bots.results.record.gaps import FIGURES, GAUGES, Gap, Gaps, hole, reason_of
from nakama_bots.results.record.health import Health
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.request_samples import RequestLog, RequestSampler
from nakama_bots.results.record.timeline import Interval, Timeline, check_interval, interval_length
from nakama_bots.results.traces.tracer import TraceLog, Tracer
from nakama_bots.settings.health_limits import HealthLimits

log = logging.getLogger(__name__)

LOCAL: Final = "local"
"""The source name of a process without workers; that of a worker is its Locust id."""


class Totals:
    """The figures of the whole run, in the process that the user started: totals and time line."""

    def __init__(self) -> None:
        self.restarts: list[Callable[[], object]] = []
        """Called when a new run has started."""
        self.listeners: list[Callable[[Interval], object]] = []
        """Called with each interval after it was added. A failure is logged once a run, and is no gap."""
        self.reset(HealthLimits())

    def reset(self, limits: HealthLimits) -> None:
        """Start a new run, whose generator health is checked against ``limits``."""
        self.recorder = Recorder(perf_counter())
        self.timeline = Timeline(time())
        self.requests = RequestLog()
        self.traces = TraceLog()
        self.health = Health(limits)
        self.gaps = Gaps()
        self._users: dict[str, float] = {}
        self._failing: set[Callable[..., object]] = set()
        self._notify(self.restarts)

    @property
    def most_users(self) -> int:
        """The sum over all processes of the most users that each had at the end of an interval."""
        return int(sum(self._users.values()))

    def add(self, interval: object) -> int:
        """Add an interval of this process or of a worker; ``ShapeError`` if it is not one.

        Returns the number of its calls.
        """
        checked = check_interval(interval)
        source, at, seconds = checked["source"], checked["at"], checked["seconds"]
        for gap in checked.pop("gaps", []):
            self.miss(gap)
        requests = checked.pop("requests", [])
        self.traces.add(source, checked.pop("traces", []))
        calls = self.recorder.merge(checked["recorded"], pause=let_others_run)
        users = checked["gauges"].get(gauges.USERS, 0.0)
        self._users[source] = max(users, self._users.get(source, 0.0))
        steps: tuple[tuple[str, Callable[[], object]], ...] = (
            ("single requests", lambda: self.requests.add(source, requests)),
            ("the generator's health", lambda: self.health.add(checked)),
            ("the time line", lambda: self.timeline.add(checked)),
        )
        for what, step in steps:
            try:
                step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other steps run
                self.miss(_gap(source, what, at, seconds, error))
        self._notify(self.listeners, checked)
        return calls

    def _notify(self, listeners: Sequence[Callable[..., object]], *given: Interval) -> None:
        for listener in list(listeners):
            try:
                listener(*given)
            except Exception:
                if listener not in self._failing:
                    self._failing.add(listener)
                    log.exception("an export missed an interval of the run (further ones are not logged)")

    def miss(self, gap: Gap) -> None:
        """Record a gap in the figures, and log it the first time."""
        if gap["what"] == FIGURES:
            self.health.lose(gap["source"], gap["seconds"])
        if self.gaps.add(gap):
            log.error("%s of %s cannot be recorded: %s", gap["what"], gap["source"] or "the run", gap["reason"])

    def complete(self, source: str, ended: float) -> None:
        """Record the seconds that the time line lacks, at the end of the run (seconds since 1970)."""
        for of, first, last in self.timeline.holes(source, ended):
            if not any(_covers(gap, of, first, last) for gap in self.gaps):
                self.miss(hole(of, first, last))

    def failed(self, what: str, error: BaseException, *, source: str = "") -> None:
        """Record that ``what`` of ``source`` ("" for the run) failed now."""
        self.miss(_gap(source, what, time(), 0.0, error))


class Intervals:
    """The intervals of a process. ``deliver`` is called with each, and may switch greenlets.

    ``on_taken`` is called after the recorder is emptied, before anything else is recorded. ``gauges`` are read
    at the end of every interval, and must not switch to another greenlet.
    """

    def __init__(
        self,
        source: str,
        recorder: Recorder,
        deliver: Callable[[Interval], object],
        on_taken: Callable[[], object] = lambda: None,
        gauges: Sequence[Callable[[], Mapping[str, float]]] = (),
    ) -> None:
        self.source = source
        self._recorder = recorder
        self._deliver = deliver
        self._on_taken = on_taken
        self.gauges = list(gauges)
        self._gaps = Gaps()
        self.sampler: RequestSampler | None = None
        self.tracer: Tracer | None = None
        self._closing = RLock()
        self._keeper: gevent.Greenlet[[], None] | None = None
        self._start = self._since = perf_counter()
        self._started = time()
        self._length: Callable[[float], float] = interval_length

    def miss(self, what: str, error: BaseException) -> None:
        """Record that ``what`` of this process failed now; the next interval carries the gap."""
        self._gaps.add(_gap(self.source, what, self._started + (perf_counter() - self._start), 0.0, error))

    def start(self, length: Callable[[float], float] = interval_length) -> None:
        """Close an interval about every second, until ``stop``; ``length`` as ``interval_length``."""
        self._length = length
        self._start = self._since = perf_counter()
        self._started = time()
        self._keeper = gevent.spawn(self._keep)

    def stop(self) -> list[Gap]:
        """Close the last interval and return the gaps that could not be delivered. Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            with self._closing:  # not during a delivery, which would be lost
                keeper.kill()
            self.close()
            if len(self._gaps):  # the gap of the last interval: no other follows
                self.close()
        return self._gaps.take()

    def close(self) -> None:
        """Deliver the figures since the last call. A failure becomes a gap of the next interval."""
        with self._closing:
            now = perf_counter()
            seconds, since = now - self._since, self._since
            self._since = now
            # By the monotonic clock: an adjusted wall clock must not move the run's seconds.
            at = self._started + (since - self._start)
            try:
                values = self._read_gauges(at, seconds)
                taken = self._recorder.take()
                self._on_taken()
                interval: Interval = {
                    "source": self.source,
                    "at": at,
                    "seconds": seconds,
                    "recorded": taken.recorded(folded=False, pause=let_others_run),
                    "gauges": values,
                }
                if len(self._gaps):
                    interval["gaps"] = self._gaps.take()
                if self.sampler is not None:
                    interval["requests"] = self.sampler.take()
                if self.tracer is not None and self._keeper is None:  # the last one
                    interval["traces"] = self.tracer.take()
                self._deliver(interval)
            except Exception as error:
                log.exception("the figures of an interval are lost")
                self._gaps.add(_gap(self.source, FIGURES, at, seconds, error))

    def _read_gauges(self, at: float, seconds: float) -> dict[str, float]:
        values: dict[str, float] = {}
        for read in self.gauges:
            try:
                values |= {name: float(value) for name, value in read().items()}
            except Exception as error:  # noqa: BLE001 - whatever it is, read the other gauges
                self._gaps.add(_gap(self.source, GAUGES, at, seconds, error))
        return values

    def _keep(self) -> None:
        due = self._start
        while True:
            now = perf_counter()
            # On a grid from the start; oversleeping makes one long interval.
            while due <= now:
                due += self._length(due - self._start)
            gevent.sleep(due - now)
            self.close()


def _gap(source: str, what: str, at: float, seconds: float, error: BaseException) -> Gap:
    return {"source": source, "what": what, "at": at, "seconds": seconds, "reason": reason_of(error)}


def _covers(gap: Gap, source: str, first: float, last: float) -> bool:
    """True if this gap covers the hole from ``first`` to ``last``, within a second at either end."""
    if (gap["source"], gap["what"]) != (source, FIGURES):
        return False
    return gap["at"] - 1 <= first and last <= gap["at"] + gap["seconds"] + 1


def let_others_run() -> None:
    """Pause long work: let the hub and other greenlets run."""
    gevent.sleep(0)
