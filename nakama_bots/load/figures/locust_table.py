"""Enters successful calls into Locust's statistics in batches, where no other code listens to single requests.

Locust's request event costs more than everything that the recorder does with a call. As long as only Locust's
own runner listens to it, the difference cannot be seen; with any further listener, every call is an event.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust import stats
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry

PERIOD: Final = 0.5
"""Seconds between two batches."""

_RUNNER: Final = "locust.runners"
_LONGEST: Final = 1e6


class _Pending:
    """The calls of one kind and name since the last batch; ``times`` in seconds."""

    __slots__ = ("size", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.size = 0


class LocustTable:
    """One per process. Active from ``start`` until the test stops, and only with listeners that are known.

    ``bystander`` is a listener of ours that ignores the calls that come here.
    """

    def __init__(self, environment: Environment, bystander: Callable[..., object]) -> None:
        self._environment = environment
        self._bystander = bystander
        self._handlers: list[Callable[..., object]] = getattr(environment.events.request, "_handlers", [])
        self._known: list[Callable[..., object]] | None = None
        self._rows: dict[tuple[str, str], _Pending] = {}
        self._keeper: gevent.Greenlet[[], None] | None = None
        # Before the listeners of test_stop, which may read Locust's statistics.
        environment.events.test_stopping.add_listener(self._on_test_stopping)

    def start(self) -> None:
        """Start taking calls. Idempotent."""
        self.flush()
        known = [listener for listener in self._handlers if self._is_known(listener)]
        # Locust's and ours, once each.
        self._known = known if len(known) == 2 and known.count(self._bystander) == 1 else None
        if self._known is not None and self._keeper is None:
            self._keeper = gevent.spawn(self._keep)

    def add(self, kind: str, name: str, elapsed: float, size: int) -> bool:
        """Take a successful call of ``elapsed`` seconds and ``size`` bytes; False if it must be an event."""
        # Of a value that Locust cannot count, its event says so.
        if self._handlers != self._known or type(elapsed) is not float or not 0.0 <= elapsed < _LONGEST:
            return False
        row = self._rows.get((kind, name))
        if row is None:
            row = self._rows[kind, name] = _Pending()
        row.times.append(elapsed)
        row.size += size
        return True

    def flush(self) -> None:
        """Enter what was taken since the last time."""
        rows, self._rows = self._rows, {}
        now = time.time()
        for (kind, name), row in rows.items():
            enter(self._environment.stats, kind, name, row.times, row.size, now)

    def _is_known(self, listener: Callable[..., object]) -> bool:
        return listener == self._bystander or (
            listener.__module__ == _RUNNER and listener.__qualname__.startswith("Runner.__init__")
        )

    def _keep(self) -> None:
        while True:
            gevent.sleep(PERIOD)
            self.flush()

    def _on_test_stopping(self, **_: Any) -> None:
        self._known = None
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.kill(block=False)
        self.flush()


def enter(table: RequestStats, kind: str, name: str, times: list[float], size: int, now: float) -> None:
    """Enter calls as ``RequestStats.log_request`` does for each; ``times`` in seconds, ``now`` since 1970."""
    milliseconds = [seconds * 1000 for seconds in times]
    buckets = Counter(map(stats.bucket_response_time, milliseconds))
    for entry in (table.total, table.entries[name, kind]):
        _enter(entry, milliseconds, buckets, size, now)


def _enter(entry: StatsEntry, milliseconds: list[float], buckets: Counter[Any], size: int, now: float) -> None:
    second, last = int(now), entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)
    entry.num_requests += len(milliseconds)
    entry.num_reqs_per_sec[second] += len(milliseconds)
    entry.last_request_timestamp = now
    entry.total_response_time += sum(milliseconds)  # type: ignore[assignment]
    fastest, slowest = min(milliseconds), max(milliseconds)
    known = entry.min_response_time
    entry.min_response_time = fastest if known is None else min(known, fastest)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, slowest)  # type: ignore[assignment]
    for bucket, number in buckets.items():
        entry.response_times[bucket] += number
    entry.total_content_length += size
