"""The figures of many runs in one store, and the points at which they changed.

A store is a folder with one small JSON file per run, so that branches of a git repository merge without
conflicts, or an SQLite file (``.db``, ``.sqlite``). Apache Otava, the optional extra ``history``, finds change
points by E-divisive means (Matteson and James 2014) with a t-test, as MongoDB's performance team does (Daly et
al. 2020, "The Use of Change Point Detection to Identify Software Performance Regressions").
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

import orjson

from nakama_bots.errors import NakamaError
from nakama_bots.results.files import json_text, reading, write_whole, writing
from nakama_bots.results.shapes import ShapeError, check
from nakama_bots.results.summary import Summary
from nakama_bots.results.timing import timed_by

SCHEMA: Final = "nakama-bots/history/1"
DATABASES: Final = (".db", ".sqlite", ".sqlite3")
PERCENTILES: Final[tuple[Literal["p50", "p95", "p99"], ...]] = ("p50", "p95", "p99")
LIBRARY: Final = "apache-otava"

WINDOW: Final = 30
"""Runs that the detection looks at around a point."""
P_VALUE: Final = 0.001
LEAST_CHANGE: Final = 0.05
"""Changes of less than this share are not reported."""
FEWEST_RUNS: Final = 6
"""A figure needs this many runs before changes can be found."""


class HistoryError(NakamaError):
    """A store cannot be read or written: the path and why, in one line."""


class HistoryEntry(TypedDict):
    """One run. ``started`` is ISO 8601 in UTC; ``figures`` by ``KIND name statistic`` are in ms or percent.

    ``label`` is the user's name of the build, such as a commit. ``timed`` as ``timed_by``; missing in entries
    of earlier versions.
    """

    schema: str
    started: str
    label: str
    scenario: str
    users: int
    target: str
    is_emulator: bool
    figures: dict[str, float]
    timed: NotRequired[dict[str, str]]


def entry_of(summary: Summary, label: str = "") -> HistoryEntry:
    """Return the history entry of a run: percentiles of calls and samples, and the share of failures."""
    calls = {f"{call['kind']} {call['name']}": call for call in summary["calls"]}
    times = {name: call["ok_ms"] for name, call in calls.items()}
    times |= {f"SAMPLE {name}": latency for name, latency in summary["samples_ms"].items()}
    figures = {
        f"{name} {statistic}": value
        for name, latency in times.items()
        for statistic in PERCENTILES
        if (value := latency[statistic]) is not None
    }
    for name, call in calls.items():
        if call["count"]:
            figures[f"{name} failures"] = round(call["failures"] / call["count"] * 100, 4)
    run, target = summary["run"], summary["target"]
    return {
        "schema": SCHEMA,
        "started": run["started"],
        "label": label,
        "scenario": run["scenario"],
        "users": run["users"],
        "target": target["url"],
        "is_emulator": target["is_emulator"],
        "figures": figures,
        "timed": timed_by(summary.get("timing")),
    }


def open_store(path: Path) -> _Database | _Folder:
    """Return the store at ``path``, which ``add`` creates: an SQLite file by its suffix, else a folder.

    ``add`` replaces an entry with the same start, scenario and label; ``entries`` are the oldest first.
    """
    return _Database(path) if path.suffix in DATABASES else _Folder(path)


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, entry: HistoryEntry) -> None:
        name = "-".join([entry["started"][:19].replace(":", ""), entry["scenario"], entry["label"]])
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name.strip("-"))
        with writing(self._path, HistoryError):
            self._path.mkdir(parents=True, exist_ok=True)
            write_whole(self._path / f"{safe[:200]}.json", [json_text(entry)])

    def entries(self) -> list[HistoryEntry]:
        with reading(self._path, HistoryError):
            files = [file for file in sorted(self._path.iterdir()) if file.suffix == ".json"]
            documents = [(str(file), file.read_bytes()) for file in files]
        return _in_order(documents)


class _Database:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, entry: HistoryEntry) -> None:
        key = (entry["started"], entry["scenario"], entry["label"])
        try:
            with closing(sqlite3.connect(self._path)) as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS runs (started TEXT, scenario TEXT, label TEXT, entry BLOB, "
                    "PRIMARY KEY (started, scenario, label))"
                )
                connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", (*key, json_text(entry)))
        except sqlite3.Error as error:
            msg = f"{self._path}: cannot be written ({error})"
            raise HistoryError(msg) from None

    def entries(self) -> list[HistoryEntry]:
        try:
            if not self._path.is_file():
                msg = f"{self._path}: cannot be read (no such file)"
                raise HistoryError(msg)
            with closing(sqlite3.connect(self._path)) as connection:
                rows = connection.execute("SELECT started, entry FROM runs").fetchall()
        except sqlite3.Error as error:
            msg = f"{self._path}: cannot be read ({error})"
            raise HistoryError(msg) from None
        return _in_order((f"{self._path}: {started}", entry) for started, entry in rows)


def _in_order(documents: Iterable[tuple[str, bytes]]) -> list[HistoryEntry]:
    entries = []
    for where, document in documents:
        try:
            value = orjson.loads(document)
            check(value, HistoryEntry, "entry")
        except (orjson.JSONDecodeError, ShapeError) as error:
            msg = f"{where}: not an entry of a history ({error})"
            raise HistoryError(msg) from None
        entries.append(cast("HistoryEntry", value))
    return sorted(entries, key=lambda entry: entry["started"])


@dataclass(frozen=True, slots=True)
class Change:
    """Run number ``index`` is the first after a change of the mean from ``before`` to ``after``."""

    index: int
    before: float
    after: float

    @property
    def share(self) -> float:
        """The change as a share: 0.1 is 10 % more."""
        return self.after / self.before - 1 if self.before else float("inf")


@dataclass(frozen=True, slots=True)
class FigureHistory:
    """One figure over the runs that have it. ``changes`` is None if they could not be searched for."""

    subject: str
    runs: Sequence[HistoryEntry]
    values: Sequence[float]
    changes: Sequence[Change] | None


def figures_of(
    entries: Sequence[HistoryEntry], patterns: Sequence[str] = ("*",), least: float = LEAST_CHANGE
) -> list[FigureHistory]:
    """Every figure whose ``KIND name statistic`` matches one of ``patterns``, in their order of names."""
    subjects = sorted({subject for entry in entries for subject in entry["figures"]})
    found = []
    for subject in subjects:
        if any(fnmatchcase(subject, pattern) for pattern in patterns):
            runs = [entry for entry in entries if subject in entry["figures"]]
            values = [entry["figures"][subject] for entry in runs]
            found.append(FigureHistory(subject, runs, values, change_points(values, least)))
    return found


def ways_of_timing(figures: Iterable[FigureHistory]) -> dict[str, dict[str, int]]:
    """Numbers of runs by how they were timed, for sockets and for REST; without runs of earlier versions."""
    runs = {id(run): run for figure in figures for run in figure.runs}
    ways: dict[str, dict[str, int]] = defaultdict(Counter)
    for run in runs.values():
        for what, way in run.get("timed", {}).items():
            ways[what][way] += 1
    return ways


def can_detect() -> bool:
    """Whether the library for change points is installed."""
    return _otava() is not None


def change_points(values: Sequence[float], least: float = LEAST_CHANGE) -> list[Change] | None:
    """The changes in ``values``, oldest first; None with fewer than ``FEWEST_RUNS``, or without the library."""
    otava = _otava()
    if otava is None or len(values) < FEWEST_RUNS:
        return None
    options = otava.AnalysisOptions()
    options.window_len = min(WINDOW, len(values))
    options.max_pvalue, options.min_magnitude = P_VALUE, least
    times = list(range(len(values)))
    series = otava.Series("history", None, times, {"figure": otava.Metric()}, {"figure": list(values)}, {})
    points = series.analyze(options).change_points["figure"]
    return [Change(point.index, float(point.mean_before()), float(point.mean_after())) for point in points]


def _otava() -> Any:
    try:
        # Half a second to import, with NumPy and SciPy: only here.
        from otava import series  # noqa: PLC0415
    except ImportError:
        return None
    return series


def when(entry: HistoryEntry) -> str:
    """The run's start in minutes, and its label."""
    started = datetime.fromisoformat(entry["started"]).strftime("%Y-%m-%d %H:%M")
    return f"{started} {entry['label']}".rstrip()
