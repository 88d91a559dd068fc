"""The rules of a gate and their evaluation. Pure: over a ``Window``, live or afterwards.

Missing data fails: a rule that matches no name or has too few samples does not pass.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from nakama_bots.errors import NakamaError
from nakama_bots.results.gate.metrics import FAMILIES, Metric, MetricFamily, Unit
from nakama_bots.results.record.gauges import unit_of
from nakama_bots.results.record.recorder import no_pause
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.record.window import Window, whole_run, without_ends
from nakama_bots.results.summary import Summary

RELATIONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}

_NAMES_SHOWN: Final = 5
_SHOWN_AS_SECONDS: Final = 10_000.0
_SHOWN: Final[dict[str, tuple[float, int, str]]] = {
    "": (1.0, 3, ""),
    "ms": (1.0, 3, " ms"),
    "ratio": (100.0, 4, " %"),
    "/s": (1.0, 3, "/s"),
    "s": (1e3, 3, " ms"),
    "cores": (100.0, 4, " %"),
    "bytes": (1e-6, 3, " MB"),
}
"""By unit: factor, digits and suffix for display."""


class GateError(NakamaError):
    """A gate cannot be applied to a run: what is missing, in one line."""


class Severity(StrEnum):
    """The effect of a broken rule on the run."""

    FAIL = "fail"
    WARN = "warn"


class RuleOutcome(StrEnum):
    """The outcome of one rule."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"


@dataclass(frozen=True, slots=True)
class Rule:
    """An expectation: ``metric`` in ``relation`` to ``limit``, for names of ``family`` that match ``pattern``.

    ``limit`` is in the ``Unit`` of the metric (times in milliseconds, ratios from 0 to 1). Each matching name
    is judged by itself; with ``together`` they are added up first. ``warmup`` and ``cooldown`` in seconds.
    """

    name: str
    heading: str
    """The name without the expectation, for a line that continues with the result."""
    family: str
    metric: str
    relation: str
    limit: float
    pattern: str = "*"
    severity: Severity = Severity.FAIL
    min_samples: int = 1
    together: bool = False
    abort_on_fail: bool = False
    warmup: float = 0.0
    cooldown: float = 0.0

    @property
    def subjects(self) -> MetricFamily:
        """The family of names that the rule is about."""
        return FAMILIES[self.family]

    @property
    def measure(self) -> Metric:
        """The metric of the rule."""
        metric = self.subjects.metric(self.metric)
        assert metric is not None, self
        return metric

    @property
    def expectation(self) -> str:
        """The expectation as text: ``p95 <= 50 ms``."""
        return f"{self.metric} {self.relation} {self.shown(self.limit)}"

    @property
    def needs_timeline(self) -> bool:
        """Whether the totals of a run are not enough to judge it."""
        return self.family == "gauges" or bool(any(self.ends))

    @property
    def ends(self) -> tuple[float, float]:
        """Seconds that are cut off at the start and at the end."""
        return (0.0, 0.0) if self.subjects.whole_run else (self.warmup, self.cooldown)

    @property
    def unit(self) -> str:
        """The unit of ``limit``: ``ms``, ``ratio``, ``/s``, the unit of the gauge, or "" for a plain number."""
        unit = self.measure.unit
        return unit.value if unit is not Unit.GAUGE else unit_of(self.pattern) or ""

    def shown(self, value: float | None) -> str:
        """Return a value of the metric with its unit, for display."""
        if value is None:
            return "nothing"
        unit = self.unit
        if unit == Unit.TIME and abs(value) >= _SHOWN_AS_SECONDS:
            return f"{_plain(value / 1e3, 3)} s"
        factor, digits, text = _SHOWN[unit]
        return f"{_plain(value * factor, digits)}{text}"

    def held_by(self, value: float) -> bool:
        """Whether ``value`` keeps the rule."""
        return RELATIONS[self.relation](value, self.limit)


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of a file. ``file`` is its name without folders; ``abort_after`` in seconds."""

    file: str
    rules: tuple[Rule, ...]
    allow_emulator: bool = False
    abort_after: float = 30.0


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The result of ``rule``: the worst of the matching names, and how many of them broke it.

    ``measured`` is None if nothing was measured; ``subject`` is "" if no name matched.
    """

    rule: Rule
    outcome: RuleOutcome
    message: str
    subject: str = ""
    measured: float | None = None
    samples: int = 0
    matched: int = 0
    broken: int = 0

    @property
    def measured_breach(self) -> bool:
        """Whether it was broken by a value, not by missing data."""
        return self.broken > 0 and self.measured is not None and self.samples >= self.rule.min_samples


def evaluate(rule: Rule, window: Window) -> RuleResult:
    """Judge ``window`` by ``rule``."""
    names = rule.subjects.subjects(window)
    matching = [name for name in names if fnmatchcase(name, rule.pattern)]
    if not matching:
        there = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
        message = f"no {rule.subjects.noun} matches {rule.pattern!r} in this run; it has: {there or 'none'}"
        if not window.seconds:
            message = f"nothing is left of the run: warmup {rule.warmup:g} s, cooldown {rule.cooldown:g} s"
        return RuleResult(rule, _outcome(rule, kept=False), message, broken=1)
    groups = [matching] if rule.together else [[name] for name in matching]
    judged = [_judged(rule, window, group) for group in groups]
    _, worst = max(judged, key=lambda found: found[0])
    broken = sum(result.broken for _, result in judged)
    more = f"; {broken} of {len(groups)} names break the rule" if broken > 1 else ""
    return replace(worst, message=worst.message + more, matched=len(matching), broken=broken)


def _outcome(rule: Rule, *, kept: bool) -> RuleOutcome:
    if kept:
        return RuleOutcome.PASSED
    return RuleOutcome.WARNED if rule.severity is Severity.WARN else RuleOutcome.FAILED


def _judged(rule: Rule, window: Window, group: Sequence[str]) -> tuple[tuple[bool, bool, float], RuleResult]:
    """Return the result for ``group``, after a sort key, worst last; a value is worse than missing data."""
    measured, samples = rule.measure.measure(window, group)
    subject = group[0] if len(group) == 1 else rule.pattern
    # A counter is a figure even at zero. Values computed from samples, or counts of some of them, need samples.
    needs = rule.measure.unit is not Unit.COUNT or rule.measure.of_others or rule.min_samples > 1
    kept = enough = False
    if measured is None or (needs and not samples):
        measured, message = None, f"{rule.metric} not measured ({subject})"
    elif needs and samples < rule.min_samples:
        message = f"{rule.metric} not judged: {samples:,} of at least {rule.min_samples:,} samples ({subject})"
    else:
        kept, enough = rule.held_by(measured), True
        # "p95 79.9 ms, limit 200 ms": a limit that is not an upper one keeps its relation.
        relation = "" if rule.relation == "<=" else f"{rule.relation} "
        limit = f"limit {relation}{rule.shown(rule.limit)}"
        message = f"{rule.metric} {rule.shown(measured)}, {limit} ({subject}, {samples:,} samples)"
    sign = -1 if rule.relation in (">", ">=") else 1
    result = RuleResult(
        rule, _outcome(rule, kept=kept), message, subject, measured, samples, broken=int(not kept)
    )
    return (not kept, enough, sign * (measured or 0.0)), result


def evaluate_all(
    gate: Gate, summary: Summary, timeline: Timeline | None, pause: Callable[[], object] = no_pause
) -> tuple[RuleResult, ...]:
    """Judge a finished run by every rule.

    Raises ``GateError`` if a rule needs a time line and there is none, or if the run was a capacity search.
    ``pause`` as in ``Recorder.merge``.
    """
    if "capacity" in summary:
        msg = f"{gate.file}: the run was a capacity search, whose trials its own gate has judged one by one"
        raise GateError(msg)
    windows: dict[tuple[float, float], Window] = {}
    watched = any(rule.family == "gauges" for rule in gate.rules)
    for rule in gate.rules:
        if timeline is None and rule.needs_timeline:
            msg = f"{gate.file}: {rule.name!r} needs the run's time line (warmup, cooldown, gauges)"
            raise GateError(msg)
        if rule.ends in windows:
            continue
        if timeline is not None and any(rule.ends):
            windows[rule.ends] = without_ends(timeline, *rule.ends, pause)
        else:
            windows[rule.ends] = whole_run(summary, timeline if watched else None)
    return tuple(evaluate(rule, windows[rule.ends]) for rule in gate.rules)


def _plain(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
