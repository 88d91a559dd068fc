"""A process's own time line, written down as it grows: what it recorded, whether or not anybody got it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.results.record.timeline import Interval, Timeline, header

SUFFIX: Final = ".jsonl"
_SETTING: Final = "--nakama-worker-logs"


class WorkerLog:
    """``<folder>/<source>.jsonl``: the lines of a time line's file, each there as soon as it is added.

    ``read_timeline`` reads it. A run that is started anew under the same name begins the file anew.
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
        """Write one interval; ``OSError`` when the disk does not take it."""
        self._write(interval)

    def close(self) -> None:
        """There is no more. Idempotent."""
        self._file.close()

    def _write(self, line: Any) -> None:
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
