"""Kinds of values that a user writes, on a command line, in the environment or in a TOML file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

UNITS: Final = {
    "us": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "h": Decimal(3600),
}
"""Units of time, in seconds. Exact, so that ``0.7 ms`` is not a neighbour of itself."""

MOST: Final = 10**6
"""The largest number, or number of seconds, of a setting without a specific bound."""

_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|min|m|s|h)\s*")
_DURATION: Final = re.compile(r"\s*(?:[0-9]+(?:\.[0-9]+)?\s*(?:us|ms|min|m|s|h)\s*)+")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    ``read`` makes the value of what was written, or raises ``ValueError``; ``accepted`` says what fits.
    """

    read: Callable[[Any], Any]
    accepted: str


def seconds(value: object) -> float:
    """Seconds, 0 or more, from ``30``, ``"250ms"``, ``"2 min"`` or ``"1h30m"``; ``ValueError`` otherwise."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        given = float(sum(Decimal(number) * UNITS[unit] for number, unit in _PART.findall(value)))
    else:
        given = float(str(value))  # by its text: True is a number to float()
    return float(_within(given, 0.0, float("inf")))


def duration(*, above: float | None = None, low: float = 0.0, high: float = MOST) -> Kind:
    """Seconds from ``low``, or more than ``above``, to ``high``."""
    bounds = _bounds(low, high, above, unit=" s")
    return Kind(
        lambda value: _within(seconds(value), low, high, above),
        f"a duration such as 250ms, 30s, 2 min or 1h30m, or a number of seconds, {bounds}",
    )


def number(*, above: float | None = None, low: float = 0.0, high: float = MOST, of: str = "") -> Kind:
    """A number from ``low``, or more than ``above``, to ``high``; ``of`` names what is counted."""
    return Kind(
        lambda value: _within(float(str(value)), low, high, above),
        f"a number {of and f'of {of} '}{_bounds(low, high, above)}",
    )


def whole(low: int = 0, high: int = MOST, *, of: str = "") -> Kind:
    """A whole number from ``low`` to ``high``."""
    return Kind(
        lambda value: _within(int(str(value)), low, high),
        f"a whole number {of and f'of {of} '}{_bounds(low, high, None)}",
    )


def some_text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


TEXT: Final = Kind(some_text, "a non-empty text")


def text_that(fits: Callable[[str], object], accepted: str) -> Kind:
    """A text that is not empty and for which ``fits`` is true."""

    def read(value: object) -> str:
        text = some_text(value)
        if not fits(text):
            raise ValueError
        return text

    return Kind(read, accepted)


def or_nothing(kind: Kind) -> Kind:
    """What ``kind`` reads, or an empty text."""
    return Kind(lambda value: kind.read(value) if value != "" else "", kind.accepted)


def file_of(what: str) -> Kind:
    """The path of an existing file, or nothing."""
    return or_nothing(text_that(lambda text: Path(text).is_file(), f"the path of {what}"))


def choice(*names: str) -> Kind:
    """One of ``names``."""
    return text_that(names.__contains__, f"{', '.join(names[:-1])} or {names[-1]}")


def one_of(known: Collection[str], given: object) -> str:
    """Return what is accepted instead of the unknown name ``given``: all known names, and a similar one."""
    near = get_close_matches(str(given), known, n=1)
    return ", ".join(known) + (f"; did you mean {near[0]}?" if near else "")


def _within(given: Any, low: float, high: float, above: float | None = None) -> Any:
    if not low <= given <= high or given == float("inf") or (above is not None and given <= above):
        raise ValueError  # NaN as well
    return given


def _bounds(low: float, high: float, above: float | None, unit: str = "") -> str:
    most = f"{plain(high)}{unit}"
    return f"from {plain(low)} to {most}" if above is None else f"above {plain(above)}, at most {most}"


def plain(given: float) -> str:
    """Format a number for people, without an exponent if possible."""
    return f"{given:.12g}"
