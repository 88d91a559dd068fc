"""Everything that a run has counted so far, in the buckets of a dashboard. Pure.

Kept besides the run's own total because of its cost: an interval has some dozen values of a name, a percentile
of the total walks over all counters of its histogram.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Self, TypeVar

from nakama_bots.observer import COUNT_NAMES
from nakama_bots.results.record import sparse
from nakama_bots.results.record.histogram import EncodedHistogram
from nakama_bots.results.record.recorder import OTHER, CallKey, no_pause
from nakama_bots.results.record.timeline import SERVER, Interval

BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of the buckets of durations, in seconds."""

MOST_NAMES: Final = 100
"""Names of calls and of samples with their own series, twice as many of counts; later ones are ``OTHER``."""
MOST_ERRORS: Final = 200
MOST_PROCESSES: Final = 100
STALE: Final = 15.0
"""Seconds without an interval after which the gauges of a process are dropped. Workers report every 3 s."""

_BOUNDS_US: Final = tuple(round(bound * 1e6) for bound in BOUNDS)

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(slots=True)
class Distributed:
    """Durations by bucket.

    Exact, except for names with more than 256 values of a process in an interval: then to 0.1 % of a bound.
    """

    counts: list[int] | dict[int, int]
    count: int = 0
    total_us: int = 0

    def add(self, encoded: EncodedHistogram) -> None:
        """Add the counts of ``encoded``, which must have been checked."""
        values = [(value, 1) for value in encoded["raw_us"]]
        if encoded["hdr"]:
            values += [
                (sparse.highest_in(bucket), number) for bucket, number in sparse.decode(encoded["hdr"]).items()
            ]
        self._put(values)
        self.count += sum(number for _, number in values)
        self.total_us += encoded["total_us"] + sum(encoded["raw_us"])

    def copy(self) -> Self:
        """Return a copy that later durations do not change."""
        return replace(self, counts=self.counts.copy())

    def _put(self, values: Iterable[tuple[int, int]]) -> None:
        """Count values in microseconds, each with its number."""
        raise NotImplementedError


D = TypeVar("D", bound=Distributed)


@dataclass(slots=True)
class Durations(Distributed):
    """Counts up to each of ``BOUNDS`` and above the bound before; the last is of longer ones."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def _put(self, values: Iterable[tuple[int, int]]) -> None:
        for microseconds, number in values:
            self.counts[bisect_left(_BOUNDS_US, microseconds)] += number


@dataclass(slots=True)
class CallFigures(Generic[D]):
    """The calls of one kind and name; ``outcomes`` holds the failures by outcome."""

    ok: D
    failed: D
    waited: D
    outcomes: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    def copy(self) -> CallFigures[D]:
        """Return a copy that later calls do not change."""
        return CallFigures(
            self.ok.copy(), self.failed.copy(), self.waited.copy(), self.outcomes.copy(), self.bytes
        )


@dataclass(slots=True)
class Process:
    """The gauges of a process at the end of its newest interval, ``ended`` in seconds since 1970."""

    ended: float
    gauges: dict[str, float]


class Figures(Generic[D]):
    """Adds up the intervals of a run. ``folded`` has the kinds of names of which there were too many.

    ``new`` creates the buckets that durations are counted in.
    """

    def __init__(self, new: Callable[[], D]) -> None:
        self._new = new
        self.calls: dict[CallKey, CallFigures[D]] = {}
        self.samples: dict[str, D] = {}
        self.counts: dict[str, int] = {}
        self.errors: dict[tuple[str, str, str], int] = {}
        self.processes: dict[str, Process] = {}
        self.server: dict[str, float] = {}
        self.folded: dict[str, None] = {}

    def add(self, row: Interval, *, pause: Callable[[], object] = no_pause) -> None:
        """Add one interval, which must have been checked; ``pause`` as in ``Recorder.merge``."""
        ended = row["at"] + row["seconds"]
        if row["source"] == SERVER:
            self.server = dict(row["gauges"])
            return
        recorded = row["recorded"]
        for call in recorded["calls"]:
            key = self._admit("calls", self.calls, (call["kind"], call["name"]), (OTHER, OTHER), MOST_NAMES)
            figures = self.calls.setdefault(key, self._new_calls())
            figures.ok.add(call["ok"])
            figures.failed.add(call["failed"])
            figures.bytes += call["bytes"]
            if "waited" in call:
                figures.waited.add(call["waited"])
            for outcome, number in call["outcomes"].items():
                figures.outcomes[outcome] = figures.outcomes.get(outcome, 0) + number
            pause()
        for name, encoded in recorded["samples"].items():
            admitted = self._admit("samples", self.samples, name, OTHER, MOST_NAMES)
            self.samples.setdefault(admitted, self._new()).add(encoded)
            pause()
        for name, number in recorded["counts"].items():
            # A scenario's own counts do not displace ours.
            own = name in COUNT_NAMES
            counted = name if own else self._admit("counts", self.counts, name, OTHER, 2 * MOST_NAMES)
            self.counts[counted] = self.counts.get(counted, 0) + number
        for error in recorded["errors"]:
            # The class only: a text of the server could have an id in it.
            label = error["label"].partition(":")[0]
            of = self._admit(
                "errors", self.errors, (error["kind"], error["name"], label), (OTHER, OTHER, OTHER), MOST_ERRORS
            )
            self.errors[of] = self.errors.get(of, 0) + error["count"]
        self._set_gauges(row["source"], ended, row["gauges"])

    def restart(self) -> None:
        """Count from 0 again. The names are kept, so that a run never has more of them, and the gauges."""
        self.calls = {key: self._new_calls() for key in self.calls}
        self.samples = {name: self._new() for name in self.samples}
        self.counts = dict.fromkeys(self.counts, 0)
        self.errors = dict.fromkeys(self.errors, 0)

    def current(self) -> dict[str, dict[str, float]]:
        """Return the gauges by process, of those with an interval in the last ``STALE`` seconds."""
        newest = max((process.ended for process in self.processes.values()), default=0.0)
        return {
            source: process.gauges
            for source, process in sorted(self.processes.items())
            if process.ended >= newest - STALE
        }

    def _new_calls(self) -> CallFigures[D]:
        return CallFigures(self._new(), self._new(), self._new())

    def _set_gauges(self, source: str, ended: float, values: dict[str, float]) -> None:
        if source not in self.processes and len(self.processes) >= MOST_PROCESSES:
            oldest = min(self.processes, key=lambda name: self.processes[name].ended)
            if self.processes[oldest].ended >= ended - STALE:
                self.folded["processes"] = None
                return
            del self.processes[oldest]
        self.processes[source] = Process(ended, dict(values))

    def _admit(self, what: str, known: MutableMapping[_K, _V], key: _K, other: _K, most: int) -> _K:
        if key in known or len(known) < most:
            return key
        self.folded[what] = None
        return other
