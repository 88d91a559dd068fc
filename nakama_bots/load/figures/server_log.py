"""Reads what the server has written to its log during a run: the lines about limits that were reached."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from time import time
from typing import Final

from nakama_bots.load.figures.intervals import let_others_run
from nakama_bots.results.server.log import LimitLog

log = logging.getLogger(__name__)

_CHUNK: Final = 1_000_000
"""Bytes that are read before other greenlets run."""


class ServerLogTail:
    """The part of the file ``path`` that is written after this was created."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since = time()
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> LimitLog | None:
        """Return the lines since the start; None, and a line in the log, if the file cannot be read.

        The same if lines about limits are there, and none of them can be read.
        """
        found = LimitLog(self._since)
        try:
            with self._path.open("rb") as file:
                # A smaller file than before is a new one: it was rotated.
                if os.fstat(file.fileno()).st_size >= self._offset:
                    file.seek(self._offset)
                while lines := file.readlines(_CHUNK):
                    found.add(lines)
                    let_others_run()
        except OSError as error:
            log.warning("the server's log %s cannot be read: %s", self._path, error.strerror)
            return None
        if found.bad:
            log.warning(
                "%d lines of the server's log about limits are not JSON (logger.format json)", found.bad
            )
        return found if found.first or not found.bad else None
