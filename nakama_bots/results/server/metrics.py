"""The server's own metrics over a run, as gauges of the time line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from nakama_bots.results.record.timeline import SERVER_PREFIX, Interval
from nakama_bots.results.server.page import read_page

LIMIT: Final = 8 * 1024 * 1024
"""Bytes above which an answer does not count as a metrics page."""


_REPORTED: Final = ("messages", "requests", "received_bytes", "sent_bytes")


def report_places(reads: Sequence[Mapping[str, float]]) -> list[int]:
    """Return the places of ``reads``, oldest first, that have a new report of the server's own counters.

    The first read has the last report of before the run.
    """
    reports = [tuple(values.get(name) for name in _REPORTED) for values in reads]
    return [place for place, found in enumerate(reports) if not place or found != reports[place - 1]]


def server_figures(row: Interval) -> dict[str, float]:
    """Return the figures of a read by name, without the prefix that they have in the time line."""
    return {name.removeprefix(SERVER_PREFIX): value for name, value in row["gauges"].items()}


class ServerFigure(TypedDict):
    """One gauge over the run, in its own unit: latencies in seconds, ``cpu`` in cores."""

    mean: float
    max: float
    last: float


class ServerPart(TypedDict):
    """The metrics of the server; ``url`` is "" if none were requested. ``error`` is the first failure."""

    url: str
    scrapes: int
    failures: int
    error: str
    gauges: dict[str, ServerFigure]


@dataclass(slots=True)
class _Figure:
    count: int = 0
    total: float = 0.0
    most: float = 0.0
    last: float = 0.0


@dataclass(slots=True)
class ServerMetrics:
    """The scrapes of ``url`` in a run. Counters are reported as increments since the first scrape."""

    url: str = ""
    scrapes: int = 0
    failures: int = 0
    error: str = ""
    _figures: dict[str, _Figure] = field(default_factory=dict)
    _base: dict[str, float] = field(default_factory=dict)
    _before: dict[str, float] = field(default_factory=dict)
    _cpu: tuple[float, float] | None = None

    def read(self, text: str, now: float) -> dict[str, float]:
        """Return the gauges of a scrape at ``now``, by name. Raises ``ValueError`` if it is no metrics page."""
        page = read_page(text)
        if not (page.levels or page.totals):
            raise ValueError("it contains no Nakama metrics")
        found = page.levels | self.grown(page.totals)
        if page.cpu is not None:
            if self._cpu is not None and now > self._cpu[1] and page.cpu >= self._cpu[0]:
                found["cpu"] = (page.cpu - self._cpu[0]) / (now - self._cpu[1])
            self._cpu = page.cpu, now
        return found

    def grown(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Return what each of ``totals``, which only grow, was increased by since the first scrape."""
        return {name: self._added(name, value) for name, value in totals.items()}

    def keep(self, found: Mapping[str, float]) -> dict[str, float]:
        """Count a scrape with these figures; return them under their names in the time line."""
        self.scrapes += 1
        named = {SERVER_PREFIX + name: value for name, value in found.items()}
        for name, value in named.items():
            figure = self._figures.setdefault(name, _Figure())
            figure.count += 1
            figure.total += value
            figure.most = max(figure.most, value)
            figure.last = value
        return named

    def failed(self, reason: str) -> bool:
        """Count a failed scrape; True if it is the first one."""
        self.failures += 1
        self.error = self.error or reason
        return self.failures == 1

    def part(self) -> ServerPart:
        """Return the part of the summary."""
        return {
            "url": self.url,
            "scrapes": self.scrapes,
            "failures": self.failures,
            "error": self.error,
            "gauges": {
                name: {
                    "mean": round(figure.total / figure.count, 6),
                    "max": round(figure.most, 6),
                    "last": round(figure.last, 6),
                }
                for name, figure in sorted(self._figures.items())
            },
        }

    def _added(self, metric: str, value: float) -> float:
        before = self._before.get(metric)
        if before is None:
            # Nakama has no metric of an event that has not happened yet: a new metric counts from zero.
            self._base[metric] = value if not self.scrapes else 0.0
        elif value < before:
            # The counter starts from zero again: the server was restarted.
            self._base[metric] -= before
        self._before[metric] = value
        return value - self._base[metric]
