"""A history as text for a terminal and as a self-contained page with sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from nakama_bots.results.compare.history import (
    FEWEST_RUNS,
    LIBRARY,
    Change,
    FigureHistory,
    can_detect,
    ways_of_timing,
    when,
)
from nakama_bots.results.show.report.page import template
from nakama_bots.results.show.text import shorten

_BARS: Final = "▁▂▃▄▅▆▇█"
_NAME: Final = 44
_WIDTH, _HEIGHT = 240.0, 40.0


def history_text(figures: Sequence[FigureHistory], last: int) -> str:
    """Return a line per figure over its ``last`` runs, each change below it, and what could not be judged."""
    lines = []
    for figure in figures:
        shown = figure.values[-last:]
        name = shorten(figure.subject, _NAME).ljust(_NAME)
        lines.append(f"{name} {sparkline(shown).rjust(min(last, 30))} {shown[-1]:>10,.2f} {unit(figure)}")
        lines += [f"  changed at {when(figure.runs[change.index])}: {described(change, figure)}"
                  for change in figure.changes or ()]  # fmt: skip
    lines += [verdict(figures), *warnings(figures)]
    return "\n".join(lines)


def verdict(figures: Sequence[FigureHistory]) -> str:
    """Return how many figures changed, and how many could not be judged."""
    if not can_detect():
        return f"change points: not searched for ({LIBRARY} is missing: pip install 'nakama_bots[history]')"
    changed = sum(bool(figure.changes) for figure in figures)
    short = sum(figure.changes is None for figure in figures)
    note = f"; {short} have fewer than {FEWEST_RUNS} runs and were not judged" if short else ""
    return f"{changed} of {len(figures)} figures changed{note}"


def warnings(figures: Sequence[FigureHistory]) -> list[str]:
    """Return why figures may change although the server is the same."""
    return [
        f"the runs were not all timed in the same way: {what}: "
        + ", ".join(f"{number} {way}" for way, number in ways.items())
        for what, ways in ways_of_timing(figures).items()
        if len(ways) > 1
    ]


def described(change: Change, figure: FigureHistory) -> str:
    """``+12.0 % (10.10 -> 11.31 ms)``."""
    return f"{change.share * 100:+.1f} % ({change.before:,.2f} -> {change.after:,.2f} {unit(figure)})"


def unit(figure: FigureHistory) -> str:
    """``ms``, or ``%`` for failures."""
    return "%" if figure.subject.endswith(" failures") else "ms"


def sparkline(values: Sequence[float]) -> str:
    """Return the last 30 values as bars between the smallest and the largest."""
    values = values[-30:]
    low, high = min(values), max(values)
    span = high - low or 1.0
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in values)


def polyline(values: Sequence[float]) -> Markup:
    """Return the points of an SVG polyline over all values, from 0 up."""
    high = max(values) or 1.0
    step = _WIDTH / max(1, len(values) - 1)
    points = (
        f"{number * step:.1f},{_HEIGHT - value / high * (_HEIGHT - 4):.1f}"
        for number, value in enumerate(values)
    )
    return Markup(" ".join(points))  # noqa: S704 - numbers only, however many


def history_page(figures: Sequence[FigureHistory], title: str) -> str:
    """Return the HTML page; changed figures come first."""
    return template("history.html.j2").render(
        figures=sorted(figures, key=lambda figure: not figure.changes),
        title=title,
        verdict=verdict(figures),
        warnings=warnings(figures),
        width=_WIDTH,
        height=_HEIGHT,
        step=lambda figure: _WIDTH / max(1, len(figure.values) - 1),
        polyline=polyline,
        described=described,
        unit=unit,
        when=when,
    )
