"""Enters successful calls into the recorder and Locust's statistics in batches, where no other code listens.

Locust's request event costs more than everything that the recorder does with a call, and both cost less for
many calls at once. As long as only Locust's own runner listens, the difference cannot be seen; with any further
listener, every call is an event.
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

from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder, checked_key

PERIOD: Final = 0.2
"""Seconds between two batches."""

_RUNNER: Final = "locust.runners"
_LONGEST: Final = 1e6
_LARGEST: Final = 1 << 32


class _HeldCalls:
    """The calls of one kind and name since the last batch: times and known waits in seconds, and bytes."""

    __slots__ = ("size", "times", "waits")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.waits: list[float] = []
        self.size = 0


class LocustTable:
    """One per process. Active from ``start`` until the test stops, and only with listeners that are known.

    ``bystander`` is a listener of ours that ignores the calls that come here.
    """

    def __init__(self, environment: Environment, recorder: Recorder, bystander: Callable[..., object]) -> None:
        self._environment = environment
        self._recorder = recorder
        self._bystander = bystander
        self._handlers: list[Callable[..., object]] = getattr(environment.events.request, "_handlers", [])
        self._known: list[Callable[..., object]] | None = None
        self._rows: dict[tuple[str, str], _HeldCalls] = {}
        self._keeper: gevent.Greenlet[[], None] | None = None
        recorder.holders.append(self.flush)
        # Before the listeners of test_stop, which may read Locust's statistics.
        environment.events.test_stopping.add_listener(self._on_test_stopping)

    def start(self) -> None:
        """Start taking calls. Idempotent."""
        self.flush()
        known = [listener for listener in self._handlers if self._is_known(listener)]
        # Locust's and ours, once each.
        self._known = known if len(known) == 2 and known.count(self._bystander) == 1 else None
        if self._keeper is None:
            self._keeper = gevent.spawn(self._keep)

    def add(self, call: FinishedCall) -> bool:
        """Take a call; False for one that must be recorded by itself and be an event, as every failed one.

        ``ScenarioFault`` for an invalid kind or name.
        """
        kind, name, started, elapsed, size, error, waited, _ = call
        if (
            error is not None
            or self._handlers != self._known
            # Of a value that cannot be counted, the recorder or Locust's event says so.
            or type(elapsed) is not float
            or not 0.0 <= elapsed < _LONGEST
            or type(size) is not int
            or not 0 <= size < _LARGEST
            or type(started) is not float
        ):
            return False
        batch = self._rows.get((kind, name))
        if batch is None:
            batch = self._rows[checked_key(kind, name)] = _HeldCalls()
        if waited is not None:
            if type(waited) is not float or not 0.0 <= waited < _LONGEST:
                return False
            batch.waits.append(waited)
        batch.times.append(elapsed)
        batch.size += size
        return True

    def flush(self) -> None:
        """Enter what was taken since the last time."""
        rows, self._rows = self._rows, {}
        now = time.time()
        for key, batch in rows.items():
            if batch.times:
                self._recorder.add_calls(key, batch.times, batch.waits, batch.size)
                enter(self._environment.stats, *key, batch.times, batch.size, now)

    def _is_known(self, listener: Callable[..., object]) -> bool:
        return listener == self._bystander or (
            listener.__module__ == _RUNNER and listener.__qualname__.startswith("Runner.__init__")
        )

    def _keep(self) -> None:
        while True:
            gevent.sleep(PERIOD)
            self._recorder.settle()

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
    ends = sum(milliseconds), min(milliseconds), max(milliseconds)
    for entry in (table.total, table.entries[name, kind]):
        _enter(entry, len(milliseconds), ends, buckets, size, now)


def _enter(
    entry: StatsEntry,
    number: int,
    ends: tuple[float, float, float],
    buckets: Counter[Any],
    size: int,
    now: float,
) -> None:
    second, last = int(now), entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)
    entry.num_requests += number
    entry.num_reqs_per_sec[second] += number
    entry.last_request_timestamp = now
    total, fastest, slowest = ends
    entry.total_response_time += total  # type: ignore[assignment]
    known = entry.min_response_time
    entry.min_response_time = fastest if known is None else min(known, fastest)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, slowest)  # type: ignore[assignment]
    for bucket, count in buckets.items():
        entry.response_times[bucket] += count
    entry.total_content_length += size
