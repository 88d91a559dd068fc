"""Everything that a run has counted so far, in the buckets of a dashboard. Pure.

Kept besides the run's own total because of its cost: an interval has some dozen values of a name, a percentile
of the total walks over all counters of its histogram. Nothing is kept while nobody asks for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from nakama_bots.observer import COUNT_NAMES
from nakama_bots.results.record import gauges, sparse
from nakama_bots.results.record.histogram import EncodedHistogram
from nakama_bots.results.record.recorder import OTHER, CallKey
from nakama_bots.results.record.timeline import SERVER, Interval

BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of the buckets of durations, in seconds."""

MOST_NAMES: Final = 100
"""Names of calls, samples and counts that have series of their own; those that come later are ``OTHER``."""
MOST_ERRORS: Final = 200
MOST_PROCESSES: Final = 100
STALE: Final = 15.0
"""Seconds without an interval after which a process has no gauges any more. Workers report every 3 s."""

_BOUNDS_US: Final = tuple(round(bound * 1e6) for bound in BOUNDS)

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(slots=True)
class Durations:
    """How many durations were up to each of ``BOUNDS`` and above the bound before; the last is of longer ones.

    Exact but for what a process counted more than 256 of in an interval: then to 0.1 % of the bound.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total_us: int = 0

    def add(self, encoded: EncodedHistogram) -> None:
        """Count what ``encoded``, which must have been checked, has counted."""
        for value in encoded["raw_us"]:
            self.counts[bisect_left(_BOUNDS_US, value)] += 1
        if encoded["hdr"]:
            for bucket, number in sparse.decode(encoded["hdr"]).items():
                self.counts[bisect_left(_BOUNDS_US, sparse.highest_in(bucket))] += number
        self.total_us += encoded["total_us"] + sum(encoded["raw_us"])

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)


@dataclass(slots=True)
class CallFigures:
    """The calls of one kind and name; ``outcomes`` holds the failures by outcome."""

    ok: Durations = field(default_factory=Durations)
    failed: Durations = field(default_factory=Durations)
    outcomes: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    waited: Durations = field(default_factory=Durations)


@dataclass(slots=True)
class Process:
    """The newest gauges of a process, which ``ended`` in seconds since 1970."""

    ended: float
    gauges: dict[str, float]


class Figures:
    """Adds up the intervals of a run. ``folded`` says which kinds of names had more than fit."""

    def __init__(self) -> None:
        self.calls: dict[CallKey, CallFigures] = {}
        self.samples: dict[str, Durations] = {}
        self.counts: dict[str, int] = {}
        self.errors: dict[tuple[str, str, str], int] = {}
        self.processes: dict[str, Process] = {}
        self.server: dict[str, float] = {}
        self.folded: dict[str, None] = {}

    def add(self, row: Interval) -> None:
        """Take in one interval, which must have been checked."""
        ended = row["at"] + row["seconds"]
        if row["source"] == SERVER:
            self.server = dict(row["gauges"])
            return
        recorded = row["recorded"]
        for call in recorded["calls"]:
            key = self._admit("calls", self.calls, (call["kind"], call["name"]), (OTHER, OTHER), MOST_NAMES)
            figures = self.calls.setdefault(key, CallFigures())
            figures.ok.add(call["ok"])
            figures.failed.add(call["failed"])
            figures.bytes += call["bytes"]
            if "waited" in call:
                figures.waited.add(call["waited"])
            for outcome, number in call["outcomes"].items():
                figures.outcomes[outcome] = figures.outcomes.get(outcome, 0) + number
        for name, encoded in recorded["samples"].items():
            admitted = self._admit("samples", self.samples, name, OTHER, MOST_NAMES)
            self.samples.setdefault(admitted, Durations()).add(encoded)
        for name, number in recorded["counts"].items():
            # Our own are not displaced by a scenario's.
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
        self._hear(row["source"], ended, row["gauges"])

    def current(self) -> dict[str, dict[str, float]]:
        """The gauges by process, of those that are heard of; a share of the run's newest interval."""
        newest = max((process.ended for process in self.processes.values()), default=0.0)
        return {
            source: process.gauges
            for source, process in sorted(self.processes.items())
            if process.ended >= newest - STALE
        }

    def total(self, name: str) -> float:
        """Gauge ``name`` over all processes; 0 while there is none."""
        return gauges.fold(name, [found[name] for found in self.current().values() if name in found] or [0.0])

    def _hear(self, source: str, ended: float, values: dict[str, float]) -> None:
        if source not in self.processes and len(self.processes) >= MOST_PROCESSES:
            oldest = min(self.processes, key=lambda one: self.processes[one].ended)
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
