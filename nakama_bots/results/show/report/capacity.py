"""The section of a report about a capacity search: its answer, its trials, and every figure over the load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Final, Literal

from nakama_bots.exit_codes import Outcome
from nakama_bots.results.capacity.answer import conclusions
from nakama_bots.results.capacity.document import UNITS, Bound, CapacityPart, CurvePart, SamplePart
from nakama_bots.results.capacity.usl import throughput
from nakama_bots.results.gate.metrics import Unit
from nakama_bots.results.latency import shown_ms
from nakama_bots.results.record.gauges import unit_of
from nakama_bots.results.show.report.charts import MOST_LINES, Chart, ChartLine, Mark, X
from nakama_bots.results.show.report.generator import shown_as
from nakama_bots.results.show.report.parts import Item, Items, Lines, Table
from nakama_bots.results.show.report.view import RunView

_MOST_CHARTS: Final = 40
_PERCENTILES: Final[tuple[Literal["p50", "p95", "p99"], ...]] = ("p50", "p95", "p99")

_Points = Iterable[tuple[int, float | None]]


def capacity(run: RunView) -> Items:
    """Return the answer of a search and its curves; nothing for other runs."""
    part = run.summary.get("capacity")
    if part is None:
        return {}
    curves = _Curves(part)
    charts: dict[str, Item] = {**curves.rate(), **curves.rules(), **curves.calls(), **curves.samples()}
    charts |= curves.gauges()
    shown = {key: chart for key, chart in charts.items() if isinstance(chart, Chart) and chart.values}
    return {"answer": Lines(tuple(conclusions(part))), "trials": _trials(part), **shown}


class _Curves:
    """Charts over the load; several trials at a load are averaged, invalid ones left out."""

    def __init__(self, part: CapacityPart) -> None:
        self._law = part["usl"]
        self._unit = UNITS[part["unit"]]
        self._trials = [trial for trial in part["trials"] if trial["outcome"] != Outcome.INVALID]
        self._marks = _marks(part)

    def rate(self) -> Items:
        """Return the throughput, with the scalability law."""
        lines = [_line("calls", ((trial["load"], trial["rate"]) for trial in self._trials))]
        if self._law is not None:
            points = [(trial["load"], throughput(self._law, trial["load"])) for trial in self._trials]
            lines.append(_line("scalability law", points))
        return {"rate": self._chart("Successful calls", "per second", lines)}

    def rules(self) -> Items:
        """Return what each rule of the gate measured, and its limit."""
        items: dict[str, Item] = {}
        found = [(trial["load"], rule) for trial in self._trials for rule in trial["rules"]]
        for name, unit in dict.fromkeys((rule["name"], rule["unit"]) for _, rule in found):
            shown, factor = shown_as("share" if unit == Unit.RATIO else unit)
            of = [(load, rule) for load, rule in found if rule["name"] == name]
            measured = ((load, _scaled(rule["measured"], factor)) for load, rule in of)
            limits = ((load, rule["limit"] * factor) for load, rule in of)
            lines = [_line("measured", measured), _line("limit", limits)]
            items[f"rule {name}"] = self._chart(f"Rule: {name}", shown, lines)
        return items

    def calls(self) -> Items:
        """Return the failures of all calls, and the times of each."""
        found = [(trial["load"], call) for trial in self._trials for call in trial["calls"]]
        failures = [
            (trial["load"], float(sum(call["failures"] for call in trial["calls"]))) for trial in self._trials
        ]
        items: dict[str, Item] = {"failures": self._chart("Failed calls", "", [_line("failures", failures)])}
        items |= self._times([(load, f"{call['kind']} {call['name']}", call) for load, call in found])
        return items

    def samples(self) -> Items:
        """Return the durations that are not calls."""
        return self._times(
            [(trial["load"], sample["name"], sample) for trial in self._trials for sample in trial["samples"]]
        )

    def gauges(self) -> Items:
        """Return the mean of each gauge, of the generator and of the server."""
        items: dict[str, Item] = {}
        for name in dict.fromkeys(name for trial in self._trials for name in trial["gauges"]):
            unit, factor = shown_as(unit_of(name))
            points = ((trial["load"], _scaled(trial["gauges"].get(name), factor)) for trial in self._trials)
            items[f"gauge {name}"] = self._chart(name, unit, [_line("mean", points)])
        return items

    def _times(self, rows: list[tuple[int, str, CurvePart | SamplePart]]) -> Items:
        items: dict[str, Item] = {}
        for name in list(dict.fromkeys(name for _, name, _ in rows))[:_MOST_CHARTS]:
            of = [(load, times) for load, found, times in rows if found == name]
            lines = [_line(each, [(load, times[each]) for load, times in of]) for each in _PERCENTILES]
            items[f"times {name}"] = self._chart(name, "ms", lines, log=True)
        return items

    def _chart(self, title: str, unit: str, lines: list[ChartLine], *, log: bool = False) -> Chart:
        return Chart(
            f"{title} over {self._unit}", unit, tuple(lines[:MOST_LINES]), x=X.LOAD, log=log, marks=self._marks
        )


def _line(name: str, points: _Points) -> ChartLine:
    by_load: dict[int, list[float]] = defaultdict(list)
    for load, value in points:
        if value is not None:
            by_load[load].append(value)
    return ChartLine(name, tuple((float(load), fmean(by_load[load])) for load in sorted(by_load)))


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
