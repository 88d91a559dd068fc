"""The parts of a section: charts, tables, and how to build both from the bins of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nakama_bots.results.latency import Latency, milliseconds, shown_ms
from nakama_bots.results.record import sparse
from nakama_bots.results.show.report.charts import Chart, ChartLine, X, number
from nakama_bots.results.show.report.view import Bins, RunView

SHOWN: Final[dict[str, float]] = {"p50": 50.0, "p95": 95.0, "p99": 99.0}

_DISTRIBUTION: Final = (
    1.0, 5.0, 10.0, 25.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 96.0, 97.0, 98.0, 99.0,
    99.5, 99.9, 99.95, 99.99, 99.999,
)  # fmt: skip

_LATENCY_KEYS: Final = frozenset({"p50", "p95", "max", "count"})

LATENCY_HEADERS: Final = ("p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms")


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first ``left`` columns hold text, the others numbers."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text that are shown as they are."""

    lines: tuple[str, ...]


Item = Chart | Table | Lines
Items = Mapping[str, Item]
"""Items by a key that is the same for every run of a report, in display order."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section; ``items`` returns what a run shows. A section in which all runs are empty is left out."""

    identity: str
    title: str
    items: Callable[[RunView], Items]
    about: str = ""


def over_time(run: RunView, title: str, unit: str, rows: Mapping[str, Sequence[float | None]]) -> Chart:
    """Return a chart with a line for each row of values per bin."""
    lines = tuple(ChartLine(name, _points(run.bins, values)) for name, values in rows.items())
    return Chart(title, unit, lines, seconds=run.seconds)


def per_second(run: RunView, numbers: Sequence[int]) -> list[float | None]:
    """Return what was counted in each bin, per second."""
    return [number / run.bins.width for number in numbers]


def latency_over_time(run: RunView, title: str, bins: Mapping[str, Sequence[sparse.Buckets]]) -> Chart:
    """Return percentiles of each bin: ``p50``, or ``p50 name`` if there are several names."""
    lines = []
    for name, blocks in bins.items():
        found = [sparse.percentiles(block, SHOWN.values()) for block in blocks]
        for position, percentile in enumerate(SHOWN):
            values = [milliseconds(row[position]) for row in found]
            label = f"{percentile} {name}" if len(bins) > 1 else percentile
            lines.append(ChartLine(label, _points(run.bins, values)))
    return Chart(title, "ms", tuple(lines), seconds=run.seconds, log=True)


def distribution(title: str, names: Mapping[str, sparse.Buckets]) -> Chart:
    """Return the share of calls by their longest duration, on an axis of nines."""
    lines = []
    for name, buckets in names.items():
        count = sum(buckets.values())
        # Higher percentiles are the longest call.
        percents = [percent for percent in _DISTRIBUTION if count * (1 - percent / 100) >= 1] or [50.0]
        values = sparse.percentiles(buckets, percents)
        pairs = zip(percents, values, strict=True)
        points = tuple((percent, value * 1e3) for percent, value in pairs if value is not None)
        lines.append(ChartLine(name, points))
    return Chart(title, "ms", tuple(lines), x=X.PERCENTILE, log=True)


def figures(times: Latency) -> tuple[str, ...]:
    """Return the cells under ``LATENCY_HEADERS``."""
    return tuple(shown_ms(times[key]) for key in ("p50", "p90", "p95", "p99", "max"))


def times_table(title: str, rows: Mapping[str, Latency], first: str = "") -> Table:
    """Return a table of durations with a row for each name."""
    cells = tuple((name, f"{times['count']:,}", *figures(times)) for name, times in rows.items())
    return Table(title, (first, "count", *LATENCY_HEADERS), cells)


def facts(title: str, rows: Mapping[str, object], note: str = "") -> Table:
    """Return a table of names and values."""
    return Table(title, ("", ""), tuple((name, text(value)) for name, value in rows.items()), note=note)


def text(value: object) -> str:
    """Format a JSON value for display."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    return str(value)


def is_rows(part: object) -> bool:
    """Whether it is a non-empty list of objects."""
    return isinstance(part, list) and bool(part) and all(isinstance(row, dict) for row in part)


def rows_table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Return a table with a row per object and a column per key."""
    plain = [dict(flat(row)) for row in rows]
    headers = list(dict.fromkeys(key for row in plain for key in row))
    cells = tuple(tuple(text(row.get(key)) for key in headers) for row in plain)
    return Table(title, tuple(header.replace("_", " ") for header in headers), cells)


def flat(part: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return its plain values; a latency as p50, p95, p99 and max."""
    found: list[tuple[str, object]] = []
    for key, value in part.items():
        if isinstance(value, dict) and value.keys() >= _LATENCY_KEYS:
            found += [(f"{key} {name}", value[name]) for name in ("p50", "p95", "p99", "max")]
        elif isinstance(value, dict):
            found += [
                (f"{key} {name}", inner) for name, inner in value.items() if not isinstance(inner, dict | list)
            ]
        elif isinstance(value, list):
            if value and not is_rows(value):
                found.append((key, ", ".join(map(str, value))))
        else:
            found.append((key, number(float(value)) if isinstance(value, float) else value))
    return found


def _points(bins: Bins, values: Sequence[float | None]) -> tuple[tuple[float, float], ...]:
    return tuple((bins.middle(place), value) for place, value in enumerate(values) if value is not None)
