"""The result of a comparison: its verdicts and its document, shared by computation and display."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypedDict

from nakama_bots.results.compare.profile import WindowPart


class Difference(StrEnum):
    """How a figure, or a whole run, differs from the baselines."""

    REGRESSED = "regressed"
    LATE = "generator late"
    IMPROVED = "improved"
    SAME = "same"
    NOISY = "too noisy"
    TOO_FEW = "too few"
    MISSING = "missing"
    NEW = "new"
    NOT_JUDGED = "not judged"
    """No figure of the run could be judged."""


JUDGED: Final = frozenset({Difference.REGRESSED, Difference.IMPROVED, Difference.SAME, Difference.LATE})

FAILURES: Final = "failures"
"""The statistic beside the percentiles: the share of failed calls."""


class Side(TypedDict):
    """A value with its own 95 % interval (null: none); ``count`` calls went into it, all runs together."""

    count: int
    value: float | None
    low: float | None
    high: float | None


class Row(TypedDict):
    """One statistic of one name. Percentiles in milliseconds, their change as a share (0.1: 10 % slower).

    ``failures`` in percent of all calls, their change in percentage points. ``change_low`` and ``change_high``
    hold for all rows together. A figure that could not be judged would be after ``more_seconds`` of each run or
    with ``more_baselines`` (null: that does not help).
    """

    kind: str
    name: str
    statistic: str
    run: Side
    baseline: Side
    change: float | None
    change_low: float | None
    change_high: float | None
    tolerance: float
    more_seconds: float | None
    more_baselines: int | None
    verdict: str


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


class Source(TypedDict):
    """What was compared."""

    label: str
    scenario: str
    started: str
    users: int
    target: str
    is_emulator: bool
    window: WindowPart


class Comparison(TypedDict):
    """The whole comparison.

    ``spread`` is the assumed or estimated standard deviation between runs of one build, by statistic; ``unmet``
    lists the required figures that could not be judged.
    """

    schema: str
    verdict: str
    run: Source
    baselines: list[Source]
    confidence: float
    tests: int
    seed: int
    spread: dict[str, float]
    warnings: list[str]
    coverage: CoveragePart
    unmet: list[str]
    totals: dict[str, int]
    rows: list[Row]
