"""The parts of Lua's library that the server replaces: clock, random numbers and ``bit32``."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, or_, xor
from typing import Any, Final

_LONGEST_DATE: Final = 1000
_WORD: Final = 0xFFFFFFFF
_START: Final = time.monotonic()
# The meaning of ``%c`` and similar date letters on a real server, where Go differs from C.
_DATES: Final = {"%c": "%d %b %y %H:%M UTC", "%x": "%H/%M/%y", "%P": "%p", "%F": "%Y-%m-%d", "%Z": "UTC"}


def libraries(now: Callable[[], int], rng: random.Random) -> Mapping[str, Mapping[str, Callable[..., Any]]]:
    """Return functions by library and name. ``now``: Unix nanoseconds; ``rng``: for ``math.random``."""
    return {"os": _os(now), "math": _math(rng), "bit32": _BIT32}


def unix(fields: Mapping[str, Any]) -> int:
    """Return the Unix second of a date's fields, which may exceed their ranges (month 13, day 0)."""

    def whole(name: str, default: int) -> int:
        value = fields.get(name)
        return int(value) if isinstance(value, int | float) else default

    month = whole("month", -1) - 1
    year, month = whole("year", -1) + month // 12, month % 12 + 1
    days = (dt.date(max(1, min(9999, year)), month, 1) - dt.date(1970, 1, 1)).days + whole("day", -1) - 1
    hours = days * 24 + whole("hour", 12)
    return (hours * 60 + whole("min", 0)) * 60 + whole("sec", 0)


def _os(now: Callable[[], int]) -> Mapping[str, Callable[..., Any]]:
    def given(table: Mapping[str, Any] | None = None) -> int:
        return now() // 10**9 if table is None else unix(table)

    def date(form: str = "%c", second: float | None = None) -> str | dict[str, int | bool]:
        at = dt.datetime.fromtimestamp(now() // 10**9 if second is None else int(second), dt.UTC)
        text = form.lstrip("!")
        if len(text) > _LONGEST_DATE:
            msg = f"a date's format is longer than {_LONGEST_DATE} characters"
            raise ValueError(msg)
        if text.startswith("*t"):
            return _fields(at)
        for letter, meaning in _DATES.items():
            text = text.replace(letter, meaning)
        return at.strftime(text)

    return {
        "clock": lambda: time.monotonic() - _START,
        "difftime": lambda one, other: int(one) - int(other),
        "date": date,
        "time": given,
    }


def _fields(at: dt.datetime) -> dict[str, int | bool]:
    """Return the date fields as the server does: the week begins with 0 on Sunday."""
    day = at.timetuple()
    return {
        "year": at.year,
        "month": at.month,
        "day": at.day,
        "hour": at.hour,
        "min": at.minute,
        "sec": at.second,
        "wday": at.isoweekday() % 7,
        "yday": day.tm_yday,
        "isdst": False,
    }


def _math(rng: random.Random) -> Mapping[str, Callable[..., Any]]:
    def draw(low: float | None = None, high: float | None = None) -> float:
        if low is None:
            return rng.random()
        if high is None:
            low, high = 1, low
        return rng.randint(int(low), max(int(low), int(high)))

    return {"random": draw, "randomseed": lambda *_: None}


def _word(value: float) -> int:
    return int(value) & _WORD


def _folded(fold: Callable[[int, int], int], start: int) -> Callable[..., int]:
    return lambda *values: reduce(fold, map(_word, values), start) & _WORD


def _shift(value: float, by: float) -> int:
    """Shift left, or right if ``by`` is below 0."""
    word, count = _word(value), int(by)
    return (word << count) & _WORD if 0 <= count < 32 else word >> -count if -32 < count < 0 else 0


def _arithmetic(value: float, by: float) -> int:
    """Shift right with the sign, or left if ``by`` is below 0."""
    word, count = _word(value), int(by)
    if count < 0:
        return _shift(word, -count)
    signed = word - 2**32 if word >= 2**31 else word
    return (signed >> min(count, 31)) & _WORD


def _rotate(value: float, by: float) -> int:
    word, count = _word(value), int(by) % 32
    return ((word << count) | (word >> (32 - count))) & _WORD


def _extract(value: float, field: float, width: float = 1) -> int:
    return (_word(value) >> int(field)) & ((1 << int(width)) - 1)


def _replace(value: float, by: float, field: float, width: float = 1) -> int:
    mask = ((1 << int(width)) - 1) << int(field)
    return (_word(value) & ~mask & _WORD) | ((int(by) << int(field)) & mask)


_BAND: Final = _folded(and_, _WORD)

_BIT32: Final[Mapping[str, Callable[..., Any]]] = {
    "band": _BAND,
    "bor": _folded(or_, 0),
    "bxor": _folded(xor, 0),
    "bnot": lambda value: ~_word(value) & _WORD,
    "btest": lambda *values: _BAND(*values) != 0,
    "lshift": _shift,
    "rshift": lambda value, by: _shift(value, -by),
    "arshift": _arithmetic,
    "lrotate": _rotate,
    "rrotate": lambda value, by: _rotate(value, -by),
    "extract": _extract,
    "replace": _replace,
}
