"""What the server's metrics say about the time of a call: between two scrapes, or two of its reports. Pure.

The process's own figures and Nakama's summaries are current at a scrape. Nakama reports the database's figures
once per minute by default, whenever they are scraped: the report at which its counts of messages, requests and
bytes changed is the first that can contain a call before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from nakama_bots.results.record import gauges
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.server.metrics import report_places, server_figures

_SHOWN: Final = {
    "cpu": ("CPU", GAUGES[gauges.CPU]),
    "latency_p99": ("latency p99", GAUGES[gauges.HUB_LAG]),
    "matchmaker_process_p99": ("matchmaker process p99", GAUGES[gauges.HUB_LAG]),
    "presence_event_p99": ("presence event p99", GAUGES[gauges.HUB_LAG]),
    "db_connections": ("database connections", GAUGES[gauges.USERS]),
    "goroutines": ("goroutines", GAUGES[gauges.USERS]),
    "matches": ("matches", GAUGES[gauges.USERS]),
}
_NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class _Scrape:
    """One scrape: it covers ``begin`` to ``end``, in seconds since 1970; ``values`` by the figure's name."""

    begin: float
    end: float
    values: dict[str, float]


class Scrapes:
    """The scrapes of a run, whose times are shown relative to ``started``."""

    def __init__(self, rows: Iterable[Interval], started: float) -> None:
        self._started = started
        found = [_Scrape(row["at"], row["at"] + row["seconds"], server_figures(row)) for row in rows]
        self._scrapes = sorted(found, key=lambda scrape: scrape.end)
        reports = report_places([scrape.values for scrape in self._scrapes])
        self._reports = [self._scrapes[place] for place in reports]

    def lines(self, first: float, last: float) -> list[str]:
        """Return the lines about a call from ``first`` to ``last``, in seconds since 1970."""
        around = [scrape for scrape in self._scrapes if scrape.begin <= last and scrape.end >= first]
        if not around:
            return [f"server then: {_NOT_MEASURED}"]
        shown = []
        for name, (words, gauge) in _SHOWN.items():
            values = [scrape.values[name] for scrape in around if name in scrape.values]
            if values:
                shown.append(f"{words} {gauge.show(max(values))}")
        then = f"server then: {', '.join(shown) or _NOT_MEASURED}"
        before = self._before(first) or around[0]
        if before is around[-1]:
            return [then, f"server between the scrapes: {_NOT_MEASURED}, the call was before the first"]
        figures = (
            f"garbage collection {_times(before, around[-1], 'gc_pauses', 'gc_seconds')}",
            f"matchmaker {_times(before, around[-1], 'matchmaker_runs', 'matchmaker_seconds')}",
            f"match loop {_NOT_MEASURED}",  # Nakama has no metric of it
        )
        between = f"{self._at(before)} and {self._at(around[-1])}"
        return [
            then,
            f"server between the scrapes at {between}: {', '.join(figures)}",
            f"database wait {self._database(first, last)}",
        ]

    def _database(self, first: float, last: float) -> str:
        before = [scrape for scrape in self._reports if scrape.end <= first] or self._reports[:1]
        reported = (one for one in self._reports if one.end >= last and one.end > before[-1].end)
        after = next(reported, None)
        if "db_waits" not in self._scrapes[-1].values:
            return _NOT_MEASURED
        if after is None:
            return "not reported before the run ended"
        waited = _times(before[-1], after, "db_waits", "db_wait_seconds")
        return f"{waited}, between the server's reports at {self._at(before[-1])} and {self._at(after)}"

    def _before(self, first: float) -> _Scrape | None:
        """Return the last scrape that ended before ``first``."""
        return next((scrape for scrape in reversed(self._scrapes) if scrape.end < first), None)

    def _at(self, scrape: _Scrape) -> str:
        return f"{scrape.end - self._started:,.1f} s"


def _times(before: _Scrape, after: _Scrape, number: str, seconds: str) -> str:
    """Return how often and how long something happened between two scrapes; both count from the start."""
    grown = []
    for name in (number, seconds):
        if name not in after.values:
            return _NOT_MEASURED
        grown.append(max(0.0, after.values[name] - before.values.get(name, 0.0)))
    return f"{grown[0]:,.0f} {'time' if grown[0] == 1 else 'times'}, {grown[1] * 1e3:,.1f} ms"
