"""Whether a run became slower than its baseline, or whether that is noise. Pure, and the same for a seed.

Each percentile of each name is one test. Its error within a run comes from the block bootstrap
(``bootstrap``), its spread between runs from several baselines. All tests of a comparison hold together with
``CONFIDENCE``: with forty names and three percentiles some change is always "significant" on its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import fmean, median, variance
from typing import Final, TypedDict

from nakama_bots.exit_codes import ExitCode
from nakama_bots.observer import ARRIVAL_DELAY, CORRECTED, DELIVERY_LATENCY, TICK_LATENESS
from nakama_bots.results.compare.bootstrap import Estimate, failure_share, log_percentiles, student
from nakama_bots.results.compare.coverage import CoveragePart, Need, Uncertainty, coverage, need_of_values
from nakama_bots.results.compare.profile import SAMPLE, Blocks, Profile, WindowPart
from nakama_bots.results.record.recorder import CallKey

SCHEMA: Final = "nakama-bots/comparison/2"
CONFIDENCE: Final = 0.99
"""That no test of a comparison gives a false alarm, one side up and one down."""
OF_A_VALUE: Final = 0.95
"""Of the interval that is shown with a single value."""

PERCENTILES: Final[dict[str, float]] = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
FAILURES: Final = "failures"
STATISTICS: Final = (*PERCENTILES, FAILURES)

BEYOND: Final = 10
"""A percentile is judged when so many values lie beyond it: 200 calls for p95, 1,000 for p99."""

FEWEST_SPREAD: Final = 6
"""And when the calls are spread over the run as over so many evenly filled blocks: a burst tells of itself."""

SEVERAL: Final = 3
"""From so many baseline runs on their spread is used; before, ``ASSUMED_SPREAD`` is."""
ASSUMED_SPREAD: Final = 0.02
"""Standard deviation of a percentile between runs of the same build, as a factor."""

REGRESSED, IMPROVED, SAME, NOISY = "regressed", "improved", "same", "too noisy"
TOO_FEW, MISSING, NEW = "too few", "missing", "new"
NOT_JUDGED: Final = "not judged"
"""The verdict on a comparison without a figure that could be judged."""
LATE: Final = "generator late"
JUDGED: Final = frozenset({REGRESSED, IMPROVED, SAME, LATE})

GENERATOR: Final = frozenset(
    (SAMPLE, name) for name in (TICK_LATENESS, DELIVERY_LATENCY + CORRECTED, ARRIVAL_DELAY)
)
"""What becomes longer when our own bots are late: the server's figures prove nothing then."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``share`` (0.05: 5 %) holds where ``pattern`` fits ``KIND name statistic``; shell wildcards."""

    pattern: str
    share: float


@dataclass(frozen=True, slots=True)
class Options:
    """What is no news: changes within a tolerance (the last that fits), or of less than ``floor`` seconds.

    For ``failures`` the tolerance is in percentage points: 0.001 of all calls. When a change of a factor
    ``1 + noise`` could not have been seen, the verdict is that it is too noisy.
    """

    tolerances: tuple[Tolerance, ...] = (Tolerance("*", 0.05), Tolerance(f"* {FAILURES}", 0.001))
    floor: float = 0.0001
    noise: float = 0.25
    names: tuple[str, ...] = ("*",)
    statistics: tuple[str, ...] = STATISTICS
    seed: int = 1
    required: tuple[str, ...] = ()
    """Patterns of ``KIND name statistic`` that must be judged, by at least one row each."""

    def tolerance(self, subject: str) -> float:
        """The share that holds for ``KIND name statistic``."""
        return [rule.share for rule in self.tolerances if fnmatchcase(subject, rule.pattern)][-1]


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


@dataclass(slots=True)
class _Test:
    """One row on its way: what was estimated of the run and of each baseline."""

    key: CallKey
    statistic: str
    run: Estimate | None
    baselines: list[Estimate]
    counts: tuple[int, int]
    lacking: str = ""
    least: int = 0
    """Values of the run, or of the baseline, that has the fewest."""

    @property
    def subject(self) -> str:
        return f"{self.key[0]} {self.key[1]} {self.statistic}"


def compare(run: Profile, baselines: Sequence[Profile], options: Options | None = None) -> Comparison:
    """``run`` against at least one baseline."""
    options = options or Options()
    tests = [test for key in _keys(run, baselines, options) for test in _tests(key, run, baselines, options)]
    judged = [test for test in tests if not test.lacking]
    seconds = min(profile.window["seconds"] for profile in (run, *baselines))
    spread = {statistic: _spread(judged, statistic) for statistic in options.statistics}
    rows = [_row(test, spread[test.statistic], len(judged), seconds, options) for test in tests]
    totals = _totals(rows)
    return {
        "schema": SCHEMA,
        "verdict": _verdict(totals, _totals([row for row in rows if _tells_of_speed(row)] or rows)),
        "run": _source(run),
        "baselines": [_source(baseline) for baseline in baselines],
        "confidence": CONFIDENCE,
        "tests": len(judged),
        "seed": options.seed,
        "spread": {statistic: round(value, 5) for statistic, value in spread.items()},
        "warnings": _warnings(run, baselines),
        "coverage": _coverage(rows),
        "unmet": [pattern for pattern in options.required if not _met(pattern, rows)],
        "totals": totals,
        "rows": rows,
    }


def exit_code(comparison: Comparison) -> ExitCode:
    """3 when a figure regressed; 4 when the generator was late, a name is missing or nothing was judged.

    A figure that could not be judged is neither good nor bad, unless it is required or it is all there is.
    """
    if comparison["verdict"] == REGRESSED:
        return ExitCode.GATE_FAILED
    if comparison["verdict"] in (LATE, MISSING, NOT_JUDGED) or comparison["unmet"]:
        return ExitCode.INVALID
    return ExitCode.PASSED


def _coverage(rows: Sequence[Row]) -> CoveragePart:
    needs = {
        verdict: [Need(row["more_seconds"], row["more_baselines"]) for row in rows if row["verdict"] == verdict]
        for verdict in (TOO_FEW, NOISY)
    }
    return coverage(sum(row["verdict"] in JUDGED for row in rows), needs[TOO_FEW], needs[NOISY])


def _met(pattern: str, rows: Sequence[Row]) -> bool:
    """Whether ``pattern`` matches a figure, and every figure that it matches could be judged."""
    matched = [
        row
        for row in rows
        if any(
            fnmatchcase(subject, pattern)
            for subject in (f"{row['kind']} {row['name']}", f"{row['kind']} {row['name']} {row['statistic']}")
        )
    ]
    return bool(matched) and all(row["verdict"] in JUDGED for row in matched)


def _totals(rows: Sequence[Row]) -> dict[str, int]:
    return {
        verdict: sum(row["verdict"] == verdict for row in rows)
        for verdict in (REGRESSED, LATE, IMPROVED, SAME, NOISY, TOO_FEW, MISSING, NEW)
    }


def _verdict(totals: Mapping[str, int], timed: Mapping[str, int]) -> str:
    """``timed``: of what tells of the server's speed alone."""
    for verdict in (LATE, REGRESSED, MISSING):
        if totals[verdict]:
            return verdict
    if not timed[SAME] and not timed[IMPROVED]:
        return NOT_JUDGED
    return IMPROVED if timed[IMPROVED] else SAME


def _tells_of_speed(row: Row) -> bool:
    """Not that as many calls fail as before, nor that our own bots are as punctual."""
    return row["statistic"] != FAILURES and (row["kind"], row["name"]) not in GENERATOR


def _keys(run: Profile, baselines: Sequence[Profile], options: Options) -> list[CallKey]:
    keys = set(run.rows).union(*(baseline.rows for baseline in baselines))
    return sorted(key for key in keys if any(fnmatchcase(f"{key[0]} {key[1]}", name) for name in options.names))


def _tests(key: CallKey, run: Profile, baselines: Sequence[Profile], options: Options) -> list[_Test]:
    mine = run.rows.get(key)
    theirs = [blocks for baseline in baselines if (blocks := baseline.rows.get(key)) is not None]
    counts = (mine.count if mine else 0, sum(blocks.count for blocks in theirs))
    least = min((blocks.count for blocks in (*theirs, *([mine] if mine else ()))), default=0)
    tests = []
    for statistic in options.statistics:
        lacking = _lacking(mine, theirs, statistic)
        if statistic == FAILURES and not any(
            blocks.failures for blocks in (*theirs, *([mine] if mine else ()))
        ):
            continue
        tests.append(_Test(key, statistic, None, [], counts, lacking, least))
        if lacking in (MISSING, NEW):
            break
    ready = [test for test in tests if not test.lacking]
    if not ready or mine is None:
        return tests
    # A generator for each name: whether another name is there must not change this one's verdict.
    estimates = [
        _estimates(blocks, [test.statistic for test in ready], f"{options.seed} {key} {number}")
        for number, blocks in enumerate([mine, *theirs])
    ]
    for position, test in enumerate(ready):
        test.run, *test.baselines = [of_run[position] for of_run in estimates]
    return tests


def _lacking(mine: Blocks | None, theirs: Sequence[Blocks], statistic: str) -> str:
    """Why a name cannot be judged, "" when it can."""
    if not theirs:
        return NEW
    if mine is None:
        enough = all(_enough(blocks, "p50") for blocks in theirs)
        return MISSING if enough else TOO_FEW
    return "" if all(_enough(blocks, statistic) for blocks in (mine, *theirs)) else TOO_FEW


def _enough(blocks: Blocks, statistic: str) -> bool:
    if blocks.spread_over < FEWEST_SPREAD:
        return False
    if statistic == FAILURES:
        return blocks.count + blocks.failures >= BEYOND
    return blocks.count >= _wanted(statistic)


def _wanted(statistic: str) -> int:
    """Values that ``statistic`` needs in each run."""
    if statistic == FAILURES:
        return BEYOND
    return round(BEYOND / (1 - PERCENTILES[statistic] / 100))


def _estimates(blocks: Blocks, statistics: Sequence[str], seed: str) -> list[Estimate]:
    generator = random.Random(seed)
    names = [statistic for statistic in statistics if statistic in PERCENTILES]
    found = dict(
        zip(names, log_percentiles(blocks, [PERCENTILES[name] for name in names], generator), strict=True)
        if names
        else ()
    )
    if FAILURES in statistics:
        found[FAILURES] = failure_share(blocks, generator)
    return [found[statistic] for statistic in statistics]


def _spread(tests: Sequence[_Test], statistic: str) -> float:
    """The standard deviation between runs, typical of all names; assumed while there are few runs."""
    own = [_own_spread(test) for test in tests if test.statistic == statistic and _several(test)]
    if statistic == FAILURES:
        return 0.0
    return median(own) if own else ASSUMED_SPREAD


def _several(test: _Test) -> bool:
    return len(test.baselines) >= SEVERAL


def _own_spread(test: _Test) -> float:
    """What the baselines differ by beyond their own errors."""
    within = fmean(estimate.error**2 for estimate in test.baselines)
    return math.sqrt(max(0.0, variance(estimate.value for estimate in test.baselines) - within))


def _row(test: _Test, spread: float, tests: int, seconds: float, options: Options) -> Row:
    tolerance = options.tolerance(test.subject)
    row: Row = {
        "kind": test.key[0],
        "name": test.key[1],
        "statistic": test.statistic,
        "run": _side(test.counts[0], None, test.statistic),
        "baseline": _side(test.counts[1], None, test.statistic),
        "change": None,
        "change_low": None,
        "change_high": None,
        "tolerance": tolerance,
        "more_seconds": None,
        "more_baselines": None,
        "verdict": test.lacking,
    }
    if test.run is None:
        if test.lacking == TOO_FEW:
            row["more_seconds"] = need_of_values(test.least, _wanted(test.statistic), seconds).seconds
        return row
    if _several(test):
        # A name that differs more from run to run than most do is given that.
        spread = max(spread, _own_spread(test))
    base = _mean(test.baselines)
    between = spread**2 * (1 + 1 / len(test.baselines))
    error = math.sqrt(test.run.error**2 + base.error**2 + between)
    quantile = student(1 - (1 - CONFIDENCE) / 2 / tests, _freedom(test.run, base, between))
    reach = quantile * error
    change = test.run.value - base.value
    row["run"] = _side(test.counts[0], test.run, test.statistic)
    row["baseline"] = _side(test.counts[1], base, test.statistic)
    shown = _points if test.statistic == FAILURES else _share
    row["change"], row["change_low"], row["change_high"] = map(shown, (change, change - reach, change + reach))
    row["verdict"] = _judge(test, base, change, reach, tolerance, options)
    if row["verdict"] == NOISY:
        need = Uncertainty(
            test.run.error**2,
            base.error**2,
            spread**2,
            len(test.baselines),
            quantile,
            math.log1p(options.noise),
        ).need(seconds)
        row["more_seconds"], row["more_baselines"] = need.seconds, need.baselines
    return row


def _judge(test: _Test, base: Estimate, change: float, reach: float, tolerance: float, options: Options) -> str:
    assert test.run is not None
    if test.statistic == FAILURES:
        beyond = abs(change) > tolerance
        noisy = False
    else:
        in_seconds = abs(math.exp(test.run.value) - math.exp(base.value))
        # Down as far as up: half as slow is as far as twice as slow.
        beyond = abs(change) > math.log1p(tolerance) and in_seconds >= options.floor
        noisy = reach > math.log1p(options.noise)
    if beyond and abs(change) > reach:
        if change > 0:
            return LATE if test.key in GENERATOR else REGRESSED
        return IMPROVED
    return NOISY if noisy else SAME


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    number = len(estimates)
    error = math.sqrt(sum(estimate.error**2 for estimate in estimates)) / number
    freedom = sum(estimate.freedom for estimate in estimates)
    return Estimate(fmean(estimate.value for estimate in estimates), error, freedom)


def _freedom(run: Estimate, base: Estimate, between: float) -> float:
    """Welch and Satterthwaite's; the spread between runs, pooled over names, counts as known."""
    total = run.error**2 + base.error**2 + between
    parts = run.error**4 / run.freedom + base.error**4 / base.freedom
    return total**2 / parts if parts > 0 else math.inf


def _side(count: int, estimate: Estimate | None, statistic: str) -> Side:
    if estimate is None:
        return {"count": count, "value": None, "low": None, "high": None}
    reach = student(1 - (1 - OF_A_VALUE) / 2, estimate.freedom) * estimate.error
    shown = _percent if statistic == FAILURES else _ms
    value, low, high = map(shown, (estimate.value, estimate.value - reach, estimate.value + reach))
    return {"count": count, "value": value, "low": low, "high": high}


def _ms(logarithm: float) -> float:
    return round(math.exp(logarithm) * 1e3, 3)


def _percent(share: float) -> float:
    return round(min(max(share, 0.0), 1.0) * 100, 3)


def _points(share: float) -> float:
    return round(share * 100, 3)


def _share(logarithm: float) -> float:
    return round(math.expm1(logarithm), 4)


def _source(profile: Profile) -> Source:
    return {
        "label": profile.label,
        "scenario": profile.run["scenario"],
        "started": profile.run["started"],
        "users": profile.run["users"],
        "target": profile.target["url"],
        "is_emulator": profile.target["is_emulator"],
        "window": profile.window,
    }


def _warnings(run: Profile, baselines: Sequence[Profile]) -> list[str]:
    """Why the figures may differ though the server is the same."""
    compared: tuple[tuple[str, object, list[object]], ...] = (
        ("scenario", run.run["scenario"], [baseline.run["scenario"] for baseline in baselines]),
        ("users", run.run["users"], [baseline.run["users"] for baseline in baselines]),
        (
            "kind of target",
            _kind_of_target(run),
            [_kind_of_target(baseline) for baseline in baselines],
        ),
        (
            "version of nakama_bots",
            run.versions.get("nakama_bots"),
            [baseline.versions.get("nakama_bots") for baseline in baselines],
        ),
    )
    return [
        f"another {what}: {mine} against {', '.join(map(str, dict.fromkeys(theirs)))}"
        for what, mine, theirs in compared
        if any(other != mine for other in theirs)
    ]


def _kind_of_target(profile: Profile) -> str:
    return "the emulator" if profile.target["is_emulator"] else "a server"
