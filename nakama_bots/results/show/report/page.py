"""The page: the sections of all runs side by side, filled into the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from nakama_bots.errors import safe_text
from nakama_bots.ledger import Ledger
from nakama_bots.results.compare import comparison_text
from nakama_bots.results.compare.comparison import Comparison
from nakama_bots.results.show.report.charts import MOST_LINES, Chart, draw
from nakama_bots.results.show.report.parts import Item, Lines, Section, Table
from nakama_bots.results.show.report.sections import BAR, SECTIONS
from nakama_bots.results.show.report.view import RunView

BAD: Final = frozenset({"failed", "failures", "lost", "missed"})
"""Columns in which every number except 0 is a problem."""
OPEN: Final = frozenset({"capacity", "load", "realtime", "matchmaking", "delivery", "errors"})
"""Sections that are open initially."""
FIRST: Final = 4
"""Rows of a section that are shown initially."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a run has of a row, None if it has nothing; ``svg`` is the drawn chart."""

    item: Item | None
    svg: Markup | None = None


_LONGEST_TEXT: Final = 10_000


@dataclass(frozen=True, slots=True)
class PageRow:
    """The same item of every run. ``wide``: it has the full width; ``merged``: one chart of all runs."""

    cells: tuple[Cell, ...]
    wide: bool
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A section with the items of all runs."""

    section: Section
    rows: tuple[PageRow, ...]


def render(runs: Sequence[RunView], comparison: Comparison | None = None) -> str:
    """Return the page for at least one run; ``comparison`` belongs to the first."""
    return template("report.html.j2").render(
        runs=runs,
        title=" / ".join(run.label for run in runs),
        tiles=[_tiles(run) for run in runs],
        filled=[filled for section in SECTIONS if (filled := _fill(section, runs)).rows],
        comparison=comparison,
        text=comparison_text,
        not_judged=comparison_text.not_judged(comparison) if comparison is not None else [],
        BAR=BAR,
        BAD=BAD,
        OPEN=OPEN,
        FIRST=FIRST,
    )


@cache
def template(name: str) -> Template:
    """Return a template of this folder, with every value escaped."""
    environment = Environment(
        loader=PackageLoader("nakama_bots.results.show.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {
        "a_table": lambda item: isinstance(item, Table),
        "lines": lambda item: isinstance(item, Lines),
    }
    return environment.get_template(name)


def _shown(value: object) -> object:
    """Escape a value for the page: text may come from a server. Markup is always our own."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return safe_text(value, _LONGEST_TEXT)
    return value


def _fill(section: Section, runs: Sequence[RunView]) -> Filled:
    of_runs = [section.items(run) for run in runs]
    keys = dict.fromkeys(key for items in of_runs for key in items)
    labels = [run.label for run in runs]
    rows = tuple(_row(of_runs, key, f"{section.identity}-{place}", labels) for place, key in enumerate(keys))
    return Filled(section, rows)


def _row(of_runs: Sequence[Mapping[str, Item]], key: str, identity: str, labels: Sequence[str]) -> PageRow:
    items = [items.get(key) for items in of_runs]
    together = _overlay(items, labels)
    if together is not None:
        (svg,) = draw([together], identity)
        return PageRow((Cell(together, Markup(svg)),), wide=False, merged=True)  # noqa: S704 - our own SVG
    drawn = iter(draw([item for item in items if isinstance(item, Chart)], identity))
    cells = tuple(
        Cell(item, Markup(next(drawn)) if isinstance(item, Chart) else None)  # noqa: S704 - our own SVG
        for item in items
    )
    wide = any(isinstance(item, Lines) or (isinstance(item, Table) and len(item.headers) > 4) for item in items)
    return PageRow(cells, wide)


def _overlay(items: Sequence[Item | None], labels: Sequence[str]) -> Chart | None:
    """Return one chart with the lines of several runs; None for a single run, tables, or too many lines.

    If there are too many lines, only those called p95 are shown.
    """
    charts = [(label, item) for label, item in zip(labels, items, strict=True) if isinstance(item, Chart)]
    if len(items) < 2 or len(charts) < len(items):
        return None
    lines = [(label, line) for label, chart in charts for line in chart.lines]
    if len(lines) > MOST_LINES:
        lines = [(label, line) for label, line in lines if line.name == "p95"]
    if not 0 < len(lines) <= MOST_LINES:
        return None
    named = tuple(replace(line, name=f"{label}: {line.name}") for label, line in lines)
    first = charts[0][1]
    seconds = max(chart.seconds for _, chart in charts)
    return Chart(first.title, first.unit, named, first.x, seconds, first.log, first.note)


def _tiles(run: RunView) -> list[tuple[str, str]]:
    summary = run.summary
    calls = sum(call["count"] for call in summary["calls"])
    failures = sum(call["failures"] for call in summary["calls"])
    seconds = summary["run"]["duration_s"]
    ledger = Ledger.from_counts(summary["counts"])
    balanced = "balanced" if ledger.balanced else f"{ledger.pending:+,} PENDING"
    return [
        ("duration", f"{seconds:,.1f} s"),
        ("users", f"{summary['run']['users']:,}"),
        ("calls", f"{calls:,}"),
        ("calls per second", f"{calls / seconds if seconds else 0.0:,.1f}"),
        ("failed", f"{failures:,} ({failures / calls if calls else 0.0:.2%})"),
        ("cid ledger", f"{ledger.sent:,} sent, {balanced}"),
    ]
