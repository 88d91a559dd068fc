"""Documents inside strings: what the API takes for JSON, and what PostgreSQL would then refuse to keep."""

from __future__ import annotations

import json
import re

import orjson

# JSONB cannot hold a NUL character, though JSON can name it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def go_json(value: dict[str, str]) -> str:
    """An object as Go writes it: keys in order, characters that matter to HTML escaped."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def is_object(text: str) -> bool:
    """Whether it is a JSON object; half of a surrogate pair counts as a character, as in Go."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        pass
    try:
        return isinstance(json.loads(text, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def storable(text: str) -> bool:
    """Whether a JSONB column takes it."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return _NUL.search(text) is None
