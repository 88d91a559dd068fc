"""Charts as data, and drawn as SVG by pygal: colours and fonts are the page's, nothing in it is dynamic."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final
from xml.etree import ElementTree as ET

import pygal

from nakama_bots.results.show.report import axes

# pygal adds a finder of plugins to every import of the process, of a kind that Python has dropped.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

WIDTH: Final = 640
HEIGHT: Final = 210
MOST_LINES: Final = 8
"""As many colours as the page has."""

_DOTS: Final = 45
"""With fewer points to a line each has a dot: a line would hide how little there is."""

_NUMBER: Final = re.compile(r"\d+\.\d{2,}")
_UNSEEN: Final = ("text-overlay", "tooltip-overlay", "titles")
_UNSEEN_TAGS: Final = (ET.Comment, "defs", "title", "desc")


class X(Enum):
    """What the horizontal axis is."""

    TIME = auto()
    """Seconds after the start."""
    PERCENTILE = auto()
    """Percent, by nines."""


@dataclass(frozen=True, slots=True)
class Line:
    """``points`` in the order of x, without those that have no value."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one axis; ``unit`` of the values, ``seconds`` the length of a time axis."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    x: X = X.TIME
    seconds: float = 0.0
    log: bool = False
    note: str = ""
    values: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        values = tuple(value for line in self.lines for _, value in line.points)
        object.__setattr__(self, "values", values)

    @property
    def xs(self) -> list[float]:
        """Every x at which some line has a value, in order."""
        return sorted({place for line in self.lines for place, _ in line.points})

    def x_text(self, place: float) -> str:
        """An x for the table."""
        return axes.clock(place) if self.x is X.TIME else f"p{place:g}"

    def table(self) -> list[list[str]]:
        """A row for each x: its text, then each line's value."""
        found = [dict(line.points) for line in self.lines]
        return [[self.x_text(place), *(number(points.get(place)) for points in found)] for place in self.xs]

    def told(self) -> str:
        """What a person who cannot see it is told first."""
        ends = [
            f"{line.name} from {number(min(values))} to {number(max(values))}"
            for line in self.lines
            if (values := [value for _, value in line.points])
        ]
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.title}{unit}: {'; '.join(ends) or 'no data'}"


def number(value: float | None) -> str:
    """For a table: "" for none."""
    if value is None:
        return ""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def draw(charts: Sequence[Chart], identity: str) -> list[str]:
    """Each chart as SVG, all with the same vertical axis, so that runs can be compared by eye."""
    values = [value for chart in charts for value in chart.values]
    vertical = _vertical(values, log=any(chart.log for chart in charts))
    return [_draw(chart, vertical, f"{identity}-{position}") for position, chart in enumerate(charts)]


def _vertical(values: Iterable[float], *, log: bool) -> axes.Axis:
    if not log:
        return axes.linear_axis(max(values, default=0.0))
    positive = [value for value in values if value > 0]
    return axes.log_axis(min(positive, default=1.0), max(positive, default=10.0))


def _draw(chart: Chart, vertical: axes.Axis, identity: str) -> str:
    horizontal = (
        axes.time_axis(chart.seconds)
        if chart.x is X.TIME
        else axes.percentile_axis(max(chart.xs, default=99.0))
    )
    dots = max((len(line.points) for line in chart.lines), default=0) < _DOTS
    drawn: Any = pygal.XY(
        width=WIDTH, height=HEIGHT, margin=6, show_legend=False, show_dots=dots, dots_size=2, css=[], js=[],
        xrange=(horizontal.low, horizontal.high), range=(vertical.low, vertical.high),
    )  # fmt: skip
    drawn.uuid = identity
    drawn.x_labels = [{"value": place, "label": text} for place, text in horizontal.ticks]
    drawn.y_labels = [{"value": place, "label": text} for place, text in vertical.ticks]
    for line in chart.lines:
        drawn.add(line.name, [_place(chart, point, vertical) for point in line.points])
    tree = drawn.render_tree()
    # For the page's script: where each row of the table is, told from where the ticks have come to be.
    found = [float(text.get("x", "0")) for text in tree.iterfind(".//*[@class='axis x']//text")]
    (first, _), (last, _) = horizontal.ticks[0], horizontal.ticks[-1]
    scale = (found[-1] - found[0]) / (last - first)
    places = (found[0] + (_across(chart, place) - first) * scale for place in chart.xs)
    tree.set("data-places", " ".join(f"{place:.0f}" for place in places))
    return _cleaned(tree, chart)


def _place(chart: Chart, point: tuple[float, float], vertical: axes.Axis) -> tuple[float, float]:
    place, value = point
    across = _across(chart, place)
    if not chart.log:
        return across, value
    # pygal's own logarithm would be of both axes. What is 0 stands at the foot.
    return across, math.log10(value) if value > 0 else vertical.low


def _across(chart: Chart, place: float) -> float:
    return place if chart.x is X.TIME else axes.percentile_place(place)


def _cleaned(tree: ET.Element, chart: Chart) -> str:
    """Without pygal's style, script and layers for a mouse, which are most of its size."""
    for parent in list(tree.iter()):
        for child in list(parent):
            if _is_unseen(child):
                parent.remove(child)
        for name in ("d", "x", "y", "cx", "cy", "width", "height"):
            text = parent.get(name)
            if text is not None:
                parent.set(name, _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", text))
    tree.set("role", "img")
    tree.set("aria-label", chart.told())
    return ET.tostring(tree, encoding="unicode")


def _is_unseen(child: ET.Element) -> bool:
    classes = child.get("class", "")
    # A comment's tag is a function.
    return child.tag in _UNSEEN_TAGS or any(word in classes for word in _UNSEEN)
