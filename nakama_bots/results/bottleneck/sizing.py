"""What the server needs for one more player: a straight line through its figures over the players. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import correlation, linear_regression
from typing import Final, TypedDict

from nakama_bots.results.bottleneck.bins import RunBins, Series

FEWEST: Final = 3
"""Different numbers of players that a line needs; the most must be twice the fewest."""
_FITS: Final = 0.8
"""R2 below which the figure does not follow the players, and no line is given."""


class SizePart(TypedDict):
    """``idle`` + ``per_player`` * players, from ``low`` to ``high`` players; cores, bytes or bytes a second."""

    figure: str
    idle: float
    per_player: float
    r2: float
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Sized:
    """A figure of the server that follows the players. ``show`` formats the need of many players."""

    words: str
    show: Callable[[float], str]
    of: Callable[[RunBins], Series]


SIZED: Final[dict[str, Sized]] = {
    "cpu": Sized("CPU", lambda value: f"{value:,.2f} cores", lambda bins: bins.level("cpu")),
    "memory": Sized("memory", lambda value: f"{value / 1e6:,.1f} MB", lambda bins: bins.level("memory")),
    "sent_bytes": Sized(
        "traffic to the players", lambda value: f"{value / 1e6:,.2f} MB/s", lambda bins: bins.rate("sent_bytes")
    ),
}


def sizes(runs: Sequence[RunBins]) -> list[SizePart]:
    """Return the line of each figure that follows the number of players."""
    found = []
    for name, sized in SIZED.items():
        points = [
            (players, value)
            for bins in runs
            for players, value in zip(bins.players, sized.of(bins), strict=True)
            if value is not None and players >= 1
        ]
        if (part := _line(name, points)) is not None:
            found.append(part)
    return found


def _line(name: str, points: Sequence[tuple[float, float]]) -> SizePart | None:
    loads = {round(players) for players, _ in points}
    if len(loads) < FEWEST or max(loads) < 2 * min(loads):
        return None
    players, values = zip(*points, strict=True)
    slope, idle = linear_regression(players, values)
    if slope <= 0 or (r2 := correlation(players, values) ** 2) < _FITS:
        return None
    return {
        "figure": name, "idle": round(max(0.0, idle), 6), "per_player": round(slope, 9), "r2": round(r2, 4),
        "low": min(loads), "high": max(loads),
    }  # fmt: skip
