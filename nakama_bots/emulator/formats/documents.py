"""JSON documents in strings: those that the API accepts, and those that PostgreSQL then refuses."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

# JSONB cannot hold a NUL character, although JSON can escape it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def go_json(value: Any) -> str:
    """Encode a value as Go does: sorted keys, HTML characters escaped, invalid UTF-8 replaced."""
    try:
        text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # bytes of a Lua string that are not UTF-8
        text = json.dumps(_whole(value), default=str, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


# Only a text with one of these can contain a number that PostgreSQL refuses.
_EXTREME: Final = re.compile(r"[eE][+-]?\d{3}|\d{16384}")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
# The most digits of a PostgreSQL number before and after the point.
_MOST_BEFORE: Final = 131_072
_MOST_AFTER: Final = 16_383


def is_object(text: str) -> bool:
    """True if it is a JSON object; half of a surrogate pair counts as a character, as in Go."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        pass
    try:
        return isinstance(json.loads(text, parse_int=_any, parse_float=_any, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _any(number: str) -> str:
    """Accept a number of any size, unread."""
    return number


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def storable(text: str) -> bool:
    """True if a JSONB column accepts it."""
    extreme = _EXTREME.search(text) is not None
    try:
        if extreme:
            json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)
        else:
            orjson.loads(text)
    except (ValueError, RecursionError):
        return False
    return _NUL.search(text) is None and not (extreme and _SURROGATE.search(text))


def _number(text: str) -> Decimal:
    """Read a number; ``ValueError`` for one that PostgreSQL refuses."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or exponent < -_MOST_AFTER or len(digits) + exponent > _MOST_BEFORE:
        raise ValueError(text)
    return number
