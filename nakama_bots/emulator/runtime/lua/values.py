"""Converts values between Lua and Python, by the server's rules.

Strings are bytes in Lua: invalid UTF-8 survives the round trip through Python (``surrogateescape``). A table
with a whole number above 0 among its keys is a list, any other an object, so ``{}`` is an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lupa.lua51 import LuaRuntime, lua_type

# Tables may contain themselves, or each other many times, and lists may have their only element at 10^9.
_DEEPEST: Final = 100
_LONGEST: Final = 10**6
# The most values of one conversion, a second or two; a table counts as several.
_MOST: Final = 10**6
_TABLE: Final = 10
# Whole numbers beyond it have no exact double.
_EXACT: Final = 2**53
_WHOLE: Final = 1e21


class Unconvertible(ValueError):
    """A table without a JSON form: it contains itself, or is too large."""


class _Allowance:
    """The values that a conversion may still have."""

    def __init__(self) -> None:
        self._left = _MOST

    def spend(self, values: int) -> None:
        """Count a table with that many values. ``Unconvertible``."""
        self._left -= _TABLE + values
        if self._left < 0:
            msg = f"the tables have more than {_MOST} values"
            raise Unconvertible(msg)


def encode(text: str) -> bytes:
    """Return the bytes of a string."""
    return text.encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> str:
    """Return the string of bytes."""
    return raw.decode("utf-8", "surrogateescape")


def to_lua(lua: LuaRuntime, value: Any, allowed: _Allowance | None = None) -> Any:
    """Convert a Python value to Lua; ``None`` in an object becomes a missing key. ``Unconvertible``."""
    if isinstance(value, str):
        return encode(value)
    if isinstance(value, Mapping | list | tuple):
        allowed = allowed or _Allowance()
        allowed.spend(len(value))
    if isinstance(value, Mapping):
        return lua.table_from(
            {
                encode(key) if isinstance(key, str) else key: to_lua(lua, item, allowed)
                for key, item in value.items()
                if item is not None
            }
        )
    if isinstance(value, list | tuple):
        return lua.table_from([to_lua(lua, item, allowed) for item in value])
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        return float(value)
    return value


def from_lua(value: Any, depth: int = 0, allowed: _Allowance | None = None) -> Any:
    """Convert a Lua value to Python; functions stay unchanged. ``Unconvertible``."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, float):
        # A number becomes an integer if possible; Go writes those without an exponent.
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    if lua_type(value) != "table":
        return value
    if depth > _DEEPEST:
        msg = f"a table is nested more than {_DEEPEST} deep"
        raise Unconvertible(msg)
    items = list(value.items())
    allowed = allowed or _Allowance()
    last = max((key for key, _ in items if type(key) is int and key > 0), default=0)
    if last > _LONGEST:
        msg = f"a list has an element at {last}"
        raise Unconvertible(msg)
    allowed.spend(max(len(items), last))
    if not last:
        return {_key(key): from_lua(item, depth + 1, allowed) for key, item in items}
    found: list[Any] = [None] * last
    for key, item in items:
        if type(key) is int and key > 0:
            found[key - 1] = from_lua(item, depth + 1, allowed)
    return found


def _key(key: Any) -> str:
    if isinstance(key, bytes):
        return decode(key)
    return str(key).lower() if isinstance(key, bool) else str(key)
