"""The finished runs of a process, for a page: the verdict, the totals and the files of each."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.latency import Latency
from nakama_bots.results.summary import ErrorPart, Summary, ended


class SlowestPart(TypedDict):
    """The round trip with the highest p95, in milliseconds."""

    name: str
    p95_ms: float


class TotalsPart(TypedDict):
    """A whole run. ``seconds`` is its length, ``calls`` are without those that its end cut off."""

    users: int
    seconds: float
    calls: int
    failures: int
    matches: int
    slowest: SlowestPart | None
    errors: list[ErrorPart]


class EndedRun(TypedDict):
    """A finished run. ``name`` and ``path`` are its folder's, "" if it has none; ``files`` those in it.

    ``totals`` is null if the verdict could not be computed.
    """

    name: str
    path: str
    files: list[str]
    verdict: VerdictPart
    totals: TotalsPart | None


class EndedRuns:
    """The runs that have ended, newest first; at most ``most``, as a process may run for weeks."""

    def __init__(self, most: int = 50) -> None:
        self.parts: list[EndedRun] = []
        self._most = most
        self._folders: dict[str, Path] = {}

    def add(self, verdict: VerdictPart, summary: Summary | None, folder: Path | None) -> None:
        """Add a run that has just ended."""
        part: EndedRun = {
            "name": "", "path": "", "files": [], "verdict": verdict,
            "totals": _totals(summary) if summary is not None else None,
        }  # fmt: skip
        if folder is not None:
            part |= {"name": folder.name, "path": str(folder.absolute())}
            self._folders[folder.name] = folder
            if folder.is_dir():  # a user may have removed it already
                part["files"] = sorted(file.name for file in folder.iterdir())
        self.parts.insert(0, part)
        del self.parts[self._most :]
        listed = {part["name"] for part in self.parts}
        self._folders = {known: path for known, path in self._folders.items() if known in listed}

    def folder(self, name: str) -> Path | None:
        """Return the folder of a listed run; None if there is no such run."""
        return self._folders.get(name)


def _totals(summary: Summary) -> TotalsPart:
    calls = summary["calls"]
    return {
        "users": summary["run"]["users"],
        "seconds": summary["run"]["duration_s"],
        "calls": sum(map(ended, calls)),
        "failures": sum(call["failures"] for call in calls),
        "matches": summary["matchmaking"]["matches_played"],
        "slowest": _slowest({call["name"]: call["ok_ms"] for call in calls if call["kind"] == "WS"}),
        "errors": summary["errors"],
    }


def _slowest(times: dict[str, Latency]) -> SlowestPart | None:
    measured: list[SlowestPart] = [
        {"name": name, "p95_ms": found["p95"]}
        for name, found in times.items()
        if found["count"] and found["p95"] is not None
    ]
    return max(measured, key=lambda part: part["p95_ms"], default=None)
