"""Checks a run against its gate: at its end, and during the run for rules that may end it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Final

import gevent

from nakama_bots.exit_codes import Outcome
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.observer import SCENARIO_FAULTS, USERS_DIED
from nakama_bots.results.capacity.answer import verdict_of
from nakama_bots.results.gate.rules import Gate, Rule, RuleOutcome, RuleResult, evaluate, evaluate_all
from nakama_bots.results.gate.verdict import Verdict, conclude
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Interval, gauges_only
from nakama_bots.results.record.window import Window, gauge_values
from nakama_bots.results.summary import Summary

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
_OUTLOOK_EVERY: Final = 5
"""Intervals between two looks at the rules that cannot end the run."""


class Judge:
    """One per process; without a gate it has no rules. ``abort`` ends the run early.

    With ``watch_all`` the rules that cannot end the run are evaluated too during the run, for ``outlook``.
    """

    def __init__(
        self, gate: Gate | None, totals: Totals, abort: Callable[[], None], *, watch_all: bool = False
    ) -> None:
        self.gate = gate
        self._totals = totals
        self._abort = abort
        self._watch_all = watch_all
        self._stopped_by = ""
        self._broken = False
        self._blind = False
        self._watcher: gevent.Greenlet[[Gate], None] | None = None

    def start(self, *, searching: bool = False) -> None:
        """Start a new run; the rules of a search judge its trials, and end nothing."""
        self._stopped_by, self._broken, self._blind = "", False, False
        if searching:
            return
        if self.gate is not None and (self._watch_all or any(rule.abort_on_fail for rule in self.gate.rules)):
            self._watcher = gevent.spawn(self._watch, self.gate)

    def stop(self) -> None:
        """Stop watching the run. Idempotent."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.kill()

    def conclude(
        self, summary: Summary, *, faults: Sequence[str], missing: Sequence[str], on_failures: int
    ) -> Verdict:
        """Return the verdict on the finished run."""
        if "capacity" in summary:
            gate = self.gate.file if self.gate is not None else ""
            return verdict_of(summary["capacity"], gate, faults=faults, missing=missing)
        results: Sequence[RuleResult] = ()
        if self.gate is not None:
            results = evaluate_all(self.gate, summary, self._totals.timeline, let_others_run)
        return conclude(
            summary,
            self.gate,
            results,
            faults=faults,
            missing=missing,
            stopped_by=self._stopped_by,
            on_failures=on_failures,
        )

    def outlook(self) -> str:
        """The verdict if the run ended now, as far as it can be known before its end: an ``Outcome``."""
        if self._totals.health.reasons or len(self._totals.gaps):
            return Outcome.INVALID.value
        recorder = self._totals.recorder
        failed = self._broken or bool(self._stopped_by)
        if self.gate is None:
            failed = any(row.failures for row in recorder.calls.values())
        failed = failed or any(recorder.counts.get(name) for name in (SCENARIO_FAULTS, USERS_DIED))
        return (Outcome.FAILED if failed else Outcome.PASSED).value

    def _watch(self, gate: Gate) -> None:
        heard = 0
        rules = [rule for rule in gate.rules if rule.abort_on_fail]
        watched = gate.rules if self._watch_all else rules
        growing = {rule.warmup: _Growing(rule.warmup) for rule in watched}
        for seconds in count(1):
            gevent.sleep(INTERVAL)
            timeline = self._totals.timeline
            try:
                for row in timeline.since(heard):
                    heard += 1
                    for window in growing.values():
                        window.add(row, timeline.started)
                broken = _first_broken(gate, rules, growing)
            except Exception as error:  # noqa: BLE001 - the run must not continue unwatched in silence
                self._totals.failed("the rules with abort_on_fail", error)
                continue
            if broken is not None:
                self._end(broken, growing[broken.rule.warmup].last)
                return
            if self._watch_all and seconds % _OUTLOOK_EVERY == 0:
                self._look_ahead(watched, growing)

    def _look_ahead(self, rules: Sequence[Rule], growing: Mapping[float, _Growing]) -> None:
        """Update ``outlook``. A failure is logged, and does not count: only an export shows it."""
        try:
            self._broken = _any_broken(rules, growing)
        except Exception:
            if not self._blind:
                self._blind = True
                log.exception("gate: what the verdict would be now cannot be computed")

    def _end(self, result: RuleResult, after: float) -> None:
        self._stopped_by = f"stopped after {after:.0f} s by the rule {result.rule.name!r}: {result.message}"
        log.error("gate: %s", self._stopped_by)
        self._watcher = None
        # Not from this greenlet: the end of the run ends its watcher.
        gevent.spawn(self._abort)


def _first_broken(gate: Gate, rules: Sequence[Rule], growing: Mapping[float, _Growing]) -> RuleResult | None:
    """Return the first rule that a value breaks, after its grace."""
    for rule in rules:
        window = growing[rule.warmup]
        if window.last >= rule.warmup + gate.abort_after:
            result = evaluate(rule, window.window())
            if result.measured_breach:
                return result
    return None


def _any_broken(rules: Sequence[Rule], growing: Mapping[float, _Growing]) -> bool:
    """Return True if a value breaks a rule that can fail the run."""
    for rule in rules:
        let_others_run()
        result = evaluate(rule, growing[rule.warmup].window())
        if result.outcome is RuleOutcome.FAILED and result.measured_breach:
            return True
    return False


class _Growing:
    """The figures so far, without the first ``warmup`` seconds."""

    def __init__(self, warmup: float) -> None:
        self.last = 0.0
        self._warmup = warmup
        self._recorder = Recorder(0.0)
        self._rows: list[Interval] = []

    def add(self, row: Interval, started: float) -> None:
        begun = row["at"] - started
        self.last = max(self.last, begun + row["seconds"])
        if begun >= self._warmup:
            self._recorder.merge(row["recorded"], pause=let_others_run)
            self._rows.append(gauges_only(row["source"], row["at"], row["seconds"], row["gauges"]))

    def window(self) -> Window:
        return Window(self._recorder, self._warmup, max(self._warmup, self.last), gauge_values(self._rows))
