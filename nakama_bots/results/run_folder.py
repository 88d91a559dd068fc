"""The folder of a run: created without collisions, written atomically, read with clear errors."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final, cast

import orjson

from nakama_bots.errors import ConfigError, NakamaError
from nakama_bots.results.files import compressed, json_text, reading, write_whole, writing
from nakama_bots.results.gate.verdict import VerdictError, VerdictPart, check_verdict
from nakama_bots.results.record.timeline import LOG_SUFFIX, Timeline, TimelineError, from_lines, header
from nakama_bots.results.shapes import ShapeError, check
from nakama_bots.results.summary import Summary, SummaryError, check_summary
from nakama_bots.results.traces.chrome import trace_json
from nakama_bots.results.traces.tracer import SCHEMA as TRACES_SCHEMA
from nakama_bots.results.traces.tracer import TraceEvent, TraceHeader

SUMMARY_FILE: Final = "summary.json"
TIMELINE_FILE: Final = "timeline.jsonl.gz"
TRACES_FILE: Final = "traces.jsonl.gz"
TRACE_EVENTS_FILE: Final = "trace.json.gz"
VERDICT_FILE: Final = "verdict.json"

_SETTING: Final = "--nakama-reports"
_NAME_LENGTH: Final = 60


class TraceError(NakamaError):
    """Traces cannot be written or read: the path and why, in one line."""


def make_run_folder(reports: Path, scenario: str, started: datetime) -> Path:
    """Create the folder ``<reports>/<YYYYmmdd-HHMMSS>-<scenario>``, in the time zone of ``started``.

    Runs that start in the same second get the suffix ``-2``, ``-3`` and so on. Raises ``ConfigError`` if the
    folder cannot be created.
    """
    name = f"{started:%Y%m%d-%H%M%S}-{_file_name(scenario)}"
    try:
        reports.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = reports / (name if number == 1 else f"{name}-{number}")
            try:
                # mkdir decides between two processes: only one of them creates the folder.
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder
    except OSError as error:
        accepted = f"a writable folder ({error.strerror})"
        raise ConfigError(_SETTING, str(reports), accepted) from None


def write_summary(folder: Path, summary: Summary) -> Path:
    """Write ``summary.json`` atomically. Raises ``SummaryError`` if it cannot be written."""
    path = folder / SUMMARY_FILE
    with writing(path, SummaryError):
        write_whole(path, [json_text(summary)])
    return path


def write_timeline(folder: Path, timeline: Timeline) -> Path:
    """Write ``timeline.jsonl.gz`` atomically. Raises ``TimelineError`` if it cannot be written."""
    path = folder / TIMELINE_FILE
    with writing(path, TimelineError):
        write_whole(path, _lines(header(timeline.started), timeline), opener=compressed)
    return path


def write_traces(folder: Path, traces: Iterable[TraceEvent], timeline: Timeline) -> list[Path]:
    """Write ``traces.jsonl.gz`` and ``trace.json.gz``; ``TraceError`` if one cannot be written.

    ``traces`` are in the order of their start.
    """
    events = list(traces)
    head: TraceHeader = {"schema": TRACES_SCHEMA, "started": timeline.started}
    parts = {
        folder / TRACES_FILE: _lines(head, events),
        folder / TRACE_EVENTS_FILE: trace_json(events, timeline, timeline.started),
    }
    for path, content in parts.items():
        with writing(path, TraceError):
            write_whole(path, content, opener=compressed)
    return list(parts)


def _lines(head: object, rows: Iterable[object]) -> Iterator[bytes]:
    return (orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in chain([head], rows))


def read_summary(path: Path) -> Summary:
    """Read the summary of a run folder or a file. Raises ``SummaryError``, in one line, if there is none."""
    path = _file(path, SUMMARY_FILE)
    with reading(path, SummaryError):
        return check_summary(orjson.loads(path.read_bytes()))


def read_verdict(path: Path) -> VerdictPart:
    """Read the verdict of a run folder or a file. Raises ``VerdictError``, in one line, if there is none."""
    path = _file(path, VERDICT_FILE)
    with reading(path, VerdictError):
        return check_verdict(orjson.loads(path.read_bytes()))


def read_timeline(path: Path) -> Timeline:
    """Read the time line of a run folder or a file. Raises ``TimelineError``, which says why there is none.

    A file may also be the log of a worker, which is not compressed.
    """
    path = _file(path, TIMELINE_FILE)
    with (
        reading(path, TimelineError),
        path.open("rb") if path.suffix == LOG_SUFFIX else gzip.open(path) as file,
    ):
        return from_lines(iter(file))


def read_traces(path: Path) -> list[TraceEvent]:
    """Read the traces of a run folder or a file. Raises ``TraceError``, in one line, if there are none."""
    path = _file(path, TRACES_FILE)
    with reading(path, TraceError):
        if not path.exists():
            raise TraceError("there are no traces: the run needs --nakama-traces N")
        with gzip.open(path, "rb") as file:
            head, *events = [orjson.loads(line) for line in file] or [None]
        if not isinstance(head, dict) or head.get("schema") != TRACES_SCHEMA:
            raise TraceError("unsupported trace schema")
        try:
            check(events, list[TraceEvent], "traces")
        except ShapeError as error:
            raise TraceError(f"damaged traces ({error})") from None
    return cast("list[TraceEvent]", events)


def _file(path: Path, name: str) -> Path:
    return path / name if path.is_dir() else path


def _file_name(scenario: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", scenario)[:_NAME_LENGTH].strip("-.") or "run"
