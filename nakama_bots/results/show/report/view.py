"""A run for its report: the summary, the verdict, and the time line in bins of equal length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from nakama_bots.results.compare.profile import Blocks
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.record import sparse
from nakama_bots.results.record.gauges import fold
from nakama_bots.results.record.recorder import CallKey, ErrorKey, no_pause
from nakama_bots.results.record.timeline import SERVER, Interval, Timeline
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
    calls: Mapping[CallKey, Blocks] = field(default_factory=dict)
    samples: Mapping[str, list[sparse.Buckets]] = field(default_factory=dict)
    counts: Mapping[str, list[int]] = field(default_factory=dict)
    errors: Mapping[ErrorKey, list[int]] = field(default_factory=dict)
    gauges: Mapping[str, list[float | None]] = field(default_factory=dict)
    server: Mapping[str, list[float | None]] = field(default_factory=dict)

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
    """Return the time line in bins; without a time line there are none.

    ``pause`` is called after each interval, for an event loop that must not be blocked.
    """
    if timeline is None or not len(timeline):
        return Bins(1, 0)
    seconds = max(timeline.ended - timeline.started, 1e-3)
    width = bin_width(seconds)
    filling = _Filling(width, max(1, -int(-seconds // width)))
    for interval in timeline:
        middle = interval["at"] + interval["seconds"] / 2 - timeline.started
        filling.add(interval, min(filling.number - 1, max(0, int(middle / width))))
        pause()
    return filling.done()


class _Filling:
    """Bins while they are filled."""

    def __init__(self, width: int, number: int) -> None:
        self.number = number
        self._width = width
        self._calls: dict[CallKey, Blocks] = {}
        self._samples: dict[str, list[sparse.Buckets]] = {}
        self._counts: dict[str, list[int]] = {}
        self._errors: dict[ErrorKey, list[int]] = {}
        # By gauge and bin: the last value of each source.
        self._gauges: dict[str, list[dict[str, float]]] = {}
        self._server: dict[str, list[dict[str, float]]] = {}

    def add(self, interval: Interval, position: int) -> None:
        recorded = interval["recorded"]
        for call in recorded["calls"]:
            key = call["kind"], call["name"]
            if key not in self._calls:
                self._calls[key] = Blocks.empty(self.number)
            self._calls[key].add(position, call)
        for name, encoded in recorded["samples"].items():
            sparse.add_encoded(self._row(self._samples, name, dict)[position], encoded)
        for name, number in recorded["counts"].items():
            self._row(self._counts, name, int)[position] += number
        for error in recorded["errors"]:
            error_key = error["kind"], error["name"], error["label"]
            self._row(self._errors, error_key, int)[position] += error["count"]
        gauges = self._server if interval["source"] == SERVER else self._gauges
        for name, value in interval["gauges"].items():
            self._row(gauges, name, dict)[position][interval["source"]] = value

    def done(self) -> Bins:
        return Bins(
            self._width, self.number, self._calls, self._samples, self._counts, self._errors,
            _folded(self._gauges), _folded(self._server),
        )  # fmt: skip

    def _row(self, rows: dict[_K, list[T]], key: _K, empty: type[T]) -> list[T]:
        row = rows.get(key)
        return row if row is not None else rows.setdefault(key, [empty() for _ in range(self.number)])


def _folded(gauges: Mapping[str, list[dict[str, float]]]) -> dict[str, list[float | None]]:
    return {
        name: [fold(name, values.values()) if values else None for values in row]
        for name, row in sorted(gauges.items())
    }
