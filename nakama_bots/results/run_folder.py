"""The folder of a run: created without collisions, written atomically, read with clear errors."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, cast

import orjson

from nakama_bots.errors import ConfigError, NakamaError
from nakama_bots.results.gate.verdict import VerdictError, VerdictPart, check_verdict
from nakama_bots.results.record.timeline import Timeline, TimelineError, from_lines, header
from nakama_bots.results.record.worker_log import SUFFIX
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
    data = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        write_whole(path, [data])
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise SummaryError(msg) from None
    return path


def write_timeline(folder: Path, timeline: Timeline) -> Path:
    """Write ``timeline.jsonl.gz`` atomically. Raises ``TimelineError`` if it cannot be written."""
    path = folder / TIMELINE_FILE
    lines = (
        orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in chain([header(timeline)], timeline)
    )
    try:
        write_whole(path, lines, opener=compressed)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise TimelineError(msg) from None
    return path


def write_traces(folder: Path, traces: Iterable[TraceEvent], timeline: Timeline) -> list[Path]:
    """Write ``traces.jsonl.gz`` and ``trace.json.gz``; ``TraceError`` if one cannot be written.

    ``traces`` are in the order of their start.
    """
    events = list(traces)
    head: TraceHeader = {"schema": TRACES_SCHEMA, "started": timeline.started}
    lines = (orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in chain([head], events))
    parts = {
        folder / TRACES_FILE: lines,
        folder / TRACE_EVENTS_FILE: trace_json(events, timeline, timeline.started),
    }
    for path, content in parts.items():
        try:
            write_whole(path, content, opener=compressed)
        except OSError as error:
            msg = f"{path}: cannot be written ({error.strerror})"
            raise TraceError(msg) from None
    return list(parts)


def read_traces(path: Path) -> list[TraceEvent]:
    """Read the traces of a run folder or a file. Raises ``TraceError``, in one line, if there are none."""
    if path.is_dir():
        path /= TRACES_FILE
    try:
        with gzip.open(path, "rb") as file:
            head, *events = [orjson.loads(line) for line in file] or [None]
        if not isinstance(head, dict) or head.get("schema") != TRACES_SCHEMA:
            msg = f"{path}: unsupported trace schema"
            raise TraceError(msg)
        check(events, list[TraceEvent], "traces")
    except FileNotFoundError:
        msg = f"{path}: there are no traces: the run needs --nakama-traces N"
        raise TraceError(msg) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, orjson.JSONDecodeError, ShapeError) as error:
        msg = f"{path}: damaged traces ({error})"
        raise TraceError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise TraceError(msg) from None
    return cast("list[TraceEvent]", events)


def read_verdict(path: Path) -> VerdictPart:
    """Read the verdict of a run folder or a file. Raises ``VerdictError``, in one line, if there is none."""
    if path.is_dir():
        path /= VERDICT_FILE
    try:
        return check_verdict(orjson.loads(path.read_bytes()))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise VerdictError(msg) from None
    except orjson.JSONDecodeError as error:
        msg = f"{path}: not whole JSON ({error})"
        raise VerdictError(msg) from None
    except VerdictError as error:
        msg = f"{path}: {error}"
        raise VerdictError(msg) from None


def read_timeline(path: Path) -> Timeline:
    """Read the time line of a run folder or a file. Raises ``TimelineError``, which says why there is none.

    A file may also be the log of a worker, which is not compressed.
    """
    if path.is_dir():
        path /= TIMELINE_FILE
    try:
        with _open_lines(path) as file:
            return from_lines(iter(file))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: not a whole gzip file ({error})"
        raise TimelineError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise TimelineError(msg) from None
    except TimelineError as error:
        msg = f"{path}: {error}"
        raise TimelineError(msg) from None


def _open_lines(path: Path) -> BinaryIO:
    return path.open("rb") if path.suffix == SUFFIX else cast("BinaryIO", gzip.open(path, "rb"))


def write_whole(
    path: Path, parts: Iterable[bytes], *, opener: Callable[[BinaryIO], BinaryIO] | None = None
) -> None:
    """Write a file atomically; ``opener`` wraps the raw file, for example to compress it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as raw:
            with opener(raw) if opener is not None else nullcontext(raw) as file:
                file.writelines(parts)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def compressed(raw: BinaryIO) -> BinaryIO:
    """An ``opener`` of ``write_whole``: gzip."""
    # Without time and name: the same rows produce the same file.
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=raw, mtime=0))


def read_summary(path: Path) -> Summary:
    """Read the summary of a run folder or a file. Raises ``SummaryError``, in one line, if there is none."""
    if path.is_dir():
        path /= SUMMARY_FILE
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise SummaryError(msg) from None
    except orjson.JSONDecodeError as error:
        msg = f"{path}: not whole JSON ({error})"
        raise SummaryError(msg) from None
    try:
        return check_summary(value)
    except SummaryError as error:
        msg = f"{path}: {error}"
        raise SummaryError(msg) from None


def _file_name(scenario: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", scenario)[:_NAME_LENGTH].strip("-.") or "run"
