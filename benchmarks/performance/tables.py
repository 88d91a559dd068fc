"""The figures as text: tables for a terminal, and the same in Markdown for docs/performance.md."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.performance.growing import Step
from benchmarks.performance.report import Judged, Raw, failed, judged, middle, ratios
from benchmarks.performance.works import CONTESTANTS, OURS, WORKS, Limit

NOT_MEASURED: Final = "not measured"


def lines(raw: Raw, missing: Mapping[str, str]) -> list[str]:
    """Return the tables as lines for a terminal."""
    shown = []
    for work, outcomes in raw.items():
        units = WORKS[work].units
        shown += ["", f"{work}  {WORKS[work].title}"]
        for name, rounds in outcomes.items():
            cells = []
            for key, (label, divisor) in units.items():
                value = middle(rounds, key)
                cells.append(NOT_MEASURED if value is None else f"{_number(value / divisor)} {label}")
            ratio = judged(raw, Limit(work, 0.0, name, next(iter(units))))["value"]
            against = f"ours is {ratio:.2f} x" if ratio is not None and name != OURS else ""
            why = next((outcome["failed"] for outcome in rounds if "failed" in outcome), "")
            rates = [outcome["per_second"] for outcome in rounds if "per_second" in outcome]
            rate = f"{statistics.median(rates):,.0f}/s" if rates else ""
            shown.append(f"   {name:<17}{', '.join(cells):<34}{rate:>9}  {against:<16} {why}".rstrip())
    shown += [f"\nmissing: {name}: {why}" for name, why in missing.items()]
    return shown


def limit_lines(limits: Sequence[Judged]) -> list[str]:
    """Return what must be reached, and whether it was."""
    return [
        f"   {one['work']}  {one['what']:<28}{_shown(one['value']):>14}  at {_bound(one)}: {_verdict(one)}"
        for one in limits
    ]


def grown_lines(grown: Mapping[int, Sequence[Step]]) -> list[str]:
    """Return the steps of F as lines for a terminal."""
    shown = []
    for processes, steps in grown.items():
        shown += ["", f"F  players at 10 Hz in a run with {processes} process{'es' if processes > 1 else ''}"]
        for step in steps:
            late, cpu = step["lateness_p99_ms"], step["cpu"]
            cells = f"{NOT_MEASURED if late is None else f'{late:.1f} ms lateness p99'}"
            cores = "" if cpu is None else f"{cpu:.2f} cores"
            shown.append(f"   {step['players']:<17,}{cells:<34}{cores:>9}  {step['why'] or 'held'}")
    return shown


def markdown(raw: Raw, limits: Sequence[Judged]) -> list[str]:
    """Return the figures by contestant and work, ours as multiples of the others', and the limits."""
    columns = [(work, name, *unit) for work in raw for name, unit in WORKS[work].units.items()]
    names = [name for name in CONTESTANTS if any(name in outcomes for outcomes in raw.values())]
    figures = [
        [name, *(_cell(middle(raw[work].get(name, ()), key), divisor) for work, key, _, divisor in columns)]
        for name in names
    ]
    times = ratios(raw)
    multiples = [
        [name, *(_cell(times.get(work, {}).get(name)) for work in raw)] for name in names if name != OURS
    ]
    kept = [
        [one["work"], one["what"], f"at {_bound(one)}", _shown(one["value"]), _verdict(one)] for one in limits
    ]
    return [
        *_markdown(["", *(f"{work}, {label}" for work, _, label, _ in columns)], figures), "",
        *_markdown(["ours, as a multiple of", *raw], multiples), "",
        *_markdown(["work", "what", "limit", "measured", ""], kept),
    ]  # fmt: skip


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(value: float | None, divisor: float = 1.0) -> str:
    return "-" if value is None else _number(value / divisor)


def _bound(one: Judged) -> str:
    return f"{'least' if one['least'] else 'most'} {one['limit']:g}"


def _shown(value: float | None) -> str:
    return NOT_MEASURED if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _verdict(one: Judged) -> str:
    if one["value"] is None:
        return NOT_MEASURED
    return "not reached" if failed(one) else "ok"
