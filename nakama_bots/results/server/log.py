"""Lines of Nakama's log about limits that were reached. Pure; the log is JSON lines (``logger.format``)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import orjson

from nakama_bots.errors import safe_text, scrub

INPUT_QUEUE: Final = "input queue"
CALL_QUEUE: Final = "call queue"
JOIN_QUEUE: Final = "join queue"
OUTGOING_QUEUE: Final = "outgoing queue"
PRESENCE_QUEUE: Final = "presence queue"

KINDS: Final[dict[str, str]] = {
    "Match handler data processing too slow, dropping data message": INPUT_QUEUE,
    "Match handler call processing too slow, closing match": CALL_QUEUE,
    "Match handler join attempt queue full": JOIN_QUEUE,
    "Could not write message, session outgoing queue full": OUTGOING_QUEUE,
    "Presence event dispatch queue is full, presence events may be lost": PRESENCE_QUEUE,
}
"""Kinds by the server's message (3.40: ``match_handler.go``, ``session_ws.go``, ``tracker.go``)."""
_MARKS: Final = tuple(text.encode() for text in KINDS)
_SHOWN: Final = ("ts", "level", "msg", "mid", "sid")
_WIDTH: Final = 200


def entry_of(line: bytes) -> tuple[dict[str, Any], float]:
    """Return a line's content and time (seconds since 1970); ``ValueError`` if it is not JSON with a time."""
    try:
        entry = orjson.loads(line)
        return entry, datetime.fromisoformat(entry["ts"]).timestamp()
    except (KeyError, TypeError) as error:
        raise ValueError from error


class LimitLog:
    """The lines about limits since ``since`` (seconds since 1970), by kind: their number and the first of each.

    ``lines`` has the number of lines in each second; ``read`` counts all lines, ``bad`` those that are about a
    limit and not JSON with a timestamp.
    """

    def __init__(self, since: float) -> None:
        self.lines: dict[str, dict[int, int]] = {kind: {} for kind in KINDS.values()}
        self.first: dict[str, str] = {}
        self.read = 0
        self.bad = 0
        self._since = since

    def add(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self.read += 1
            if any(mark in line for mark in _MARKS):
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            entry, at = entry_of(line)
            kind = KINDS[entry["msg"]]
        except (KeyError, TypeError, ValueError):
            self.bad += 1
            return
        if at < self._since:
            return
        seconds = self.lines[kind]
        seconds[int(at)] = seconds.get(int(at), 0) + 1
        if kind not in self.first:
            kept = " ".join(str(entry[key]) for key in _SHOWN if key in entry)
            self.first[kind] = scrub(safe_text(kept, _WIDTH))
