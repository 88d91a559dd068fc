"""Reads runs for a report, and writes the report into the folder of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from nakama_bots.results.files import write_whole
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.record.recorder import no_pause
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import (
    TIMELINE_FILE,
    TRACES_FILE,
    VERDICT_FILE,
    read_summary,
    read_timeline,
    read_traces,
    read_verdict,
)
from nakama_bots.results.show.report.page import render
from nakama_bots.results.show.report.view import RunView, bins_of
from nakama_bots.results.summary import Summary
from nakama_bots.results.traces.explain import explain
from nakama_bots.results.traces.tracer import TraceEvent

REPORT_FILE: Final = "report.html"


def read_run(folder: Path, label: str) -> RunView:
    """Read the folder of a run; a missing time line or verdict is not shown, nor traces that are missing.

    Raises ``SummaryError``, ``TimelineError``, ``VerdictError`` or ``TraceError`` for a damaged file.
    """
    summary = read_summary(folder)
    timeline = read_timeline(folder) if (folder / TIMELINE_FILE).exists() else None
    verdict = read_verdict(folder) if (folder / VERDICT_FILE).exists() else None
    slowest: list[str] = []
    if timeline is not None and (folder / TRACES_FILE).exists():
        slowest = explain(read_traces(folder), timeline)
    return RunView(label, summary, bins_of(timeline), verdict, tuple(slowest))


def labels(paths: Sequence[Path]) -> list[str]:
    """Return distinct labels: the names of the folders, or the whole paths if the names are equal."""
    names = [path.resolve().name for path in paths]
    times = Counter(names)
    return [str(path) if times[name] > 1 else name for path, name in zip(paths, names, strict=True)]


def write_report(
    folder: Path,
    summary: Summary,
    timeline: Timeline,
    verdict: VerdictPart,
    traces: Collection[TraceEvent] = (),
    *,
    pause: Callable[[], object] = no_pause,
) -> Path:
    """Write ``report.html`` atomically. Raises ``OSError``; ``pause`` as in ``bins_of``."""
    path = folder / REPORT_FILE
    slowest = explain(traces, timeline, pause=pause) if traces else []
    view = RunView(folder.name, summary, bins_of(timeline, pause=pause), verdict, tuple(slowest))
    write_whole(path, [render([view]).encode()])
    return path
