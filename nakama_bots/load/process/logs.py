"""Makes Locust's log safe: text from a server or a scenario is escaped, so a terminal never acts on it."""

from __future__ import annotations

import logging
from typing import Final

from nakama_bots.errors import safe_text

_LOGGERS: Final = ("", "locust")
_LONGEST: Final = 10_000
_INDENT: Final = "    "


class SafeFormatter(logging.Formatter):
    """Escapes control characters in the output of ``formatter`` and indents all lines but the first.

    No part of a message, nor of an exception's text, can look like a separate log line.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        lines = self._formatter.format(record).split("\n")
        return f"\n{_INDENT}".join(safe_text(line, _LONGEST) for line in lines)


def make_logs_safe() -> None:
    """Install ``SafeFormatter`` on the handlers that Locust has set up. Its tables are not logged."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if handler.formatter is not None and not isinstance(handler.formatter, SafeFormatter):
                handler.setFormatter(SafeFormatter(handler.formatter))
