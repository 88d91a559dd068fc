"""Makes Locust's log safe and useful: foreign text is escaped, so a terminal never acts on it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

from locust import User

from nakama_bots.errors import ConfigError, safe_text
from nakama_bots.load.process.exits import stop_with
from nakama_bots.settings.values import one_of

_LOGGERS: Final = ("", "locust")
_LEFT_OUT: Final = "had no tasks left after filtering"
_UNKNOWN: Final = re.compile(r"Unknown User\(s\): (.+)\n")
_LONGEST: Final = 10_000
_PLACE: Final = re.compile(r'^ *File "(.+)", line (\d+)', re.MULTILINE)
_MOST_PLACES: Final = 100
_INDENT: Final = "    "


class SafeFormatter(logging.Formatter):
    """Escapes control characters in the output of ``formatter`` and indents all lines but the first.

    No part of a message, nor of an exception's text, can look like a separate log line.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        lines = self._formatter.format(record).split("\n")
        return f"\n{_INDENT}".join(safe_text(line, _LONGEST) for line in lines)


def mend_locust_logs() -> None:
    """Drop or replace lines of Locust: useless warnings, repeated tracebacks, an error without a remedy."""
    # One warning per class that --tags leaves out, which is what was asked for: ``select_user_classes``.
    logging.getLogger().addFilter(lambda record: _LEFT_OUT not in str(record.msg))
    logging.getLogger("locust.user.task").addFilter(_FirstOfEach())
    logging.getLogger("locust.main").addFilter(_refuse_unknown)


class _FirstOfEach:
    """Lets one record per place that an exception came from pass; Locust counts the others in its table."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, ...]] = set()

    def __call__(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()  # Locust has the traceback in the message
        places = _PLACE.findall(text)
        if not places:
            return True
        key = (*places[-1], text.rstrip().rpartition("\n")[2].partition(":")[0])
        if key in self._seen or len(self._seen) >= _MOST_PLACES:
            return False
        self._seen.add(key)
        record.msg, record.args = f"{text.rstrip()}\n(further ones from there are only counted)", ()
        return True


def _refuse_unknown(record: logging.LogRecord) -> bool:
    """End the process with a line that names the user classes there are; Locust's line does not."""
    found = _UNKNOWN.fullmatch(record.getMessage())
    if found is not None:
        given = found[1].split(", ")[0]
        stop_with(str(ConfigError("user class", given, one_of(sorted(set(_user_classes(User))), given))))
    return True


def _user_classes(base: type[User]) -> Iterator[str]:
    for found in base.__subclasses__():
        if not found.abstract and not found.__module__.startswith(("locust.", "nakama_bots.load")):
            yield found.__name__
        yield from _user_classes(found)


def make_logs_safe() -> None:
    """Install ``SafeFormatter`` on the handlers that Locust has set up. Its tables are not logged."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if handler.formatter is not None and not isinstance(handler.formatter, SafeFormatter):
                handler.setFormatter(SafeFormatter(handler.formatter))
