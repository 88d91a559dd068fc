"""Decides whether a run is slower than its baseline, or whether that is noise. Pure, repeatable by seed.

Each percentile of each name is one test. Its error within a run comes from the block bootstrap
(``bootstrap``), its spread between runs from several baselines. All tests of a comparison hold together with
``CONFIDENCE``: with forty names and three percentiles some change is always "significant" on its own.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import fmean, median, variance
from typing import Final

from nakama_bots.exit_codes import ExitCode
from nakama_bots.observer import ARRIVAL_DELAY, CORRECTED, DELIVERY_LATENCY, TICK_LATENESS
from nakama_bots.results.compare import pairs
from nakama_bots.results.compare.bootstrap import Estimate, failure_share, log_percentiles, student
from nakama_bots.results.compare.comparison import (
    FAILURES,
    JUDGED,
    Comparison,
    CoveragePart,
    Difference,
    Row,
    Side,
    Source,
)
from nakama_bots.results.compare.profile import SAMPLE, Blocks, Profile
from nakama_bots.results.record.recorder import CallKey

SCHEMA: Final = "nakama-bots/comparison/2"

CONFIDENCE: Final = 0.99
"""The probability that no test of a comparison gives a false alarm, one side up and one down."""
OF_A_VALUE: Final = 0.95
"""The confidence of the interval that is shown with a single value."""

PERCENTILES: Final[dict[str, float]] = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
STATISTICS: Final = (*PERCENTILES, FAILURES)

BEYOND: Final = 10
"""A percentile is judged if at least this many values lie beyond it: 200 calls for p95, 1,000 for p99."""

FEWEST_SPREAD: Final = 6
"""And if the calls are spread over the run as over this many evenly filled blocks: a burst is not enough."""

SEVERAL: Final = 3
"""With at least this many baseline runs their spread is used, otherwise ``ASSUMED_SPREAD``."""
ASSUMED_SPREAD: Final = 0.02
"""Standard deviation of a percentile between runs of the same build, as a factor."""

MOST_BASELINES: Final = 20
"""More baselines than this are not suggested."""
LONGEST: Final = 24 * 3600.0
"""Seconds of additional run time beyond which none is suggested."""

GENERATOR: Final = frozenset(
    (SAMPLE, name) for name in (TICK_LATENESS, DELIVERY_LATENCY + CORRECTED, ARRIVAL_DELAY)
)
"""Figures that grow if the bots are late: the figures of the server prove nothing then."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``share`` (0.05: 5 %) applies where ``pattern`` matches ``KIND name statistic``; shell wildcards."""

    pattern: str
    share: float


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Changes to ignore: within a tolerance (the last that matches), or of less than ``floor`` seconds.

    For ``failures`` the tolerance is in percentage points: 0.001 of all calls. If a change by a factor of
    ``1 + noise`` could not have been seen, the figure is too noisy.
    """

    tolerances: tuple[Tolerance, ...] = (Tolerance("*", 0.05), Tolerance(f"* {FAILURES}", 0.001))
    confidence: float = CONFIDENCE
    floor: float = 0.0001
    noise: float = 0.25
    names: tuple[str, ...] = ("*",)
    statistics: tuple[str, ...] = STATISTICS
    seed: int = 1
    required: tuple[str, ...] = ()
    """Patterns of ``KIND name statistic`` that must be judged, by at least one row each."""

    def tolerance(self, subject: str) -> float:
        """Return the share that applies to ``KIND name statistic``."""
        return [rule.share for rule in self.tolerances if fnmatchcase(subject, rule.pattern)][-1]


STANDARD: Final = CompareOptions()
PAIRED: Final = CompareOptions(
    tolerances=(Tolerance("*", 0.02), Tolerance(f"* {FAILURES}", 0.001)), confidence=0.95
)
"""For pairs, which show smaller changes: a false alarm in one of 40 comparisons at most."""


@dataclass(slots=True)
class _Test:
    """A row in progress: the estimates for the run and for each baseline."""

    key: CallKey
    statistic: str
    run: Estimate | None
    baselines: list[Estimate]
    counts: tuple[int, int]
    lacking: str = ""
    least: int = 0
    """Values of the run or baseline with the fewest."""
    wanted: int = 0
    """Values that each of them needs."""
    difference: Estimate | None = None
    """The difference of run and baseline, if they were measured in pairs."""

    @property
    def subject(self) -> str:
        return f"{self.key[0]} {self.key[1]} {self.statistic}"


def compare(run: Profile, baselines: Sequence[Profile], options: CompareOptions = STANDARD) -> Comparison:
    """Compare ``run`` with at least one baseline."""
    tests = [test for key in _keys(run, baselines, options) for test in _tests(key, run, baselines, options)]
    return _comparison(tests, run, baselines, options)


def compare_pairs(run: Profile, base: Profile, options: CompareOptions = PAIRED) -> Comparison:
    """Compare ``run`` with ``base``; block i of both was measured side by side (``ops.paired``).

    The noise of the machine hits both blocks of a pair and cancels out, as does the spread between runs.
    """
    tests = [test for key in _keys(run, [base], options) for test in _tests(key, run, [base], options)]
    rounds = max((len(blocks.ok) for side in (run, base) for blocks in side.rows.values()), default=0)
    for test in tests:
        if test.statistic in PERCENTILES:
            test.wanted = pairs.wanted(PERCENTILES[test.statistic], rounds)
        if not test.lacking:
            _compare_pairs(test, run.rows[test.key], base.rows[test.key], options)
    return _comparison(tests, run, [base], options)


def _comparison(
    tests: Sequence[_Test], run: Profile, baselines: Sequence[Profile], options: CompareOptions
) -> Comparison:
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
        "confidence": options.confidence,
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
    """Return 3 if a figure regressed; 4 if the generator was late, a name is missing or nothing was judged.

    A figure that could not be judged is neither good nor bad, unless it is required or it is all there is.
    """
    if comparison["verdict"] == Difference.REGRESSED:
        return ExitCode.GATE_FAILED
    if (
        comparison["verdict"] in (Difference.LATE, Difference.MISSING, Difference.NOT_JUDGED)
        or comparison["unmet"]
    ):
        return ExitCode.INVALID
    return ExitCode.PASSED


def _more_seconds(seconds: float, factor: float) -> float | None:
    """Return what runs of ``seconds`` lack that must be ``factor`` times as long; None if that is too much."""
    more = seconds * (factor - 1)
    return more if 0 < more <= LONGEST else None


def _more_baselines(run: float, baseline: float, between: float, runs: int, allowed: float) -> int | None:
    """Return how many more than ``runs`` baselines would narrow an interval; None if that does not help.

    Variances of the logarithm: of the run, of the mean of the baselines, between runs, and in all.
    """
    left = allowed - run - between
    if left <= 0:
        return None
    total = math.ceil((baseline * runs + between) / left)
    return max(1, total - runs) if total <= MOST_BASELINES else None


def _coverage(rows: Sequence[Row]) -> CoveragePart:
    """Count what could be judged, and add up what the other figures need."""
    few, noisy = (
        [row for row in rows if row["verdict"] == why] for why in (Difference.TOO_FEW, Difference.NOISY)
    )
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


def _met(pattern: str, rows: Sequence[Row]) -> bool:
    """Whether ``pattern`` matches at least one figure, and every match could be judged."""
    matched = []
    for row in rows:
        name = f"{row['kind']} {row['name']}"
        if fnmatchcase(name, pattern) or fnmatchcase(f"{name} {row['statistic']}", pattern):
            matched.append(row)
    return bool(matched) and all(row["verdict"] in JUDGED for row in matched)


def _totals(rows: Sequence[Row]) -> dict[str, int]:
    counted = Counter(row["verdict"] for row in rows)
    return {one.value: counted[one] for one in Difference if one is not Difference.NOT_JUDGED}


def _verdict(totals: Mapping[str, int], timed: Mapping[str, int]) -> str:
    """Return the verdict; ``timed`` are the rows that depend only on the speed of the server."""
    for verdict in (Difference.LATE, Difference.REGRESSED, Difference.MISSING):
        if totals[verdict]:
            return verdict
    if not timed[Difference.SAME] and not timed[Difference.IMPROVED]:
        return Difference.NOT_JUDGED
    return Difference.IMPROVED if timed[Difference.IMPROVED] else Difference.SAME


def _tells_of_speed(row: Row) -> bool:
    """Whether a row is about the speed of the server: not failures, nor the punctuality of the bots."""
    return row["statistic"] != FAILURES and (row["kind"], row["name"]) not in GENERATOR


def _keys(run: Profile, baselines: Sequence[Profile], options: CompareOptions) -> list[CallKey]:
    keys = set(run.rows).union(*(baseline.rows for baseline in baselines))
    return sorted(key for key in keys if any(fnmatchcase(f"{key[0]} {key[1]}", name) for name in options.names))


def _tests(key: CallKey, run: Profile, baselines: Sequence[Profile], options: CompareOptions) -> list[_Test]:
    mine = run.rows.get(key)
    theirs = [blocks for baseline in baselines if (blocks := baseline.rows.get(key)) is not None]
    sides = [*([mine] if mine is not None else []), *theirs]
    counts = (mine.count if mine else 0, sum(blocks.count for blocks in theirs))
    least = min(blocks.count for blocks in sides)
    tests = []
    for statistic in options.statistics:
        lacking = _lacking(mine, theirs, statistic)
        if statistic == FAILURES and not any(blocks.failures for blocks in sides):
            continue
        tests.append(_Test(key, statistic, None, [], counts, lacking, least, _wanted(statistic)))
        if lacking in (Difference.MISSING, Difference.NEW):
            break
    ready = [test for test in tests if not test.lacking]
    if not ready or mine is None:
        return tests
    # A generator per name: the presence of another name must not change the verdict on this one.
    estimates = [
        _estimates(blocks, [test.statistic for test in ready], f"{options.seed} {key} {number}")
        for number, blocks in enumerate(sides)
    ]
    for position, test in enumerate(ready):
        test.run, *test.baselines = [of_run[position] for of_run in estimates]
    return tests


def _lacking(mine: Blocks | None, theirs: Sequence[Blocks], statistic: str) -> str:
    """Return why a name cannot be judged, "" if it can."""
    if not theirs:
        return Difference.NEW
    if mine is None:
        enough = all(_enough(blocks, "p50") for blocks in theirs)
        return Difference.MISSING if enough else Difference.TOO_FEW
    return "" if all(_enough(blocks, statistic) for blocks in (mine, *theirs)) else Difference.TOO_FEW


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
    percents = [PERCENTILES[statistic] for statistic in statistics if statistic in PERCENTILES]
    found = log_percentiles(blocks, percents, generator) if percents else []
    if FAILURES in statistics:  # the last of STATISTICS
        found.append(failure_share(blocks, generator))
    return found


def _compare_pairs(test: _Test, run: Blocks, base: Blocks, options: CompareOptions) -> None:
    if test.statistic == FAILURES:
        test.difference = failure_share(run, random.Random(f"{options.seed} {test.key} pairs"), base=base)
        return
    test.difference = pairs.change(run, base, PERCENTILES[test.statistic])
    if test.difference is None:
        test.lacking, test.run = Difference.TOO_FEW, None


def _spread(tests: Sequence[_Test], statistic: str) -> float:
    """Return the typical standard deviation between runs over all names; assumed while there are few runs."""
    own = [_own_spread(test) for test in tests if test.statistic == statistic and _several(test)]
    if statistic == FAILURES:
        return 0.0
    return median(own) if own else ASSUMED_SPREAD


def _several(test: _Test) -> bool:
    return len(test.baselines) >= SEVERAL


def _own_spread(test: _Test) -> float:
    """Return the spread of the baselines beyond their own errors."""
    within = fmean(estimate.error**2 for estimate in test.baselines)
    return math.sqrt(max(0.0, variance(estimate.value for estimate in test.baselines) - within))


def _row(test: _Test, spread: float, tests: int, seconds: float, options: CompareOptions) -> Row:
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
        if test.lacking == Difference.TOO_FEW and test.least:
            row["more_seconds"] = _more_seconds(seconds, test.wanted / test.least)
        return row
    if test.difference is not None:
        spread = 0.0
    elif _several(test):
        # A name that differs more from run to run than most keeps its own spread.
        spread = max(spread, _own_spread(test))
    base = _mean(test.baselines)
    difference = test.difference or _difference(test.run, base, spread**2 * (1 + 1 / len(test.baselines)))
    quantile = student(1 - (1 - options.confidence) / 2 / tests, difference.freedom)
    reach, change = quantile * difference.error, difference.value
    row["run"] = _side(test.counts[0], test.run, test.statistic)
    row["baseline"] = _side(test.counts[1], base, test.statistic)
    shown = _points if test.statistic == FAILURES else _share
    row["change"], row["change_low"], row["change_high"] = map(shown, (change, change - reach, change + reach))
    row["verdict"] = _judge(test, base, change, reach, tolerance, options)
    if row["verdict"] == Difference.NOISY:
        allowed, runs = (math.log1p(options.noise) / quantile) ** 2, len(test.baselines)
        between = spread**2 * (1 + 1 / runs)
        if allowed > between:
            row["more_seconds"] = _more_seconds(seconds, (difference.error**2 - between) / (allowed - between))
        if test.difference is None:
            errors = test.run.error**2, base.error**2
            row["more_baselines"] = _more_baselines(*errors, spread**2, runs, allowed)
    return row


def _judge(
    test: _Test, base: Estimate, change: float, reach: float, tolerance: float, options: CompareOptions
) -> str:
    assert test.run is not None
    if test.statistic == FAILURES:
        beyond = abs(change) > tolerance
        noisy = False
    else:
        in_seconds = math.exp(base.value) * abs(math.expm1(change))
        # Symmetric: half as slow is as far away as twice as slow.
        beyond = abs(change) > math.log1p(tolerance) and in_seconds >= options.floor
        noisy = reach > math.log1p(options.noise)
    if beyond and abs(change) > reach:
        if change > 0:
            return Difference.LATE if test.key in GENERATOR else Difference.REGRESSED
        return Difference.IMPROVED
    return Difference.NOISY if noisy else Difference.SAME


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    number = len(estimates)
    error = math.sqrt(sum(estimate.error**2 for estimate in estimates)) / number
    freedom = sum(estimate.freedom for estimate in estimates)
    return Estimate(fmean(estimate.value for estimate in estimates), error, freedom)


def _difference(run: Estimate, base: Estimate, between: float) -> Estimate:
    """Freedom by Welch and Satterthwaite; the variance between runs, pooled over names, counts as known."""
    total = run.error**2 + base.error**2 + between
    parts = run.error**4 / run.freedom + base.error**4 / base.freedom
    freedom = total**2 / parts if parts > 0 else math.inf
    return Estimate(run.value - base.value, math.sqrt(total), freedom)


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
    """Return reasons why the figures may differ even if the server is the same."""
    mine, others = _facts(run), [_facts(baseline) for baseline in baselines]
    return [
        f"another {what}: {value} against {', '.join(different)}"
        for what, value in mine.items()
        if (different := dict.fromkeys(str(other[what]) for other in others if _differ(other[what], value)))
    ]


def _differ(one: object, other: object) -> bool:
    """What a run did not do, or an earlier version did not note, is None."""
    return one is not None and other is not None and one != other


def _facts(profile: Profile) -> dict[str, object]:
    return {
        "scenario": profile.run["scenario"],
        "users": profile.run["users"],
        "kind of target": "the emulator" if profile.target["is_emulator"] else "a server",
        "version of nakama_bots": profile.versions.get("nakama_bots"),
        **{f"way of timing {what}": profile.timed.get(what) for what in ("sockets", "REST")},
    }
