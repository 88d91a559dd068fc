"""The folder of a run: made without collisions, written atomically, read with clear errors."""

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

from nakama_bots.errors import ConfigError
from nakama_bots.results.gate.verdict import VerdictError, VerdictPart, check_verdict
from nakama_bots.results.record.timeline import Timeline, TimelineError, from_lines, header
from nakama_bots.results.record.worker_log import SUFFIX
from nakama_bots.results.summary import Summary, SummaryError, check_summary

SUMMARY_FILE: Final = "summary.json"
TIMELINE_FILE: Final = "timeline.jsonl.gz"
VERDICT_FILE: Final = "verdict.json"

_SETTING: Final = "--nakama-reports"
_NAME_LENGTH: Final = 60


def make_run_folder(reports: Path, scenario: str, started: datetime) -> Path:
    """A new folder ``<reports>/<YYYYmmdd-HHMMSS>-<scenario>``, in the zone of ``started``.

    A run that starts in the same second gets ``-2``, ``-3`` and so on behind it. ``ConfigError`` when the
    folder cannot be made.
    """
    name = f"{started:%Y%m%d-%H%M%S}-{_file_name(scenario)}"
    try:
        reports.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = reports / (name if number == 1 else f"{name}-{number}")
            try:
                # The one step that tells two processes apart: only one of them makes it.
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder
    except OSError as error:
        accepted = f"a folder in which one can be made ({error.strerror})"
        raise ConfigError(_SETTING, str(reports), accepted) from None


def write_summary(folder: Path, summary: Summary) -> Path:
    """Write ``summary.json``, whole or not at all; ``SummaryError`` when it cannot be written."""
    path = folder / SUMMARY_FILE
    data = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        write_whole(path, [data])
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise SummaryError(msg) from None
    return path


def write_timeline(folder: Path, timeline: Timeline) -> Path:
    """Write ``timeline.jsonl.gz``, whole or not at all; ``TimelineError`` when it cannot be written."""
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


def read_verdict(path: Path) -> VerdictPart:
    """The verdict in a run's folder, or in the file itself; ``VerdictError`` in one line when there is none."""
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
    """The time line in a run's folder, or in the file itself; ``TimelineError`` says why there is none.

    A file may also be a worker's own log, which is not compressed.
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
    """Write a file that is there whole or not at all; ``opener`` makes what is written from the raw file."""
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
    # No time and no name in it: the same rows make the same file.
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=raw, mtime=0))


def read_summary(path: Path) -> Summary:
    """The summary in a run's folder, or in the file itself; ``SummaryError`` in one line when there is none."""
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
