"""What each worker of a run has contributed, and what is missing if it died. Pure; times are arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypedDict

from nakama_bots.results.record.timeline import Interval

COMPLETE: Final = "complete"
MISSING: Final = "missing"
"""The states of a worker at the end: its last figures have arrived, or not."""


class ReportHead(TypedDict):
    """The sender of a report; ``number`` counts the reports of a run from 1."""

    number: int
    index: int
    host: str
    pid: int


class WorkerReport(ReportHead):
    """The content of a report: the intervals since the previous report."""

    intervals: list[Interval]


class WorkerPart(TypedDict):
    """One worker. Times are seconds of the run; ``counts`` and ``calls`` are its contribution.

    ``joined_s`` is when its figures start, ``figures_until_s`` when they end; null if there are none.
    ``report_age_s`` is the age of its last report at the end. ``lost_reports`` did not arrive in between.
    ``missing`` describes what is not among the figures of the run, "" if nothing is.
    """

    id: str
    index: int
    host: str
    pid: int
    state: str
    joined_s: float | None
    figures_until_s: float | None
    report_age_s: float | None
    reports: int
    lost_reports: int
    calls: int
    counts: dict[str, int]
    missing: str


@dataclass(slots=True)
class WorkerRecord:
    """A worker as the master sees it during a run. ``index`` is the index in the names of its accounts."""

    id: str
    index: int
    host: str = ""
    pid: int = 0
    reports: int = 0
    lost: int = 0
    last_report: float | None = None
    first: float | None = None
    until: float | None = None
    calls: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    said: int | None = None

    def introduce(self, head: ReportHead) -> None:
        """Note host and process of the worker."""
        self.host, self.pid = head["host"], head["pid"]

    def hear(self, report: ReportHead, now: float) -> None:
        """Note a report at ``now`` (monotonic seconds); its intervals are added one by one."""
        self.introduce(report)
        self.lost += max(0, report["number"] - self.reports - self.lost - 1)
        self.reports += 1
        self.last_report = now

    def add(self, interval: Interval, calls: int) -> None:
        """Count an interval that is now among the figures of the run; ``calls`` is its number of calls."""
        begun, ended = interval["at"], interval["at"] + interval["seconds"]
        self.first = begun if self.first is None else min(self.first, begun)
        self.until = ended if self.until is None else max(self.until, ended)
        self.calls += calls
        for name, number in interval["recorded"]["counts"].items():
            self.counts[name] = self.counts.get(name, 0) + number

    def end(self, reports: int) -> None:
        """Note that the worker has stopped after sending this many reports in total."""
        self.said = reports
        self.lost = max(self.lost, reports - self.reports)

    def part(self, *, started: float, now: float) -> WorkerPart:
        """Return its part of the summary; ``started`` in seconds since 1970, ``now`` as for ``hear``."""
        until = None if self.until is None else round(max(0.0, self.until - started), 3)
        age = None if self.last_report is None else round(now - self.last_report, 3)
        return {
            "id": self.id,
            "index": self.index,
            "host": self.host,
            "pid": self.pid,
            "state": COMPLETE if self.said is not None and not self.lost else MISSING,
            "joined_s": None if self.first is None else round(max(0.0, self.first - started), 3),
            "figures_until_s": until,
            "report_age_s": age,
            "reports": self.reports,
            "lost_reports": self.lost,
            "calls": self.calls,
            "counts": dict(sorted(self.counts.items())),
            "missing": self._missing(until),
        }

    def _missing(self, until: float | None) -> str:
        parts = []
        if self.said is None:
            parts.append("all of its figures" if until is None else f"its figures after second {until:.1f}")
        if self.lost:
            parts.append(f"{self.lost} reports that did not arrive")
        return " and ".join(parts)
