"""The folder of a run: made without collisions, written atomically, read with clear errors."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.results.summary import Summary, SummaryError, check_summary

SUMMARY_FILE: Final = "summary.json"

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
    draft = folder / f".{SUMMARY_FILE}.{os.getpid()}"
    try:
        try:
            with draft.open("wb") as file:
                file.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise SummaryError(msg) from None
    return path


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
