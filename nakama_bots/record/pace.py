"""The pauses of a player, as a distribution or as they were."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHORTEST: Final = 0.25
"""Seconds between two calls that are a pause of a player and not the work of a game."""
_SHARE: Final = 0.3
"""Pauses for each call, at most: more would be half of a scenario."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Log-normal: the median and the spread (the standard deviation of the logarithm), and the longest."""

    median: float
    spread: float
    longest: float
    number: int


def threshold(gaps: Sequence[float]) -> float:
    """Seconds from which a gap is written as a pause; what is shorter is added to the next one."""
    long = sorted((gap for gap in gaps if gap >= SHORTEST), reverse=True)
    most = max(4, math.ceil(len(gaps) * _SHARE))
    return SHORTEST if len(long) <= most else long[most - 1]


def fitted(pauses: Sequence[float]) -> Pauses:
    """The distribution of these pauses."""
    logs = [math.log(one) for one in pauses]
    spread = statistics.pstdev(logs) if len(logs) > 1 else 0.0
    return Pauses(
        round(math.exp(statistics.fmean(logs)), 2), round(spread, 2), round(max(pauses), 2), len(pauses)
    )
