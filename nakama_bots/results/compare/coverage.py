"""How much of a comparison could be judged, and what it would take to judge the rest.

A figure needs enough values beyond its percentile, and an interval that is narrow enough to show a change of
the size that counts. More time shrinks the error within a run; more baselines shrink the error of the
baseline's mean and of the spread between runs. The estimates use that both fall with the number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypedDict

MOST_BASELINES: Final = 20
"""More baselines than this are not suggested."""
LONGEST: Final = 24 * 3600.0
"""Seconds of additional run time beyond which none is suggested."""


class CoveragePart(TypedDict):
    """``judged`` of all ``figures``.

    ``too_few`` lack values and ``too_noisy`` are uncertain; ``more_seconds`` of each run or ``more_baselines``
    would judge all of those that can be judged at all (null: that alone does not help).
    """

    judged: int
    figures: int
    too_few: int
    too_noisy: int
    more_seconds: float | None
    more_baselines: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """What one figure needs to be judged; None where it would not help."""

    seconds: float | None
    baselines: int | None


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Where a figure's uncertainty comes from: variances of run and baseline mean, and between runs.

    ``runs`` is the number of baselines, ``quantile`` the factor from standard error to interval, ``limit`` the
    half width that is narrow enough; all on the scale of the logarithm.
    """

    run: float
    baseline: float
    between: float
    runs: int
    quantile: float
    limit: float

    def need(self, seconds: float) -> Need:
        """What it takes from runs of ``seconds``."""
        allowed = (self.limit / self.quantile) ** 2
        return Need(self._time(allowed, seconds), self._baselines(allowed))

    def _time(self, allowed: float, seconds: float) -> float | None:
        left = allowed - self.between * (1 + 1 / self.runs)
        if left <= 0:
            return None
        more = seconds * ((self.run + self.baseline) / left - 1)
        return more if more <= LONGEST else None

    def _baselines(self, allowed: float) -> int | None:
        left = allowed - self.run - self.between
        if left <= 0:
            return None
        total = math.ceil((self.baseline * self.runs + self.between) / left)
        return max(1, total - self.runs) if total <= MOST_BASELINES else None


def need_of_values(least: int, wanted: float, seconds: float) -> Need:
    """The time that a run of ``seconds`` with ``least`` values needs for ``wanted`` values."""
    if not least:
        return Need(None, None)
    more = seconds * (wanted / least - 1)
    return Need(more if 0 < more <= LONGEST else None, None)


def coverage(judged: int, too_few: Iterable[Need], too_noisy: Iterable[Need]) -> CoveragePart:
    """Sum up the needs of all figures."""
    few, noisy = list(too_few), list(too_noisy)
    needs = [*few, *noisy]
    seconds = [need.seconds for need in needs if need.seconds is not None]
    baselines = [need.baselines for need in needs if need.baselines is not None]
    return {
        "judged": judged,
        "figures": judged + len(needs),
        "too_few": len(few),
        "too_noisy": len(noisy),
        "more_seconds": round(max(seconds), 1) if seconds else None,
        "more_baselines": max(baselines) if baselines else None,
    }


def coverage_text(part: CoveragePart) -> str:
    """Coverage in words: ``12 of 45 figures could be judged, 21 with too few calls ..``."""
    text = f"{part['judged']} of {part['figures']} figures could be judged"
    reasons = [
        f"{number} {why}"
        for number, why in ((part["too_few"], "with too few calls"), (part["too_noisy"], "too noisy"))
        if number
    ]
    if not reasons:
        return text
    remedies = []
    if part["more_seconds"] is not None:
        remedies.append(_duration(part["more_seconds"]))
    if part["more_baselines"] is not None:
        number = part["more_baselines"]
        remedies.append(f"{number} more baseline{'s' if number > 1 else ''}")
    advice = " or ".join(remedies) or "a quieter machine or a paired run"
    return f"{text}, {' and '.join(reasons)} (to judge more: {advice})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} more seconds"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} more minutes"
