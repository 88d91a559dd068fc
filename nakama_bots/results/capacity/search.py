"""A capacity search: which load to try next, what a trial proves, when to end. Pure; times are arguments.

Both front ends use it: the load model ``search`` within one run, and the command with a run per trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import Outcome
from nakama_bots.results.capacity.bisection import WIDTH, Bisection
from nakama_bots.results.capacity.document import PLAYERS, SCHEMA, UNITS, Bound, CapacityPart, Cause, TrialPart
from nakama_bots.results.capacity.usl import fit
from nakama_bots.results.gate.rules import Gate, Severity

HEADROOM: Final = 0.25
"""The share that Nakama's own guide recommends to leave free."""
MOST_TRIALS: Final = 12
INTERRUPTED: Final = "it was interrupted"
_WARMUP_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Loads from ``low`` to ``high`` in ``unit``; times in seconds.

    A trial lasts ``trial``, of which the first ``warmup`` are not judged. After it, what it left behind may
    take up to ``settle`` to go.
    """

    low: int
    high: int
    trial: float
    warmup: float
    settle: float
    most_trials: int = MOST_TRIALS
    width: float = WIDTH
    most_seconds: float = 3600.0
    unit: str = PLAYERS


def check_gate(gate: Gate, name: str) -> None:
    """``ConfigError`` under ``name`` if no rule of ``gate`` can fail a trial."""
    if not any(rule.severity is Severity.FAIL for rule in gate.rules):
        raise ConfigError(name, gate.file, 'a gate with a rule that can break (severity = "fail")')


def warmup_of(gate: Gate, trial: float, name: str, given: float = 0.0) -> float:
    """Return the seconds of a trial that are not judged: ``given``, the gate's, or a quarter of the trial.

    ``ConfigError`` under ``name`` if nothing would be left of the trial.
    """
    warmup = given or max(rule.warmup for rule in gate.rules) or trial * _WARMUP_SHARE
    longest = max(warmup, *(rule.warmup for rule in gate.rules))
    least = longest + max(rule.cooldown for rule in gate.rules)
    if trial <= least:
        accepted = f"a trial longer than its warm-up and the gate's cool-down together ({least:g} s)"
        raise ConfigError(name, f"{trial:g} s", accepted)
    return warmup


class Search:
    """One search of a target. ``answer`` returns what is known at any time."""

    def __init__(self, plan: SearchPlan, target: str, required: int | None = None) -> None:
        self.plan = plan
        self.trials: list[TrialPart] = []
        self._target = target
        self._required = required
        self._bisection = Bisection(plan.low, plan.high)
        self._ended = INTERRUPTED
        self._over = False
        self._repeat: int | None = None
        self._generator_why = ""

    def next(self, elapsed: float) -> int | None:
        """Return the load to try, ``elapsed`` seconds after the start; None if the search is over."""
        if not self._over:
            ended = self._why_over(elapsed)
            if ended:
                self.end(ended)
        if self._over:
            return None
        return self._repeat if self._repeat is not None else self._bisection.next()

    def end(self, why: str) -> None:
        """End the search, unless it has ended already."""
        if not self._over:
            self._over, self._ended = True, why

    def add(self, trial: TrialPart, *, more_processes: bool = False) -> None:
        """Add a trial; ``more_processes``: the generator will be faster if the load is tried again."""
        self.trials.append(trial)
        load, why = trial["load"], "; ".join(trial["why"])
        repeated, self._repeat = self._repeat is not None, None
        if trial["outcome"] != Outcome.INVALID:
            self._bisection.add(load, passed=trial["outcome"] == Outcome.PASSED)
        elif trial["cause"] == Cause.UNREACHABLE:
            last = f"trial {len(self.trials)} with {self._loads(load)}"
            self.end(f"the server does not answer any more, since {last} ({why})")
        elif trial["cause"] == Cause.TARGET:
            self.end(why)
        elif more_processes or (not repeated and self._may_be_chance(trial)):
            self._repeat = load
        else:
            self._limit(load, why)

    def _may_be_chance(self, trial: TrialPart) -> bool:
        """True if nothing before says that the generator ends there: it may have had a bad moment."""
        bisection = self._bisection
        most = max([*bisection.passed, *bisection.failed], default=0)
        return trial["cause"] != Cause.GENERATOR or bisection.limit is None or most >= trial["load"]

    def _limit(self, load: int, why: str) -> None:
        """Search below ``load``, which the generator cannot run. What failed there or above proves nothing."""
        self._bisection, self._generator_why = self._bisection.below(load), why
        for trial in self.trials:
            if trial["outcome"] == Outcome.FAILED and trial["load"] >= load:
                less = f"the generator could not even run {self._loads(load)}"
                trial |= {"outcome": Outcome.INVALID, "cause": Cause.GENERATOR, "rule": ""}
                trial["why"] = [less, *trial["why"]]
        if load <= self.plan.low and not self._bisection.trials:
            self.end(f"the generator cannot run {self._loads(load)}: {why}")

    def answer(self, elapsed: float) -> CapacityPart:
        """Return what is known ``elapsed`` seconds after the start."""
        bisection = self._bisection
        found = bisection.estimate() if bisection.trials else None
        ends = (found.low, found.value, found.high) if found is not None else (None, None, None)
        low, value, high = (None if end is None else round(end, 1) for end in ends)
        bound = found.bound if found is not None else Bound.INTERVAL
        failed = [trial for trial in self.trials if trial["outcome"] == Outcome.FAILED]
        first = min(failed, key=lambda trial: trial["load"], default=None)
        counted = [trial for trial in self.trials if trial["outcome"] != Outcome.INVALID]
        law = fit([(trial["load"], trial["rate"]) for trial in counted]) if self.plan.unit == PLAYERS else None
        return {
            "schema": SCHEMA,
            "target": self._target,
            "unit": self.plan.unit,
            "searched_from": self.plan.low,
            "searched_to": self.plan.high,
            "bound": bound,
            "value": value,
            "low": low,
            "high": high,
            "required": self._required,
            "operating_point": int(found.low * (1 - HEADROOM)) if found and bound is not Bound.BELOW else None,
            "generator_limit": bisection.limit,
            "generator_why": self._generator_why,
            "broke_first": "" if first is None else f"{first['rule']}: {'; '.join(first['why'])}",
            "ended": self._ended,
            "seconds": round(elapsed, 1),
            "usl": law,
            "trials": list(self.trials),
        }

    def _why_over(self, elapsed: float) -> str:
        """Return why the search ends; "" if it continues."""
        plan, bisection = self.plan, self._bisection
        if bisection.failed and min(bisection.failed) <= plan.low:
            return f"the server fails already at {self._loads(plan.low)}"
        if self._repeat is None and bisection.done(plan.width):
            if bisection.failed:
                return "the interval is narrow enough"
            return "the greatest load passed" if bisection.limit is None else "the generator ends there"
        if len(self.trials) >= plan.most_trials:
            return f"{plan.most_trials} trials were made{self._how_wide()}"
        if elapsed + plan.trial > plan.most_seconds:
            return f"the next trial would not end within {plan.most_seconds:,.0f} s{self._how_wide()}"
        return ""

    def _how_wide(self) -> str:
        bisection = self._bisection
        if not (bisection.passed and bisection.failed):
            return ""
        width = bisection.estimate().width
        wanted = self.plan.width
        return f", and the interval is {width:.0%} wide, not {wanted:.0%}" if width > wanted else ""

    def _loads(self, load: int) -> str:
        return f"{load:,} {UNITS[self.plan.unit]}"
