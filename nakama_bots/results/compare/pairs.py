"""The change between two sides whose blocks were measured in pairs, one right after the other. Pure.

A machine with other work stops one side of some pairs for tens of milliseconds. Added up, these pairs would
decide the high percentiles. Each pair is therefore compared by itself, and the mean of all pairs leaves out the
most extreme fifth at each end (the trimmed mean of Tukey and McLaughlin, 1963).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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


def wanted(percent: float) -> int:
    """Return the values that each side needs in all."""
    return FEWEST * _needed(percent)


def change(run: Blocks, base: Blocks, percent: float) -> Estimate | None:
    """Return the difference of the logarithms of a percentile; None with fewer than ``FEWEST`` pairs."""
    differences = []
    for mine, theirs in _filled(run.ok, base.ok, _needed(percent)):
        high, low = (sparse.percentiles(side, (percent,))[0] or 0.0 for side in (mine, theirs))
        differences.append(math.log(max(high, 1e-6) / max(low, 1e-6)))
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
