"""The Universal Scalability Law over the trials of a search (Gunther, "Guerrilla Capacity Planning", 2007).

Throughput of N players is X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): lambda is what one player
gets done alone, sigma the share that queues for something common (contention), kappa what players cost each
other (coherency). N / X is linear in three coefficients, so NumPy's least squares fits it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

FEWEST_LOADS: Final = 4
LIBRARY: Final = "numpy"


@dataclass(frozen=True, slots=True)
class Usl:
    """The fitted law; ``r2`` is the share of the variance of X that it explains."""

    lam: float
    sigma: float
    kappa: float
    r2: float

    def at(self, load: float) -> float:
        """Throughput of ``load`` players."""
        return self.lam * load / (1 + self.sigma * (load - 1) + self.kappa * load * (load - 1))

    @property
    def peak(self) -> float | None:
        """The load with the greatest throughput; None where it grows without end."""
        return math.sqrt((1 - self.sigma) / self.kappa) if self.kappa > 0 and self.sigma < 1 else None


def fit(points: Sequence[tuple[float, float]]) -> Usl | None:
    """The law of ``points`` (load, throughput); None with too few loads or without NumPy."""
    numpy = _numpy()
    measured = [(load, rate) for load, rate in points if load > 0 and rate > 0]
    if numpy is None or len({load for load, _ in measured}) < FEWEST_LOADS:
        return None
    columns = [[1.0, load - 1, load * (load - 1)] for load, _ in measured]
    wanted = [load / rate for load, rate in measured]
    fits = [
        found
        for kept in ((0, 1, 2), (0, 1), (0, 2), (0,))
        if (found := _coefficients(numpy, columns, wanted, kept)) is not None
    ]
    laws = [_law(found, measured) for found in fits]
    return max(laws, key=lambda law: law.r2, default=None)


def _coefficients(
    numpy: Any, columns: Sequence[Sequence[float]], wanted: Sequence[float], kept: Sequence[int]
) -> list[float] | None:
    """The coefficients of the ``kept`` columns, 0 for the others; None where one would be negative."""
    matrix = numpy.array([[row[column] for column in kept] for row in columns])
    solved = numpy.linalg.lstsq(matrix, numpy.array(wanted), rcond=None)[0]
    found = [0.0, 0.0, 0.0]
    for column, value in zip(kept, solved, strict=True):
        found[column] = float(value)
    return found if found[0] > 0 and min(found) >= 0 else None


def _law(coefficients: Sequence[float], points: Sequence[tuple[float, float]]) -> Usl:
    first, second, third = coefficients
    law = Usl(1 / first, second / first, third / first, 0.0)
    mean = sum(rate for _, rate in points) / len(points)
    total = sum((rate - mean) ** 2 for _, rate in points)
    left = sum((rate - law.at(load)) ** 2 for load, rate in points)
    return Usl(law.lam, law.sigma, law.kappa, 1 - left / total if total else 1.0)


def _numpy() -> Any:
    try:
        import numpy  # noqa: ICN001, PLC0415  -- an extra
    except ImportError:
        return None
    return numpy
