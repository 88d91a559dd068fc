"""Patterns that clients send, matched in time linear in the text by RE2.

RE2 reads the same syntax as Go's ``regexp/syntax``, which Nakama's index (vellum) parses with. What vellum then
refuses is refused here: anchors, word boundaries and lazy quantifiers. A pattern matches a whole text.
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
        """Something if the whole of ``text`` matches, else None."""


# Quoted text, classes and escapes are skipped, so that what is left over is an operator.
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
    """The compiled pattern. ``RegexpError`` when Nakama's index refuses it."""
    if any(token["refused"] for token in _REFUSED.finditer(pattern)):
        raise RegexpError(pattern)
    return _compile(pattern)


def like(pattern: str) -> Pattern:
    """SQL's ``ILIKE``: ``%`` is any text, ``_`` any character, a backslash takes the next one literally."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wildcards = {"%": ".*", "_": "."}
    return _compile(_CASELESS + "".join(wildcards.get(part) or re2.escape(part[-1]) for part in parts))


def _compile(pattern: str) -> Pattern:
    try:
        compiled: Pattern = re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError):
        raise RegexpError(pattern) from None
    return compiled
