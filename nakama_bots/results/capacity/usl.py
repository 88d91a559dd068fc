"""The Universal Scalability Law over the trials of a search (Gunther, "Guerrilla Capacity Planning", 2007).

Throughput of N players is X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): lambda is what one player
gets done alone, sigma the share that queues for something common (contention), kappa what players cost each
other (coherency). N / X is linear in three coefficients, so NumPy's least squares fits it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from nakama_bots.results.capacity.document import UslPart

FEWEST_LOADS: Final = 4


def throughput(law: UslPart, load: float) -> float:
    """Return the successful calls per second of ``load`` players."""
    return law["lam"] * load / (1 + law["contention"] * (load - 1) + law["coherency"] * load * (load - 1))


def fit(points: Sequence[tuple[float, float]]) -> UslPart | None:
    """Return the law of ``points`` (load, throughput); None with too few loads or without NumPy."""
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
    return max(laws, key=lambda law: law["r2"], default=None)


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


def _law(coefficients: Sequence[float], points: Sequence[tuple[float, float]]) -> UslPart:
    first, second, third = coefficients
    sigma, kappa = second / first, third / first
    peak = math.sqrt((1 - sigma) / kappa) if kappa > 0 and sigma < 1 else None
    law: UslPart = {"lam": 1 / first, "contention": sigma, "coherency": kappa, "r2": 1.0, "peak": peak}
    mean = sum(rate for _, rate in points) / len(points)
    total = sum((rate - mean) ** 2 for _, rate in points)
    if total:
        law["r2"] = 1 - sum((rate - throughput(law, load)) ** 2 for load, rate in points) / total
    return law


def _numpy() -> Any:
    try:
        import numpy  # noqa: ICN001, PLC0415  -- an extra
    except ImportError:
        return None
    return numpy
