"""The search for the highest load that a server can hold, where the same load may pass once and fail once.

A trial at load n passes with probability 1 / (1 + exp((log n - log c) / s)): c is the capacity, s how sharp its
edge is. Both are unknown, so the search keeps a probability for every pair on a grid, updates it by Bayes' rule
after each trial, and next tries the most informative load (least expected entropy). This is the
probabilistic bisection of Waeber, Frazier and Henderson (2013) with a logistic edge, and the role of PLRsearch
among the IETF's methods (draft-vpolak-bmwg-plrsearch); where trials never contradict each other it behaves like
the bisection of MLRsearch (draft-ietf-bmwg-mlrsearch), a trial for each halving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.results.capacity.document import Bound

_GRID: Final = 320
_EDGES: Final = (0.002, 0.01, 0.03, 0.08)
"""Sharpness of the edge: at 0.03 loads between 3 % below and above the capacity are uncertain."""
_BEYOND: Final = 0.1
"""Prior probability that the capacity lies below or above the range that is searched."""
_CANDIDATES: Final = 20
TAILS: Final = (0.05, 0.5, 0.95)
WIDTH: Final = 0.1
"""A search ends when its 90 % interval is this narrow, as a share of the capacity."""


@dataclass(frozen=True, slots=True)
class CapacityEstimate:
    """The capacity in units of load, with its 90 % interval.

    ``bound``: at least this if no trial failed, below it if none passed.
    """

    low: float
    value: float
    high: float
    bound: Bound = Bound.INTERVAL

    @property
    def width(self) -> float:
        """The interval as a share of the value."""
        return (self.high - self.low) / self.value


@dataclass(slots=True)
class Bisection:
    """Loads from ``low`` to ``high``; ``limit`` is the least load that the generator could not run, if any."""

    low: int
    high: int
    limit: int | None = None
    passed: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    _places: list[float] = field(init=False, default_factory=list)
    _weights: list[list[float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        span = math.log(self.high / self.low) if self.high > self.low else 0.0
        # A place beyond each end stands for every capacity out there.
        margin = max(span * 0.05, 0.2)
        first, last = math.log(self.low) - margin, math.log(self.high) + margin
        step = (last - first) / (_GRID - 1)
        self._places = [first + step * place for place in range(_GRID)]
        inside = [math.log(self.low) <= place <= math.log(self.high) for place in self._places]
        count = sum(inside) or 1
        prior = [(1 - _BEYOND) / count if there else _BEYOND / (_GRID - count or 1) for there in inside]
        self._weights = [[weight / len(_EDGES) for weight in prior] for _ in _EDGES]

    @property
    def trials(self) -> int:
        """The number of trials that count."""
        return len(self.passed) + len(self.failed)

    def next(self) -> int:
        """Return the load to try next."""
        top = self.high
        if self.limit is not None:
            top = max(self.low, min(self.high, self.limit - 1))
            if not self.failed:  # where the generator ends is all that is left to find out
                return min(top, round(math.sqrt(max(self.passed, default=self.low) * self.limit)))
        if not self.trials:
            return max(self.low, min(top, round(math.sqrt(self.low * self.high))))
        low, _, high = (math.exp(place) for place in self._quantiles((0.02, 0.5, 0.98)))
        low, high = max(self.low, low), min(top, high)
        if high <= low:
            return max(self.low, min(top, round(high)))
        steps = [low * (high / low) ** (step / (_CANDIDATES - 1)) for step in range(_CANDIDATES)]
        loads: list[int] = sorted({max(self.low, min(top, round(load))) for load in steps})
        return min(loads, key=self._expected_entropy, default=self.low)

    def add(self, load: int, *, passed: bool) -> None:
        """Add the result of a trial at ``load``."""
        (self.passed if passed else self.failed).append(load)
        joint = self._joint(load)
        self._weights = _normal([
            row if passed else [weight - share for weight, share in zip(old, row, strict=True)]
            for old, row in zip(self._weights, joint, strict=True)
        ])  # fmt: skip

    def below(self, limit: int) -> Bisection:
        """Return the same search with a ``limit``, without the loads that failed at or above it."""
        other = Bisection(self.low, self.high, limit)
        for load in self.passed:
            other.add(load, passed=True)
        for load in self.failed:
            if load < limit:
                other.add(load, passed=False)
        return other

    def estimate(self) -> CapacityEstimate:
        """Return what is known so far."""
        low, value, high = (math.exp(place) for place in self._quantiles(TAILS))
        if not self.failed:
            best = float(max(self.passed, default=self.low))
            return CapacityEstimate(best, best, best, Bound.AT_LEAST)
        if not self.passed:
            worst = float(min(self.failed))
            return CapacityEstimate(low, min(value, worst), worst, Bound.BELOW)
        return CapacityEstimate(low, value, high)

    def done(self, width: float = WIDTH) -> bool:
        """Whether more trials would not narrow it, or not by much."""
        if not self.trials:
            return False
        if min(self.failed, default=math.inf) <= self.low or self._top_passed(width):
            return True
        estimate = self.estimate()
        # No load lies between two neighbours.
        narrow = estimate.width <= width or estimate.high - estimate.low <= 1.0
        return narrow and estimate.bound is Bound.INTERVAL

    def _top_passed(self, width: float) -> bool:
        """True if no trial has failed, and no greater load can be tried."""
        best = max(self.passed, default=0)
        if self.failed or not best:
            return False
        return best >= self.high if self.limit is None else self.limit <= max(best * (1 + width), best + 1)

    def _joint(self, load: int) -> list[list[float]]:
        """Probability of each capacity and edge together with a trial at ``load`` that passes."""
        there = math.log(load)
        joint = []
        for edge, row in zip(_EDGES, self._weights, strict=True):
            exponents = (max(-60.0, min(60.0, (there - place) / edge)) for place in self._places)
            # A trial may fail or pass for unrelated reasons: one in fifty proves nothing.
            joint.append([
                weight * (0.02 + 0.96 / (1 + math.exp(exponent)))
                for weight, exponent in zip(row, exponents, strict=True)
            ])  # fmt: skip
        return joint

    def _expected_entropy(self, load: int) -> float:
        """Entropy of the capacity, whatever its edge, that is expected after a trial at ``load``."""
        passed = [sum(column) for column in zip(*self._joint(load), strict=True)]
        failed = [
            sum(column) - share for column, share in zip(zip(*self._weights, strict=True), passed, strict=True)
        ]
        return _entropy(passed) + _entropy(failed)

    def _quantiles(self, shares: Sequence[float]) -> list[float]:
        found: list[float] = []
        total, left = 0.0, list(shares)
        for place, column in zip(self._places, zip(*self._weights, strict=True), strict=True):
            total += sum(column)
            while left and total >= left[0]:
                found.append(place)
                left.pop(0)
        return found + [self._places[-1]] * len(left)


def _normal(weights: Sequence[Sequence[float]]) -> list[list[float]]:
    total = sum(map(sum, weights))
    return [[weight / total for weight in row] for row in weights]


def _entropy(shares: Sequence[float]) -> float:
    """Of one outcome, times its probability."""
    total = sum(shares)
    return -sum(share * math.log(share / total) for share in shares if share > 0)
