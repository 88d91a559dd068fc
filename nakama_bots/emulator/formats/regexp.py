"""Patterns from clients, matched by RE2 in time linear in the text.

RE2 has the syntax of Go's ``regexp/syntax``, which Nakama's index (vellum) uses. As in vellum, anchors, word
boundaries and lazy quantifiers are refused. A pattern matches a whole text.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import re2


class RegexpError(ValueError):
    """The pattern cannot be used."""


class Pattern(Protocol):
    """A compiled pattern."""

    def fullmatch(self, text: str) -> object | None:
        """Return an object if all of ``text`` matches, else None."""


# Quoted text, classes and escapes are skipped, so that any remaining match is an operator.
_REFUSED: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)"
    r"|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]"
    r"|(?P<refused>\\[AzbBC]|[\^$]|[*+?]\?|\{\d+(?:,\d*)?\}\?|\(\?[imsU]*U)"
    r"|\\.|[*+?]|\(\?",
    re.DOTALL,
)
_CASELESS: Final = "(?is)"


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS: Final = _options()


def regexp(pattern: str) -> Pattern:
    """Compile a pattern. ``RegexpError`` if Nakama's index refuses it."""
    if any(token["refused"] for token in _REFUSED.finditer(pattern)):
        raise RegexpError(pattern)
    return _compile(pattern)


def like(pattern: str) -> Pattern:
    """Compile SQL's ``ILIKE``: ``%`` is any text, ``_`` any character, a backslash escapes the next one."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wildcards = {"%": ".*", "_": "."}
    return _compile(_CASELESS + "".join(wildcards.get(part) or re2.escape(part[-1]) for part in parts))


def _compile(pattern: str) -> Pattern:
    try:
        compiled: Pattern = re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError):
        raise RegexpError(pattern) from None
    return compiled
