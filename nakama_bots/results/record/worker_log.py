"""The time line of a process, written as it grows: it survives even if the master never receives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.results.record.timeline import Interval, Timeline, header

SUFFIX: Final = ".jsonl"
_SETTING: Final = "--nakama-worker-logs"


class WorkerLog:
    """``<folder>/<source>.jsonl``: the lines of a time line file, each written as soon as it is added.

    ``read_timeline`` reads it. A new run under the same name overwrites the file.
    """

    def __init__(self, folder: Path, source: str, started: float) -> None:
        self.path = folder / f"{source}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self.path.open("wb")
        except OSError as error:
            raise ConfigError(_SETTING, str(folder), f"a writable folder ({error.strerror})") from None
        self._write(header(Timeline(started)))

    def add(self, interval: Interval) -> None:
        """Write one interval. Raises ``OSError`` if that fails."""
        self._write(interval)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()

    def _write(self, line: Any) -> None:
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
