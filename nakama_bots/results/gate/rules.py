"""A gate's rules, and what a run makes of them. Pure: over a ``Window``, live or afterwards.

What is not there fails: a rule that matches no name, or has fewer samples than it wants, is no pass.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
"""By unit: what a value is times for a reader, its digits, and the text behind it."""


class GateError(NakamaError):
    """A gate cannot be applied to this run: what is missing, in one line."""


class Severity(StrEnum):
    """What becomes of the run when the rule is broken."""

    FAIL = "fail"
    WARN = "warn"


class RuleOutcome(StrEnum):
    """How one rule ended."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation: ``metric`` of what ``pattern`` matches in ``family``, its ``relation`` to ``limit``.

    ``limit`` is in the metric's ``Unit`` (times in milliseconds, ratios from 0 to 1). Each name that matches
    is held to it by itself; with ``together`` they are added up first. ``warmup`` and ``cooldown`` in seconds.
    """

    name: str
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
        """The family that it is about."""
        return FAMILIES[self.family]

    @property
    def measure(self) -> Metric:
        """The metric itself."""
        metric = self.subjects.metric(self.metric)
        assert metric is not None, self
        return metric

    @property
    def expectation(self) -> str:
        """``p95 <= 50 ms``."""
        return f"{self.metric} {self.relation} {self.shown(self.limit)}"

    @property
    def needs_timeline(self) -> bool:
        """Whether a run's total is not enough for it."""
        return self.family == "gauges" or bool(any(self.ends))

    @property
    def ends(self) -> tuple[float, float]:
        """What is cut off at both ends, in seconds."""
        return (0.0, 0.0) if self.subjects.whole_run else (self.warmup, self.cooldown)

    @property
    def unit(self) -> str:
        """What ``limit`` is in: ``ms``, ``ratio``, ``/s``, the gauge's own unit, or "" for a plain number."""
        unit = self.measure.unit
        return unit.value if unit is not Unit.GAUGE else unit_of(self.pattern) or ""

    def shown(self, value: float | None) -> str:
        """A value of its metric with its unit, for a reader."""
        if value is None:
            return "nothing"
        unit = self.unit
        if unit == Unit.TIME and abs(value) >= _SHOWN_AS_SECONDS:
            return f"{_plain(value / 1e3, 3)} s"
        factor, digits, text = _SHOWN[unit]
        return f"{_plain(value * factor, digits)}{text}"

    def held_by(self, value: float) -> bool:
        """Whether ``value`` is as expected."""
        return RELATIONS[self.relation](value, self.limit)


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of a file. ``file`` is its name without folders; ``abort_after`` the grace in seconds."""

    file: str
    rules: tuple[Rule, ...]
    allow_emulator: bool = False
    abort_after: float = 30.0


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a run made of ``rule``: the worst of the names that matched, and how many broke it.

    ``measured`` is None when there was nothing to measure; ``subject`` is "" when no name matched.
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
        """Whether it was broken by a value, not by the lack of one."""
        return self.broken > 0 and self.measured is not None and self.samples >= self.rule.min_samples


@dataclass(frozen=True, slots=True)
class _Value:
    subject: str
    measured: float | None
    samples: int
    message: str
    kept: bool
    enough: bool = True

    def badness(self, sign: int) -> tuple[bool, bool, float]:
        """Sorts the worst last: what broke the rule by its value before what lacks one."""
        return (not self.kept, self.enough, sign * (self.measured or 0.0))


def evaluate(rule: Rule, window: Window) -> RuleResult:
    """What ``window`` makes of ``rule``."""
    names = rule.subjects.subjects(window)
    matching = [name for name in names if fnmatchcase(name, rule.pattern)]
    if not matching:
        there = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
        message = f"no {rule.subjects.noun} is named {rule.pattern!r} in this run; there are: {there or 'none'}"
        if not window.seconds:
            message = f"nothing is left of the run: warmup {rule.warmup:g} s, cooldown {rule.cooldown:g} s"
        return RuleResult(rule, _outcome(rule, kept=False), message, broken=1)
    groups = [matching] if rule.together else [[name] for name in matching]
    values = [_value(rule, window, group) for group in groups]
    sign = -1 if rule.relation in (">", ">=") else 1
    worst = max(values, key=lambda value: value.badness(sign))
    broken = sum(not value.kept for value in values)
    more = f"; {broken} of {len(values)} names break the rule" if broken > 1 else ""
    return RuleResult(
        rule,
        _outcome(rule, kept=not broken),
        worst.message + more,
        worst.subject,
        worst.measured,
        worst.samples,
        len(matching),
        broken,
    )


def _outcome(rule: Rule, *, kept: bool) -> RuleOutcome:
    if kept:
        return RuleOutcome.PASSED
    return RuleOutcome.WARNED if rule.severity is Severity.WARN else RuleOutcome.FAILED


def _value(rule: Rule, window: Window, group: Sequence[str]) -> _Value:
    measured, samples = rule.measure.measure(window, group)
    subject = group[0] if len(group) == 1 else rule.pattern
    of = f"{rule.metric} of {subject}"
    # A counter is a figure even at zero: only what is computed from samples, or is some of them, needs them.
    needs = rule.measure.unit is not Unit.COUNT or rule.measure.of_others or rule.min_samples > 1
    if measured is None or (needs and not samples):
        return _Value(subject, None, samples, f"{of}: nothing was measured", kept=False, enough=False)
    if needs and samples < rule.min_samples:
        message = f"{of} is from {samples:,} samples only, {rule.min_samples:,} are wanted"
        return _Value(subject, measured, samples, message, kept=False, enough=False)
    kept = rule.held_by(measured)
    limit = f"{rule.relation} {rule.shown(rule.limit)}"
    message = (
        f"{of} is {rule.shown(measured)}, {'as it has to be:' if kept else 'NOT'} {limit} ({samples:,} samples)"
    )
    return _Value(subject, measured, samples, message, kept)


def evaluate_all(
    gate: Gate, summary: Summary, timeline: Timeline | None, pause: Callable[[], object] = no_pause
) -> tuple[RuleResult, ...]:
    """What a finished run makes of every rule; ``GateError`` when a rule needs a time line that is none.

    ``pause`` is called again and again meanwhile, for an event loop that cannot wait for all of them.
    """
    windows: dict[tuple[float, float], Window] = {}
    watched = any(rule.family == "gauges" for rule in gate.rules)

    def window(rule: Rule) -> Window:
        ends = rule.ends
        if ends not in windows:
            if timeline is None and rule.needs_timeline:
                msg = f"{gate.file}: {rule.name!r} needs the run's time line (warmup, cooldown, gauges)"
                raise GateError(msg)
            windows[ends] = (
                without_ends(timeline, *ends, pause)
                if timeline is not None and any(ends)
                else whole_run(summary, timeline if watched else None)
            )
        return windows[ends]

    return tuple(evaluate(rule, window(rule)) for rule in gate.rules)


def _plain(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
