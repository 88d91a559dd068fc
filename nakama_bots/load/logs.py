"""Locust's log: a text of a server, or of a scenario that repeats one, is shown and never acted on."""

from __future__ import annotations

import logging
from typing import Final

from nakama_bots.errors import safe_text

_LOGGERS: Final = ("", "locust")
_LONGEST: Final = 10_000
_INDENT: Final = "    "


class SafeFormatter(logging.Formatter):
    """What ``formatter`` gives with control characters escaped; lines behind the first are indented.

    Nothing in a message, an exception's text included, can look like a line of its own.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        lines = self._formatter.format(record).split("\n")
        return f"\n{_INDENT}".join(safe_text(line, _LONGEST) for line in lines)


def make_logs_safe() -> None:
    """Have the handlers that Locust has set up write through ``SafeFormatter``; its tables go another way."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if handler.formatter is not None and not isinstance(handler.formatter, SafeFormatter):
                handler.setFormatter(SafeFormatter(handler.formatter))
