"""Where a run's figures go once a second: from the hot recorder to an interval, then to total and time line.

The recorder behind the observer is swapped, not copied, and its rows are encoded one by one with the hub in
between: 40 names take some milliseconds, which no message should have to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Final

import gevent
from gevent.lock import RLock

from nakama_bots.results.record import gauges
from nakama_bots.results.record.health import Health
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.request_samples import RequestLog, RequestSampler
from nakama_bots.results.record.timeline import Interval, Timeline, check_interval, interval_length
from nakama_bots.settings.health_limits import HealthLimits

LOCAL: Final = "local"
"""The source of a process that is no worker; a worker's is its Locust id."""

Gauges = Callable[[], Mapping[str, float]]
"""Read at the end of every interval; must not switch to another greenlet."""


class Totals:
    """What the process that the user started knows of the whole run: everything added up, and the time line."""

    def __init__(self) -> None:
        self.recorder = Recorder(perf_counter())
        self.timeline = Timeline(time())
        self.requests = RequestLog()
        self._users: dict[str, float] = {}
        self.health = Health()

    def reset(self, limits: HealthLimits) -> None:
        """Begin with a new run, whose generator is held to ``limits``."""
        self.health = Health(limits)
        self.recorder.reset(perf_counter())
        self.timeline = Timeline(time())
        self.requests = RequestLog()
        self._users.clear()

    @property
    def most_users(self) -> int:
        """Of each process the most users that it had at the end of an interval, added up."""
        return int(sum(self._users.values()))

    def add(self, interval: object) -> int:
        """Take in an interval of this process or of a worker; ``ShapeError`` when it is none.

        Gives the number of its calls.
        """
        checked = check_interval(interval)
        calls = self.recorder.merge(checked["recorded"], pause=let_others_run)
        self.requests.add(checked["source"], checked.pop("requests", []))
        self.health.add(checked)
        self.timeline.add(checked)
        source, users = checked["source"], checked["gauges"].get(gauges.USERS, 0.0)
        self._users[source] = max(users, self._users.get(source, 0.0))
        return calls


class Intervals:
    """One process's intervals. ``deliver`` is given each; it may switch."""

    def __init__(self, source: str, recorder: Recorder, deliver: Callable[[Interval], object]) -> None:
        self.source = source
        self._recorder = recorder
        self._deliver = deliver
        self._gauges: list[Gauges] = []
        self.sampler: RequestSampler | None = None
        self._closing = RLock()
        self._keeper: gevent.Greenlet[[], None] | None = None
        self._start = self._since = perf_counter()

    def add_gauges(self, gauges: Gauges) -> None:
        """Have ``gauges`` in every interval from now on."""
        self._gauges.append(gauges)

    def start(self) -> None:
        """Close an interval about once a second, until ``stop``."""
        self._start = self._since = perf_counter()
        self._keeper = gevent.spawn(self._keep)

    def stop(self) -> None:
        """Close the last interval. Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            with self._closing:  # never in the middle of a delivery, which would be lost
                keeper.kill()
            self.close()

    def close(self) -> None:
        """Deliver what came since the last time."""
        with self._closing:
            now = perf_counter()
            seconds, self._since = now - self._since, now
            gauges = {name: float(value) for read in self._gauges for name, value in read().items()}
            recorded = self._recorder.take().recorded(folded=False, pause=let_others_run)
            interval: Interval = {
                "source": self.source,
                "at": time() - (perf_counter() - now) - seconds,
                "seconds": seconds,
                "recorded": recorded,
                "gauges": gauges,
            }
            if self.sampler is not None:
                interval["requests"] = self.sampler.take()
            self._deliver(interval)

    def _keep(self) -> None:
        due = self._start
        while True:
            now = perf_counter()
            # On a grid from the start; what was overslept is one long interval.
            while due <= now:
                due += interval_length(due - self._start)
            gevent.sleep(due - now)
            self.close()


def let_others_run() -> None:
    """A pause in long work: the hub and whoever waits for it go on."""
    gevent.sleep(0)
