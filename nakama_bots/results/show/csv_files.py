"""The time line as CSV, for a spreadsheet: calls by second and name, gauges by second."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Final

from nakama_bots.results.compare.profile import Blocks
from nakama_bots.results.files import csv_line
from nakama_bots.results.record import sparse
from nakama_bots.results.record.gauges import fold
from nakama_bots.results.record.recorder import ABANDONED, CallKey, no_pause
from nakama_bots.results.record.timeline import Interval, Timeline

_BINS: Final = 3600
"""Most rows per name: a longer run has longer bins."""

_PERCENTS: Final = (50.0, 95.0, 99.0, 100.0)
CALL_COLUMNS: Final = (
    "second", "seconds", "kind", "name", "count", "failures", "abandoned",
    "p50_ms", "p95_ms", "p99_ms", "max_ms",
)  # fmt: skip


def calls_csv(timeline: Timeline, pause: Callable[[], object] = no_pause) -> Iterator[bytes]:
    """Yield lines with one row per bin and name. ``count`` covers all calls, times only successful ones.

    ``pause`` is called after each interval: ten minutes of four processes with 40 names take ten seconds.
    """
    yield csv_line(CALL_COLUMNS)
    width = _width(timeline)
    for second, rows in _binned(timeline, width):
        calls: dict[CallKey, Blocks] = defaultdict(partial(Blocks.empty, 1))
        abandoned: Counter[CallKey] = Counter()
        for row in rows:
            for call in row["recorded"]["calls"]:
                key = call["kind"], call["name"]
                calls[key].add(0, call)
                abandoned[key] += call["outcomes"].get(ABANDONED, 0)
            pause()
        for key, found in sorted(calls.items()):
            counts = (found.count + found.failures + abandoned[key], found.failures, abandoned[key])
            times = map(_ms, sparse.percentiles(found.ok[0], _PERCENTS))
            yield csv_line((second, width, *key, *counts, *times))


def gauges_csv(timeline: Timeline) -> Iterator[bytes]:
    """Yield lines with one row per bin, one column per gauge: the last values of the processes, combined."""
    width = _width(timeline)
    table: list[tuple[int, dict[str, float]]] = []
    for second, rows in _binned(timeline, width):
        latest: dict[str, dict[str, float]] = defaultdict(dict)
        for row in rows:
            for name, value in row["gauges"].items():
                latest[name][row["source"]] = value
        table.append((second, {name: fold(name, by_source.values()) for name, by_source in latest.items()}))
    columns = sorted({name for _, values in table for name in values})
    yield csv_line(("second", "seconds", *columns))
    for second, values in table:
        yield csv_line((second, width, *(_number(values.get(name)) for name in columns)))


def _width(timeline: Timeline) -> int:
    return max(1, round(timeline.longest), -int(-(timeline.ended - timeline.started) // _BINS))


def _binned(timeline: Timeline, width: int) -> Iterator[tuple[int, Iterator[Interval]]]:
    """Yield the intervals by the bin that contains their middle, in order."""

    def number(row: Interval) -> int:
        return max(0, int((row["at"] + row["seconds"] / 2 - timeline.started) // width))

    return ((of * width, rows) for of, rows in groupby(timeline.in_order(), number))


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.3f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
