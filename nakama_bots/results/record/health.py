"""Whether the load generator was fast enough for its figures to be trusted. Pure.

A generator that cannot keep up measures its own delay as that of the server. Each process of a run reports once
per second how late its event loop was, and the values are compared with limits. A single stall or the rush at
the start does not count: a figure must exceed its limit for a share of the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Final, NotRequired, TypedDict

from nakama_bots.results.record import gauges
from nakama_bots.results.record.timeline import Interval
from nakama_bots.settings.health_limits import HealthLimits

TOO_SLOW: Final = "generator too slow"

FIGURES: Final[dict[str, str]] = {
    gauges.CPU: "CPU",
    gauges.CPU_OWN: "CPU in nakama_bots",
    gauges.CPU_LOCUST: "CPU in Locust",
    gauges.CPU_SCENARIO: "CPU in the scenario",
    gauges.LOOP_BUSY: "loop busy",
    gauges.HUB_LAG: "hub lag",
    gauges.HUB_LAG_MAX: "longest hub lag",
    gauges.RECEIVE_WAIT: "receive wait",
    gauges.RECEIVE_WAIT_MAX: "longest receive wait",
    gauges.RECEIVE_BACKLOG: "receive backlog",
    gauges.TICK_LATENESS: "tick lateness",
    gauges.MEMORY: "memory",
}
"""The gauges of the health of a process, with their names for display."""

JUDGED: Final = (gauges.CPU, gauges.LOOP_BUSY, gauges.HUB_LAG, gauges.RECEIVE_WAIT, gauges.TICK_LATENESS)
"""The figures that have a limit, under the same name."""

ALWAYS: Final = (gauges.CPU, gauges.LOOP_BUSY, gauges.HUB_LAG, gauges.RECEIVE_WAIT)
"""The figures that every second with users has; there are no ticks between two matches."""

MISSING: Final = 0.2
"""The largest share of the seconds of a process that a figure may lack and still count as measured."""

_CODE: Final = {gauges.CPU_OWN: "nakama_bots", gauges.CPU_LOCUST: "Locust", gauges.CPU_SCENARIO: "the scenario"}


class FigurePart(TypedDict):
    """One figure of a process over its seconds with users; ``over_s`` of them above the limit."""

    mean: float
    max: float
    over_s: float


class ProcessPart(TypedDict):
    """``source`` as in the time line; ``seconds`` with users; ``figures`` by the gauge's name.

    ``unmeasured`` are the ``FIGURES`` that are missing in more than ``MISSING`` of the seconds. Older
    summaries do not have it.
    """

    source: str
    seconds: float
    valid: bool
    unmeasured: NotRequired[list[str]]
    figures: dict[str, FigurePart]


class HealthPart(TypedDict):
    """The part of a summary about the generator, in the units of the gauges: seconds, bytes and cores."""

    valid: bool
    reasons: list[str]
    limits: dict[str, float]
    processes: list[ProcessPart]


@dataclass(slots=True)
class _HealthFigure:
    seconds: float = 0.0
    weighted: float = 0.0
    most: float = 0.0
    over: float = 0.0

    @property
    def mean(self) -> float:
        return self.weighted / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class _Process:
    seconds: float = 0.0
    figures: dict[str, _HealthFigure] = field(default_factory=dict)


class Health:
    """Adds up the reports of the processes row by row; the result is available at any time."""

    def __init__(self, limits: HealthLimits | None = None) -> None:
        self.limits = limits or HealthLimits()
        self._by_name = asdict(self.limits)
        self._processes: dict[str, _Process] = {}

    def add(self, row: Interval) -> None:
        """Add one interval. A process without users sends nothing and is not judged."""
        if not row["gauges"].get(gauges.USERS):
            return
        process = self._processes.setdefault(row["source"], _Process())
        process.seconds += row["seconds"]
        for name in FIGURES:
            if name not in row["gauges"]:
                continue
            value = row["gauges"][name]
            figure = process.figures.setdefault(name, _HealthFigure())
            figure.seconds += row["seconds"]
            figure.weighted += value * row["seconds"]
            figure.most = max(figure.most, value)
            limit = self._by_name.get(name, 0.0)
            if limit and value > limit:
                figure.over += row["seconds"]

    def lose(self, source: str, seconds: float) -> None:
        """Note that this many seconds of a process are unknown."""
        self._processes.setdefault(source, _Process()).seconds += seconds

    @property
    def reasons(self) -> list[str]:
        """Return why the generator was too slow, by process and figure; empty if it was not."""
        return [line for source in sorted(self._processes) for line in self._reasons(source)]

    def part(self) -> HealthPart:
        """Return the part of the summary."""
        reasons = self.reasons
        return {
            "valid": not reasons,
            "reasons": reasons,
            "limits": dict(self._by_name),
            "processes": [self._process(source) for source in sorted(self._processes)],
        }

    def _process(self, source: str) -> ProcessPart:
        process = self._processes[source]
        return {
            "source": source,
            "seconds": round(process.seconds, 3),
            "valid": not self._reasons(source),
            "unmeasured": self._unmeasured(source),
            "figures": {
                name: {
                    "mean": round(figure.mean, 6),
                    "max": round(figure.most, 6),
                    "over_s": round(figure.over, 3),
                }
                for name, figure in process.figures.items()
            },
        }

    def _unmeasured(self, source: str) -> list[str]:
        process = self._processes[source]
        least = (1 - MISSING) * process.seconds
        return [name for name in ALWAYS if process.figures.get(name, _HealthFigure()).seconds < least]

    def _reasons(self, source: str) -> list[str]:
        process = self._processes[source]
        return [
            self._reason(source, name, process)
            for name in JUDGED
            if name in process.figures and self._is_over(process.figures[name])
        ]

    def _is_over(self, figure: _HealthFigure) -> bool:
        # Counted over the seconds that had the figure: there are no ticks between two matches.
        return figure.over > 0 and figure.over >= max(self.limits.seconds, self.limits.share * figure.seconds)

    def _reason(self, source: str, name: str, process: _Process) -> str:
        figure = process.figures[name]
        show = gauges.GAUGES[name].show
        mean, most = show(figure.mean), show(figure.most)
        line = (
            f"{short_source(source)}: {FIGURES[name]} above {show(self._by_name[name])} "
            f"in {figure.over:.0f} of {figure.seconds:.0f} s (mean {mean}, most {most}"
        )
        if name in (gauges.CPU, gauges.LOOP_BUSY):
            spent = {code: process.figures[code].mean for code in _CODE if code in process.figures}
            busiest = max(spent, key=lambda code: spent[code], default="")
            if busiest:
                line += f"; CPU {show(spent[busiest])} in {_CODE[busiest]}"
        return line + ")"


def health_of(rows: Iterable[Interval], limits: HealthLimits | None = None) -> HealthPart:
    """Return the health of the generator over ``rows``; without rows it is valid."""
    health = Health(limits)
    for row in rows:
        health.add(row)
    return health.part()


def short_source(source: str) -> str:
    """Shorten the Locust id of a worker to the first digits of its random part."""
    host, _, number = source.rpartition("_")
    return f"{host}_{number[:6]}" if host and len(number) == 32 else source
