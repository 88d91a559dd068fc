"""A run for its report: the summary, the verdict, and the time line in bins of equal length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from nakama_bots.results.compare.profile import Blocks
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.record import sparse
from nakama_bots.results.record.gauges import fold
from nakama_bots.results.record.recorder import CallKey, ErrorKey, Recorded, no_pause
from nakama_bots.results.record.timeline import SERVER, Timeline
from nakama_bots.results.show.report.axes import TIME_STEPS
from nakama_bots.results.summary import Summary

_MOST_BINS: Final = 150

T = TypeVar("T")
_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Bins:
    """The time line in ``number`` bins of ``width`` seconds. Gauges: values at the end of a bin, or None."""

    width: int
    number: int
    calls: dict[CallKey, Blocks] = field(default_factory=dict)
    samples: dict[str, list[sparse.Buckets]] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    errors: dict[ErrorKey, list[int]] = field(default_factory=dict)
    gauges: Mapping[str, list[float | None]] = field(default_factory=dict)
    server: Mapping[str, list[float | None]] = field(default_factory=dict)

    def add(self, position: int, recorded: Recorded) -> None:
        """Add to a bin."""
        for call in recorded["calls"]:
            key = call["kind"], call["name"]
            if key not in self.calls:
                self.calls[key] = Blocks.empty(self.number)
            self.calls[key].add(position, call)
        for name, encoded in recorded["samples"].items():
            sparse.add_encoded(_row(self.samples, name, dict, self.number)[position], encoded)
        for name, number in recorded["counts"].items():
            _row(self.counts, name, int, self.number)[position] += number
        for error in recorded["errors"]:
            of = error["kind"], error["name"], error["label"]
            _row(self.errors, of, int, self.number)[position] += error["count"]

    def middle(self, position: int) -> float:
        """Return the middle of each bin in seconds after the start."""
        return (position + 0.5) * self.width


@dataclass(frozen=True, slots=True)
class RunView:
    """A run; ``label`` identifies it in the report; ``verdict`` is None if the run has none.

    ``slowest`` are the lines of ``explain``, none without traces.
    """

    label: str
    summary: Summary
    bins: Bins
    verdict: VerdictPart | None = None
    slowest: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The length of the time axis in seconds."""
        return max(self.summary["run"]["duration_s"], self.bins.number * self.bins.width)


def bin_width(seconds: float) -> int:
    """Return the length of a bin for a run of that length, in seconds."""
    return next((width for width in TIME_STEPS if seconds <= width * _MOST_BINS), TIME_STEPS[-1])


def bins_of(timeline: Timeline | None, *, pause: Callable[[], object] = no_pause) -> Bins:
    """Return the time line in bins; without a time line there are none. ``pause`` as in ``Recorder.merge``."""
    if timeline is None or not len(timeline):
        return Bins(1, 0)
    seconds = max(timeline.ended - timeline.started, 1e-3)
    width = bin_width(seconds)
    bins = Bins(width, max(1, -int(-seconds // width)))
    # By gauge and bin: the last value of each source.
    gauges: dict[str, list[dict[str, float]]] = {}
    of_server: dict[str, list[dict[str, float]]] = {}
    for interval in timeline:
        middle = interval["at"] + interval["seconds"] / 2 - timeline.started
        position = min(bins.number - 1, max(0, int(middle / width)))
        bins.add(position, interval["recorded"])
        rows = of_server if interval["source"] == SERVER else gauges
        for name, value in interval["gauges"].items():
            _row(rows, name, dict, bins.number)[position][interval["source"]] = value
        pause()
    return replace(bins, gauges=_folded(gauges), server=_folded(of_server))


def _row(rows: dict[_K, list[T]], key: _K, empty: type[T], number: int) -> list[T]:
    row = rows.get(key)
    return row if row is not None else rows.setdefault(key, [empty() for _ in range(number)])


def _folded(gauges: Mapping[str, list[dict[str, float]]]) -> dict[str, list[float | None]]:
    return {
        name: [fold(name, values.values()) if values else None for values in row]
        for name, row in sorted(gauges.items())
    }
