"""How much of a comparison could be judged, and what it would take to judge the rest.

A figure needs enough values beyond its percentile, and an interval that is narrow enough to show a change of
the size that counts. More time shrinks the error within a run; more baselines shrink the error of the
baseline's mean and of the spread between runs. The estimates use that both fall with the number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from nakama_bots.results.compare.comparison import JUDGED, CoveragePart, Finding, Row

MOST_BASELINES: Final = 20
"""More baselines than this are not suggested."""
LONGEST: Final = 24 * 3600.0
"""Seconds of additional run time beyond which none is suggested."""


def more_seconds(seconds: float, factor: float) -> float | None:
    """Return what runs of ``seconds`` lack that must be ``factor`` times as long; None if that is too much."""
    more = seconds * (factor - 1)
    return more if 0 < more <= LONGEST else None


def more_baselines(run: float, baseline: float, between: float, runs: int, allowed: float) -> int | None:
    """Return how many more than ``runs`` baselines would narrow an interval; None if that does not help.

    Variances of the logarithm: of the run, of the mean of the baselines, between runs, and in all.
    """
    left = allowed - run - between
    if left <= 0:
        return None
    total = math.ceil((baseline * runs + between) / left)
    return max(1, total - runs) if total <= MOST_BASELINES else None


def coverage(rows: Sequence[Row]) -> CoveragePart:
    """Count what could be judged, and add up what the other figures need."""
    few, noisy = ([row for row in rows if row["verdict"] == why] for why in (Finding.TOO_FEW, Finding.NOISY))
    judged = sum(row["verdict"] in JUDGED for row in rows)
    seconds = [row["more_seconds"] for row in (*few, *noisy) if row["more_seconds"] is not None]
    return {
        "judged": judged,
        "figures": judged + len(few) + len(noisy),
        "too_few": len(few),
        "too_noisy": len(noisy),
        "more_seconds": round(max(seconds), 1) if seconds else None,
        "more_baselines": max((row["more_baselines"] or 0 for row in noisy), default=0) or None,
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
