"""Charts as data and as SVG: colours and fonts come from the page, nothing in it is dynamic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Final
from xml.etree import ElementTree as ET

from nakama_bots.results.show.report import axes

WIDTH: Final = 640
HEIGHT: Final = 210
MOST_LINES: Final = 8
"""The number of colours of the page."""

_DOTS: Final = 45
"""Lines with fewer points show a dot for each: a line would hide how little data there is."""

# Margins around the plot and within it, in SVG units.
_MARGIN: Final = 6
_FOOT: Final = 20
_GAP: Final = 5
_INSET: Final = 10
_LETTER: Final = 7
_HALF_LETTER: Final = 3.5


class X(Enum):
    """The kind of horizontal axis."""

    TIME = auto()
    """Seconds after the start."""
    PERCENTILE = auto()
    """Percent, by nines."""
    LOAD = auto()
    """Players or arrivals, by powers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the horizontal axis, or a span of it, across the whole chart."""

    name: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line; ``points`` in the order of x, only those that have a value."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one axis; ``unit`` of the values, ``seconds`` the length of a time axis."""

    title: str
    unit: str
    lines: tuple[ChartLine, ...]
    x: X = X.TIME
    seconds: float = 0.0
    log: bool = False
    note: str = ""
    marks: tuple[Mark, ...] = ()

    @property
    def values(self) -> list[float]:
        """The values of all lines."""
        return [value for line in self.lines for _, value in line.points]

    @property
    def xs(self) -> list[float]:
        """Return every x at which some line has a value, in order."""
        return sorted({place for line in self.lines for place, _ in line.points})

    @property
    def x_name(self) -> str:
        """The heading of the xs in the table."""
        return self.x.name.lower()

    def table(self) -> list[list[str]]:
        """Return a row per x: its text, then the value of each line."""
        found = [dict(line.points) for line in self.lines]
        text = {X.TIME: axes.clock, X.PERCENTILE: lambda place: f"p{place:g}", X.LOAD: number}[self.x]
        return [[text(place), *(number(points.get(place)) for points in found)] for place in self.xs]

    def description(self) -> str:
        """Return the text that a screen reader announces."""
        ends = [
            f"{line.name} from {number(min(values))} to {number(max(values))}"
            for line in self.lines
            if (values := [value for _, value in line.points])
        ]
        unit = f" in {self.unit}" if self.unit else ""
        marks = [
            f"{mark.name} {number(mark.first)}" + (f" to {number(mark.last)}" if mark.last > mark.first else "")
            for mark in self.marks
        ]
        return f"{self.title}{unit}: {'; '.join([*ends, *marks]) or 'no data'}"


def number(value: float | None) -> str:
    """Format a value for a table; "" for none."""
    if value is None:
        return ""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def draw(charts: Sequence[Chart], identity: str) -> list[str]:
    """Return each chart as SVG, all with the same vertical axis, so that runs can be compared by eye."""
    values = [value for chart in charts for value in chart.values]
    vertical = _vertical(values, log=any(chart.log for chart in charts))
    return [_draw(chart, vertical, f"{identity}-{position}") for position, chart in enumerate(charts)]


def _vertical(values: Iterable[float], *, log: bool) -> axes.Axis:
    if not log:
        return axes.linear_axis(max(values, default=0.0))
    positive = [value for value in values if value > 0]
    return axes.log_axis(min(positive, default=1.0), max(positive, default=10.0))


def _draw(chart: Chart, vertical: axes.Axis, identity: str) -> str:
    horizontal, measure = _horizontal(chart)
    left = _MARGIN + _GAP + _LETTER * max(len(text) for _, text in vertical.ticks)
    wide, high = WIDTH - left - _MARGIN, HEIGHT - _MARGIN - _FOOT
    across = partial(_scaled, horizontal, _INSET, wide - 2 * _INSET)
    down = partial(_scaled, vertical, high, -high)
    places = {place: across(measure(place)) for place in chart.xs}
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "id": f"chart-{identity}", "class": "drawn", "role": "img",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}", "aria-label": chart.description(),
            # For the script of the page: the place of each row of the table.
            "data-places": " ".join(f"{place:.0f}" for place in places.values()),
        },
    )  # fmt: skip
    plot = _add(svg, "g", "plot", transform=f"translate({left}, {_MARGIN})")
    _add(plot, "rect", "background", width=wide, height=high)
    _add_axes(plot, [(down(place), text) for place, text in vertical.ticks],
              [(across(place), text) for place, text in horizontal.ticks], wide, high)  # fmt: skip
    for mark in chart.marks:
        first, last = (across(measure(place)) for place in (mark.first, mark.last))
        _add(plot, "rect", "mark", x=f"{first:.1f}", width=f"{max(1.5, last - first):.1f}", height=high)
    dots = max((len(line.points) for line in chart.lines), default=0) < _DOTS
    # Draw the first line on top: p99 must not hide p95.
    for index, line in reversed(list(enumerate(chart.lines))):
        points = [(places[place], down(_up(chart, value, vertical))) for place, value in line.points]
        series = _add(plot, "g", f"series color-{index}")
        if len(points) > 1:
            _add(series, "path", "line", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points))
        for x, y in points if dots else ():
            _add(series, "circle", "dot", cx=f"{x:.1f}", cy=f"{y:.1f}", r=2)
    return ET.tostring(svg, encoding="unicode")


def _horizontal(chart: Chart) -> tuple[axes.Axis, Callable[[float], float]]:
    """Return the axis of the xs, and the place of an x on it."""
    if chart.x is X.TIME:
        return axes.time_axis(chart.seconds), float
    if chart.x is X.PERCENTILE:
        return axes.percentile_axis(max(chart.xs, default=99.0)), axes.percentile_place
    ends = [*chart.xs, *(place for mark in chart.marks for place in (mark.first, mark.last))]
    return axes.log_axis(min(ends, default=1.0), max(ends, default=10.0)), math.log10


def _add_axes(
    plot: ET.Element,
    rows: Sequence[tuple[float, str]],
    columns: Sequence[tuple[float, str]],
    wide: int,
    high: int,
) -> None:
    vertical = _add(plot, "g", "axis y")
    for y, text in rows:
        _add(vertical, "path", "line", d=f"M0 {y:.1f}h{wide}")
        _add(vertical, "text", "", x=-_GAP, y=f"{y + _HALF_LETTER:.1f}").text = text
    horizontal = _add(plot, "g", "axis x")
    _add(horizontal, "path", "line", d=f"M{_INSET} 0v{high}")
    for x, text in columns:
        _add(horizontal, "text", "", x=f"{x:.1f}", y=high + _FOOT - _GAP).text = text


def _add(parent: ET.Element, tag: str, kind: str, **attributes: object) -> ET.Element:
    given = {name: str(value) for name, value in attributes.items()}
    return ET.SubElement(parent, tag, {"class": kind, **given} if kind else given)


def _up(chart: Chart, value: float, vertical: axes.Axis) -> float:
    if not chart.log:
        return value
    # 0 is at the bottom.
    return math.log10(value) if value > 0 else vertical.low


def _scaled(axis: axes.Axis, start: float, length: float, place: float) -> float:
    """Return the position of ``place`` on a line that begins at ``start``."""
    return start + (place - axis.low) / (axis.high - axis.low) * length
