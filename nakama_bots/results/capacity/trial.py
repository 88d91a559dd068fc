"""One trial of a capacity search, from its summary, its verdict and the figures of its measured part. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import fmean, median
from typing import Final

from nakama_bots import observer
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.results.capacity.document import (
    ARRIVALS,
    Cause,
    CurvePart,
    SamplePart,
    TrialPart,
    TrialRulePart,
)
from nakama_bots.results.gate.findings import generator_lines
from nakama_bots.results.gate.rules import Gate, RuleOutcome, RuleResult, evaluate_all
from nakama_bots.results.gate.verdict import Verdict, conclude, not_a_server
from nakama_bots.results.latency import latency
from nakama_bots.results.record.gaps import GapPart
from nakama_bots.results.record.gauges import USERS
from nakama_bots.results.record.health import Health, HealthPart, health_of
from nakama_bots.results.record.purposes import Purpose, purpose_parts, undone_lines
from nakama_bots.results.record.recorder import CallKey, CallRow, Recorder, no_pause
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.record.window import Window, without_ends
from nakama_bots.results.summary import RunInfo, Summary, build_summary
from nakama_bots.settings.health_limits import HealthLimits

OFFERED: Final = 0.95
"""The share of a load that a trial must have produced, or it proves nothing about that load."""


@dataclass(frozen=True, slots=True)
class TrialTimes:
    """Wall-clock seconds since 1970: the first user's start, the end of the measured part, and of settling."""

    started: float
    ended: float
    settled: float


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """What is known of a trial beside its figures; ``missing``, ``faults`` and ``gaps`` as in a run.

    ``alive``: the server answers after it. ``left``: what had not gone when the time to settle was over.
    """

    load: int
    unit: str
    processes: int
    at: float
    seconds: float
    alive: bool = True
    folder: str = ""
    missing: Sequence[str] = ()
    faults: Sequence[str] = ()
    gaps: Sequence[GapPart] = ()
    left: Sequence[str] = ()


def judge_trial(
    timeline: Timeline,
    gate: Gate,
    info: RunInfo,
    limits: HealthLimits,
    purposes: Sequence[Purpose],
    times: TrialTimes,
    warmup: float,
    facts: TrialFacts,
    pause: Callable[[], object] = no_pause,
) -> TrialPart:
    """Judge the part of a run between ``times`` as if it were a run of its own.

    ``warmup`` seconds at its start are left out whatever the gate says, except for what is about a whole run.
    """
    part = timeline.part(times.started, times.ended)
    whole = Recorder(0.0)
    # What ends with the players, such as the ledgers of their sockets, is counted while they leave.
    for row in timeline.within(times.started, times.settled):
        whole.merge(row["recorded"], pause=pause)
    users = _users(without_ends(part, warmup, 0.0, pause))
    started, ended = (datetime.fromtimestamp(at, UTC) for at in (times.started, times.ended))
    summary = build_summary(
        replace(info, started=started, users=max(1, users)),
        whole,
        ended=ended,
        duration=times.ended - times.started,
        health=Health(limits).part(),
        later={"gaps": list(facts.gaps), "purposes": purpose_parts(purposes, whole.counts)},
    )
    return trial_of(summary, part, gate, warmup, facts, pause)


def trial_of(
    summary: Summary,
    timeline: Timeline,
    gate: Gate,
    warmup: float,
    facts: TrialFacts,
    pause: Callable[[], object] = no_pause,
) -> TrialPart:
    """Judge a trial by its summary and its time line; ``warmup`` as in ``judge_trial``."""
    window = without_ends(timeline, warmup, 0.0, pause)
    summary = {**summary, "health": _health(summary, timeline, warmup)}
    rules = tuple(replace(rule, warmup=max(rule.warmup, warmup)) for rule in gate.rules)
    judged = replace(gate, rules=rules)
    results = evaluate_all(judged, summary, timeline, pause)
    verdict = conclude(summary, judged, results, faults=facts.faults, missing=facts.missing)
    outcome, cause, why = _outcome(summary, verdict, window, gate, facts)
    broken = _broken(verdict)
    seconds = window.seconds or 1.0
    return {
        **no_trial(facts, cause, *why),
        "outcome": outcome,
        "rule": broken[0].rule.name if broken and outcome == Outcome.FAILED else "",
        "rate": round(sum(row.ok.count for row in window.recorder.calls.values()) / seconds, 3),
        "calls": [_curve(key, row, seconds) for key, row in sorted(window.recorder.calls.items())],
        "samples": _samples(window.recorder),
        "rules": [_rule(result) for result in results],
        "gauges": {name: round(fmean(values), 6) for name, values in sorted(window.gauges.items()) if values},
    }


def _health(summary: Summary, timeline: Timeline, warmup: float) -> HealthPart:
    """Return the health of the generator in the measured part, however short it is."""
    limits = HealthLimits(**summary["health"]["limits"])
    first, last = timeline.started + warmup, timeline.ended
    least = min(limits.seconds, limits.share * (last - first))
    return health_of(timeline.within(first, last), replace(limits, seconds=least))


def no_trial(facts: TrialFacts, cause: str, *why: str) -> TrialPart:
    """Return a trial that has no figures at all."""
    return {
        "load": facts.load, "outcome": Outcome.INVALID, "cause": cause, "rule": "", "why": list(why),
        "processes": facts.processes, "at_s": round(facts.at, 1), "seconds": round(facts.seconds, 1),
        "rate": 0.0, "calls": [], "samples": [], "rules": [], "gauges": {}, "left": list(facts.left),
        "folder": facts.folder,
    }  # fmt: skip


def _outcome(
    summary: Summary, verdict: Verdict, window: Window, gate: Gate, facts: TrialFacts
) -> tuple[str, str, list[str]]:
    """Return the outcome, the cause if it is invalid, and why."""
    broken = [result.message for result in _broken(verdict)]
    why = list(verdict.why)
    slow = generator_lines(summary)
    if slow:
        return Outcome.INVALID, Cause.GENERATOR, slow
    if not_a_server(summary, gate):
        return Outcome.INVALID, Cause.TARGET, not_a_server(summary, gate)
    if not facts.alive:
        return Outcome.INVALID, Cause.UNREACHABLE, why or ["it does not answer"]
    # A server that answers nothing, or lets no player do anything, is no fault of the generator.
    undone = undone_lines(summary.get("purposes", []))
    silent = why[:1] if verdict.exit_code == ExitCode.UNREACHABLE else []
    others = [line for line in verdict.reasons if line not in undone and line not in silent]
    if broken and not (others and verdict.exit_code != ExitCode.GATE_FAILED):
        return Outcome.FAILED, "", broken
    if verdict.exit_code != ExitCode.PASSED:
        return Outcome.INVALID, Cause.FIGURES, others or why
    short = _short(window, facts)
    return (Outcome.INVALID, Cause.GENERATOR, [short]) if short else (Outcome.PASSED, "", why)


def _short(window: Window, facts: TrialFacts) -> str:
    """Return how the load was not produced; "" if it was."""
    if facts.unit != ARRIVALS:
        users = _users(window)
        return f"only {users:,} of {facts.load:,} players took part" if users < OFFERED * facts.load else ""
    planned, dropped, late, full = (
        window.recorder.counts.get(name, 0)
        for name in (observer.ARRIVALS_PLANNED, observer.ARRIVALS_DROPPED,
                     observer.ARRIVALS_DROPPED_LATE, observer.ARRIVALS_DROPPED_FULL)
    )  # fmt: skip
    if planned and dropped <= (1 - OFFERED) * planned:
        return ""
    why = f"{late:,} too late, {full:,} beyond max_in_flight"
    return f"{dropped:,} of {planned:,} arrivals were dropped ({why})"


def _users(window: Window) -> int:
    values = window.gauges.get(USERS, ())
    return round(median(values)) if values else 0


def _curve(key: CallKey, row: CallRow, seconds: float) -> CurvePart:
    times = latency(row.ok)
    return {
        "kind": key[0],
        "name": key[1],
        "rate": round((row.ok.count + row.failures) / seconds, 3),
        "failures": row.failures,
        "p50": times["p50"],
        "p95": times["p95"],
        "p99": times["p99"],
    }


def _samples(recorder: Recorder) -> list[SamplePart]:
    return [
        {"name": name, "count": times["count"], "p50": times["p50"], "p95": times["p95"], "p99": times["p99"]}
        for name, histogram in sorted(recorder.samples.items())
        if (times := latency(histogram))["count"]
    ]


def _broken(verdict: Verdict) -> list[RuleResult]:
    return [result for result in verdict.results if result.outcome is RuleOutcome.FAILED]


def _rule(result: RuleResult) -> TrialRulePart:
    return {
        "name": result.rule.name, "outcome": result.outcome.value, "measured": result.measured,
        "limit": result.rule.limit, "unit": result.rule.unit,
    }  # fmt: skip
