"""The part of a run that is judged: its recorded content, its length and its gauges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.results.record.gauges import fold
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import CallKey, CallRow, Recorder, no_pause
from nakama_bots.results.record.timeline import Interval, Timeline, gauges_only
from nakama_bots.results.summary import Summary, recorder_of

_STALE: Final = 1.5
"""Interval lengths after which a silent process no longer counts."""


@dataclass(frozen=True, slots=True)
class Window:
    """``first`` and ``last`` in seconds after the run's start; ``gauges`` in the order of time."""

    recorder: Recorder
    first: float
    last: float
    gauges: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return max(0.0, self.last - self.first)

    def calls(self, keys: Iterable[CallKey]) -> CallRow:
        """The calls under these names, added up."""
        total = CallRow()
        for key in keys:
            total.add(self.recorder.calls.get(key) or CallRow())
        return total

    def samples(self, names: Iterable[str]) -> Histogram:
        """The samples under these names, added up."""
        total = Histogram()
        for name in names:
            total.add(self.recorder.samples.get(name) or Histogram())
        return total


def whole_run(summary: Summary, timeline: Timeline | None = None) -> Window:
    """Return the whole run as a window; without a time line it has no gauges."""
    gauges = gauge_values(timeline.in_order()) if timeline is not None else {}
    return Window(recorder_of(summary), 0.0, summary["run"]["duration_s"], gauges)


def without_ends(
    timeline: Timeline, warmup: float, cooldown: float, pause: Callable[[], object] = no_pause
) -> Window:
    """Return the run without its first ``warmup`` and last ``cooldown`` seconds, by whole intervals.

    ``pause`` is called repeatedly meanwhile, for an event loop that must not be blocked.
    """
    first, last = timeline.started + warmup, timeline.ended - cooldown
    recorder = Recorder(0.0)
    rows: list[Interval] = []
    for row in timeline.within(first, last):
        recorder.merge(row["recorded"], pause=pause)
        rows.append(gauges_only(row["source"], row["at"], row["seconds"], row["gauges"]))
    if not rows:
        return Window(recorder, warmup, warmup)
    begun = min(row["at"] for row in rows) - timeline.started
    ended = max(row["at"] + row["seconds"] for row in rows) - timeline.started
    rows.sort(key=lambda row: row["at"] + row["seconds"] / 2)
    return Window(recorder, begun, ended, gauge_values(rows))


def gauge_values(rows: Iterable[Interval]) -> dict[str, list[float]]:
    """Return the values of each gauge in the order of ``rows``, combined over processes (``gauges.fold``).

    A value is taken when a process reports again: each has then closed an interval since the last value.
    """
    values: dict[str, list[float]] = defaultdict(list)
    latest: dict[str, Interval] = {}
    heard: list[Interval] = []
    for row in rows:
        if not row["gauges"]:
            continue
        if any(row["source"] == other["source"] for other in heard):
            _take(latest, heard[-1], values)
            heard.clear()
        latest[row["source"]] = row
        heard.append(row)
    if heard:
        _take(latest, heard[-1], values)
    return dict(values)


def _take(latest: Mapping[str, Interval], now: Interval, values: Mapping[str, list[float]]) -> None:
    current: dict[str, list[float]] = defaultdict(list)
    for row in latest.values():
        if now["at"] - row["at"] <= _STALE * max(row["seconds"], now["seconds"]):
            for name, value in row["gauges"].items():
                current[name].append(value)
    for name, several in current.items():
        values[name].append(fold(name, several))
