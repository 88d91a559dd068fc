"""The ticks of an axis and their labels. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

TIME_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Seconds between two ticks, or of a bin."""

_TICKS: Final = 8
_PERCENTS: Final = (0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``low`` to ``high`` in units of the chart; ``ticks`` are places and labels."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


def time_axis(seconds: float) -> Axis:
    """Return an axis from the start of the run, in seconds."""
    step = next((step for step in TIME_STEPS if seconds / step <= _TICKS), TIME_STEPS[-1])
    ticks = tuple((float(place), clock(place)) for place in range(0, int(seconds) + 1, step))
    return Axis(0.0, max(seconds, 1.0), ticks)


def clock(seconds: float) -> str:
    """``0:05``, or ``1:00:05`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percentile_place(percent: float) -> float:
    """Return the place of a percentile on an axis of nines: 90, 99 and 99.9 are equally spaced."""
    return -math.log10(max(1 - percent / 100, 1e-6))


def percentile_axis(highest: float) -> Axis:
    """Return an axis from the shortest value to the percentile ``highest``."""
    ticks = tuple((percentile_place(percent), f"{percent:g}") for percent in _PERCENTS if percent <= highest)
    return Axis(0.0, max(percentile_place(highest), 1.0), ticks)


def linear_axis(highest: float) -> Axis:
    """Return an axis from 0 to a round number above ``highest``."""
    if highest <= 0:
        highest = 1.0
    raw = highest / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    number = math.ceil(highest / step - 1e-9)
    return Axis(0.0, number * step, tuple((index * step, short(index * step)) for index in range(number + 1)))


def log_axis(lowest: float, highest: float) -> Axis:
    """Return an axis between round numbers around both (above 0); places are decimal logarithms."""
    low, high = math.log10(lowest), math.log10(highest)
    factors = (1, 2, 5) if high - low < 2 else (1, 3) if high - low < 3 else (1,)
    places = [
        math.log10(factor) + power
        for power in range(math.floor(low) - 1, math.ceil(high) + 2)
        for factor in factors
    ]
    first = max((place for place in places if place <= low + 1e-9), default=places[0])
    last = min((place for place in places if place >= high - 1e-9 and place > first), default=places[-1])
    ticks = [place for place in places if first <= place <= last]
    return Axis(first, last, tuple((place, short(float(f"{10**place:.1g}"))) for place in ticks))


def short(value: float) -> str:
    """Format a number for an axis: ``0.5``, ``20``, ``1.5k``, ``3M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"
