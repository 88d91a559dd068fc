"""The change between two sides whose blocks were measured in pairs, one right after the other. Pure.

A machine with other work stops one side of some pairs for tens of milliseconds. Added up, these pairs would
decide the high percentiles. Each pair is therefore compared by itself, and the mean of all pairs leaves out the
most extreme fifth at each end (the trimmed mean of Tukey and McLaughlin, 1963).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import fmean, variance
from typing import Final

from nakama_bots.results.compare.bootstrap import Estimate
from nakama_bots.results.compare.profile import Blocks
from nakama_bots.results.record import sparse

TRIMMED: Final = 0.2
"""The share of the pairs that is left out at each end."""
FEWEST: Final = 10
"""Pairs that a change needs: six are then left, which gives five degrees of freedom."""
BEYOND: Final = 2
"""Values beyond a percentile that each side of a pair needs; neighbouring pairs with fewer are joined."""


def wanted(percent: float, rounds: int) -> int:
    """Return the values that each side needs in all, if they are spread evenly over ``rounds`` pairs."""
    return math.ceil(rounds * _needed(percent) / max(1, rounds // FEWEST))


def change(run: Blocks, base: Blocks, percent: float) -> Estimate | None:
    """Return the difference of the logarithms of a percentile; None with fewer than ``FEWEST`` pairs."""
    differences = [
        _log_quantile(mine, percent) - _log_quantile(theirs, percent)
        for mine, theirs in _filled(run.ok, base.ok, _needed(percent))
    ]
    return trimmed_mean(differences) if len(differences) >= FEWEST else None


def trimmed_mean(values: Sequence[float]) -> Estimate:
    """Return the mean without the extreme ones of 4 or more values; its error is by winsorized variance."""
    number = len(values)
    left_out = int(number * TRIMMED)
    kept = number - 2 * left_out
    order = sorted(values)
    middle = order[left_out : left_out + kept]
    winsorized = [*([middle[0]] * left_out), *middle, *([middle[-1]] * left_out)]
    error = math.sqrt((number - 1) * variance(winsorized) / (kept * (kept - 1)))
    return Estimate(fmean(middle), error, kept - 1)


def _log_quantile(values: sparse.Buckets, percent: float) -> float:
    """Return the interpolated quantile: type 8 of Hyndman and Fan (1996), whose median does not depend on the
    number of values, which may differ between the sides.
    """
    order = sorted(values)
    totals = list(accumulate(values[bucket] for bucket in order))
    place = min(max((totals[-1] + 1 / 3) * percent / 100 + 1 / 3, 1.0), totals[-1])
    below, above = (
        math.log(max(sparse.highest_in(order[bisect_left(totals, rank)]), 1))
        for rank in (math.floor(place), math.ceil(place))
    )
    return below + (above - below) * (place % 1)


def _needed(percent: float) -> int:
    return math.ceil(round(BEYOND / (1 - percent / 100), 6))


def _filled(
    run: Sequence[sparse.Buckets], base: Sequence[sparse.Buckets], needed: int
) -> Iterator[tuple[sparse.Buckets, sparse.Buckets]]:
    """Yield pairs with the values needed, neighbours joined if they must be; a rest at the end is unused."""
    sides: tuple[sparse.Buckets, sparse.Buckets] = ({}, {})
    for pair in zip(run, base, strict=True):
        for side, block in zip(sides, pair, strict=True):
            sparse.add(side, block)
        if all(sum(side.values()) >= needed for side in sides):
            yield sides
            sides = ({}, {})
