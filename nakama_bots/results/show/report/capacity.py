"""The section of a report about a capacity search: its answer, its trials, and every figure over the load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from nakama_bots.exit_codes import Outcome
from nakama_bots.results.capacity.answer import conclusions
from nakama_bots.results.capacity.document import UNITS, Bound, CapacityPart, CurvePart, SamplePart
from nakama_bots.results.capacity.usl import throughput
from nakama_bots.results.gate.metrics import Unit
from nakama_bots.results.latency import shown_ms
from nakama_bots.results.record.gauges import unit_of
from nakama_bots.results.show.report.charts import MOST_LINES, Chart, ChartLine, Mark, X
from nakama_bots.results.show.report.generator import shown_as
from nakama_bots.results.show.report.parts import Items, Lines, Table
from nakama_bots.results.show.report.view import RunView

_MOST_CHARTS: Final = 40


@dataclass(slots=True)
class _Curve:
    """A chart in the making: by line and load, the values of all trials."""

    title: str
    unit: str
    log: bool
    lines: dict[str, dict[int, list[float]]] = field(default_factory=dict)


class _Curves(dict[str, _Curve]):
    """The charts over the load by key."""

    def add(
        self,
        key: str,
        title: str,
        unit: str,
        load: int,
        values: Mapping[str, float | None],
        *,
        log: bool = False,
    ) -> None:
        """Add what a trial has for the lines of a chart."""
        curve = self.setdefault(key, _Curve(title, unit, log))
        for name, value in values.items():
            if value is not None:
                curve.lines.setdefault(name, {}).setdefault(load, []).append(value)

    def add_times(self, rows: Iterable[tuple[int, str, CurvePart | SamplePart]]) -> None:
        """Add the percentiles of the first ``_MOST_CHARTS`` names."""
        names: set[str] = set()
        for load, name, times in rows:
            if name in names or len(names) < _MOST_CHARTS:
                names.add(name)
                percentiles = {"p50": times["p50"], "p95": times["p95"], "p99": times["p99"]}
                self.add(f"times {name}", name, "ms", load, percentiles, log=True)


def capacity(run: RunView) -> Items:
    """Return the answer of a search and its curves; nothing for other runs."""
    part = run.summary.get("capacity")
    if part is None:
        return {}
    marks = _marks(part)
    charts = {
        key: Chart(
            f"{curve.title} over {UNITS[part['unit']]}", curve.unit, _lines(curve)[:MOST_LINES], x=X.LOAD,
            log=curve.log, marks=marks,
        )
        for key, curve in _curves(part).items() if curve.lines
    }  # fmt: skip
    return {"answer": Lines(tuple(conclusions(part))), "trials": _trials(part), **charts}


def _curves(part: CapacityPart) -> _Curves:
    """Return what the trials that count measured: calls, rules, failures, times, and the mean of each gauge."""
    curves = _Curves()
    trials = [(trial["load"], trial) for trial in part["trials"] if trial["outcome"] != Outcome.INVALID]
    for load, trial in trials:
        law = {} if part["usl"] is None else {"scalability law": throughput(part["usl"], load)}
        curves.add("rate", "Successful calls", "per second", load, {"calls": trial["rate"], **law})
    for load, trial in trials:
        for rule in trial["rules"]:
            name, unit, limit = rule["name"], rule["unit"], rule["limit"]
            shown, factor = shown_as("share" if unit == Unit.RATIO else unit)
            values = {"measured": _scaled(rule["measured"], factor), "limit": limit * factor}
            curves.add(f"rule {name}", f"Rule: {name}", shown, load, values)
    for load, trial in trials:
        failures = float(sum(call["failures"] for call in trial["calls"]))
        curves.add("failures", "Failed calls", "", load, {"failures": failures})
    curves.add_times(
        (load, f"{call['kind']} {call['name']}", call) for load, trial in trials for call in trial["calls"]
    )
    curves.add_times((load, sample["name"], sample) for load, trial in trials for sample in trial["samples"])
    for load, trial in trials:
        for name, value in trial["gauges"].items():
            unit, factor = shown_as(unit_of(name))
            curves.add(f"gauge {name}", name, unit, load, {"mean": value * factor})
    return curves


def _lines(curve: _Curve) -> tuple[ChartLine, ...]:
    """Return the lines; several trials at a load are averaged."""
    return tuple(
        ChartLine(name, tuple((float(load), fmean(by_load[load])) for load in sorted(by_load)))
        for name, by_load in curve.lines.items()
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _marks(part: CapacityPart) -> tuple[Mark, ...]:
    """Return the capacity and its interval."""
    if part["bound"] != Bound.INTERVAL or part["value"] is None or part["low"] is None or part["high"] is None:
        return ()
    return (Mark("90 % interval", part["low"], part["high"]), Mark("capacity", part["value"], part["value"]))


def _trials(part: CapacityPart) -> Table:
    headers = ("trial", "outcome", "why", UNITS[part["unit"]], "calls per s", "processes", "s")
    rows = tuple(
        (str(number), trial["outcome"], "; ".join([*trial["why"], *trial["left"]]), f"{trial['load']:,}",
         shown_ms(trial["rate"]), str(trial["processes"]), f"{trial['seconds']:,.1f}")
        for number, trial in enumerate(part["trials"], 1)
    )  # fmt: skip
    return Table("Trials", headers, rows, left=3)
