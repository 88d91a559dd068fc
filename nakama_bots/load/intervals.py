"""Where a run's figures go once a second: from the hot recorder to an interval, then to total and time line.

The recorder behind the observer is swapped, not copied, and its rows are encoded one by one with the hub in
between: 40 names take some milliseconds, which no message should have to wait for.

Each step is guarded by itself: one that fails leaves a gap, which the verdict has, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Final

import gevent
from gevent.lock import RLock

from nakama_bots.results.record import gauges
from nakama_bots.results.record.gaps import FIGURES, GAUGES, Gap, Gaps, reason_of
from nakama_bots.results.record.health import Health
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.request_samples import RequestLog, RequestSampler
from nakama_bots.results.record.timeline import Interval, Timeline, check_interval, interval_length
from nakama_bots.settings.health_limits import HealthLimits

log = logging.getLogger(__name__)

LOCAL: Final = "local"
"""The source of a process that is no worker; a worker's is its Locust id."""

Gauges = Callable[[], Mapping[str, float]]
"""Read at the end of every interval; must not switch to another greenlet."""


class Totals:
    """What the process that the user started knows of the whole run: everything added up, and the time line."""

    def __init__(self) -> None:
        self._begin(HealthLimits())

    def reset(self, limits: HealthLimits) -> None:
        """Begin with a new run, whose generator is held to ``limits``."""
        self._begin(limits)

    def _begin(self, limits: HealthLimits) -> None:
        self.recorder = Recorder(perf_counter())
        self.timeline = Timeline(time())
        self.requests = RequestLog()
        self.health = Health(limits)
        self.gaps = Gaps()
        self._users: dict[str, float] = {}

    @property
    def most_users(self) -> int:
        """Of each process the most users that it had at the end of an interval, added up."""
        return int(sum(self._users.values()))

    def add(self, interval: object) -> int:
        """Take in an interval of this process or of a worker; ``ShapeError`` when it is none.

        Gives the number of its calls.
        """
        checked = check_interval(interval)
        source, at, seconds = checked["source"], checked["at"], checked["seconds"]
        for gap in checked.pop("gaps", []):
            self.miss(gap)
        requests = checked.pop("requests", [])
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
            except Exception as error:  # noqa: BLE001 - whatever it is, the other steps go on
                self.miss(_gap(source, what, at, seconds, error))
        return calls

    def miss(self, gap: Gap) -> None:
        """Note what the figures lack, and log it the first time."""
        if gap["what"] == FIGURES:
            self.health.lose(gap["source"], gap["seconds"])
        if self.gaps.add(gap):
            log.error("%s of %s cannot be kept: %s", gap["what"], gap["source"] or "the run", gap["reason"])

    def complete(self, source: str, ended: float) -> None:
        """Note which seconds the time line does not cover, now that the run is over (seconds since 1970)."""
        for of, first, last in self.timeline.holes(source, ended):
            if not any(_covers(gap, of, first, last) for gap in self.gaps):
                self.miss(_gap_of(of, FIGURES, first, last - first, "the time line has a hole"))

    def failed(self, what: str, error: BaseException, *, source: str = "") -> None:
        """Note that ``what`` of ``source`` ("" for the run) failed just now."""
        self.miss(_gap(source, what, time(), 0.0, error))


class Intervals:
    """One process's intervals. ``deliver`` is given each, and may switch.

    ``on_taken`` is called when the recorder was emptied, before anything else is recorded.
    """

    def __init__(
        self,
        source: str,
        recorder: Recorder,
        deliver: Callable[[Interval], object],
        on_taken: Callable[[], object] = lambda: None,
    ) -> None:
        self.source = source
        self._recorder = recorder
        self._deliver = deliver
        self._on_taken = on_taken
        self._gauges: list[Gauges] = []
        self._gaps = Gaps()
        self.sampler: RequestSampler | None = None
        self._closing = RLock()
        self._keeper: gevent.Greenlet[[], None] | None = None
        self._start = self._since = perf_counter()
        self._started = time()

    def miss(self, what: str, error: BaseException) -> None:
        """Note that ``what`` of this process failed just now; it goes along with the next interval."""
        self._gaps.add(_gap(self.source, what, self._started + (perf_counter() - self._start), 0.0, error))

    def add_gauges(self, gauges: Gauges) -> None:
        """Have ``gauges`` in every interval from now on."""
        self._gauges.append(gauges)

    def start(self) -> None:
        """Close an interval about once a second, until ``stop``."""
        self._start = self._since = perf_counter()
        self._started = time()
        self._keeper = gevent.spawn(self._keep)

    def stop(self) -> list[Gap]:
        """Close the last interval; the gaps that could not be delivered. Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            with self._closing:  # never in the middle of a delivery, which would be lost
                keeper.kill()
            self.close()
            if len(self._gaps):  # that of the last one: no interval comes behind it
                self.close()
        return self._gaps.take()

    def close(self) -> None:
        """Deliver what came since the last time. What fails is a gap of the next interval."""
        with self._closing:
            now = perf_counter()
            seconds, since = now - self._since, self._since
            self._since = now
            # By the monotonic clock: a wall clock that is set must not move the run's seconds.
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
                self._deliver(interval)
            except Exception as error:
                log.exception("the figures of an interval are lost")
                self._gaps.add(_gap(self.source, FIGURES, at, seconds, error))

    def _read_gauges(self, at: float, seconds: float) -> dict[str, float]:
        values: dict[str, float] = {}
        for read in self._gauges:
            try:
                values |= {name: float(value) for name, value in read().items()}
            except Exception as error:  # noqa: BLE001 - whatever it is, the other gauges are read
                self._gaps.add(_gap(self.source, GAUGES, at, seconds, error))
        return values

    def _keep(self) -> None:
        due = self._start
        while True:
            now = perf_counter()
            # On a grid from the start; what was overslept is one long interval.
            while due <= now:
                due += interval_length(due - self._start)
            gevent.sleep(due - now)
            self.close()


def _gap(source: str, what: str, at: float, seconds: float, error: BaseException) -> Gap:
    return _gap_of(source, what, at, seconds, reason_of(error))


def _gap_of(source: str, what: str, at: float, seconds: float, reason: str) -> Gap:
    return {"source": source, "what": what, "at": at, "seconds": seconds, "reason": reason}


def _covers(gap: Gap, source: str, first: float, last: float) -> bool:
    """Whether the hole from ``first`` to ``last`` is this gap, but for a second at its ends."""
    if (gap["source"], gap["what"]) != (source, FIGURES):
        return False
    return gap["at"] - 1 <= first and last <= gap["at"] + gap["seconds"] + 1


def let_others_run() -> None:
    """A pause in long work: the hub and whoever waits for it go on."""
    gevent.sleep(0)
