"""The verdict on a run: drawn from its summary, a gate and what went wrong in the generator; ``verdict.json``.

The order of what decides: nothing answered, then figures that prove nothing, then the gate, then faults of the
run itself. Without a gate any failed call fails the run, as Locust has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.gate import Gate, Outcome, RuleOutcome, RuleResult, Verdict
from nakama_bots.results.redact import without_secrets
from nakama_bots.results.summary import Summary

SCHEMA: Final = "nakama-bots/verdict/1"

_NO_ANSWER: Final = ("ConnectionFailed", "ConnectionRefused", "HostNotFound", "RequestTimeout")
_EXAMPLES: Final = 3


class RulePart(TypedDict):
    """One rule. ``measured`` and ``limit`` in ``unit`` (``ms``, ``ratio``, ``/s``, ``gauge`` or none).

    ``subject`` is the name that it was measured at, the worst of the ``matched`` ones, of which ``broken`` ones
    broke the rule; ``measured`` is null when there was nothing to measure.
    """

    name: str
    outcome: str
    severity: str
    expectation: str
    subject: str
    relation: str
    limit: float
    measured: float | None
    unit: str
    samples: int
    min_samples: int
    matched: int
    broken: int
    message: str


class VerdictPart(TypedDict):
    """``verdict.json``. ``verdict`` is passed, failed or invalid; ``gate`` the gate file's name, if any."""

    schema: str
    verdict: str
    exit_code: int
    why: list[str]
    gate: str | None
    scenario: str
    started: str
    target: str
    is_emulator: bool
    rules: list[RulePart]


def conclude(
    summary: Summary,
    gate: Gate | None,
    results: Sequence[RuleResult] = (),
    *,
    faults: Sequence[str] = (),
    stopped_by: str = "",
) -> Verdict:
    """The verdict. ``faults``: what went wrong in the run itself; ``stopped_by``: what ended it early."""
    stopped = [stopped_by] if stopped_by else []
    silent = unreachable(summary)
    if silent:
        return _verdict(Outcome.INVALID, ExitCode.UNREACHABLE, [silent, *faults], results, gate)
    invalid = [*_proves_nothing(summary, gate)]
    broken = [_line(result) for result in results if result.outcome is RuleOutcome.FAILED]
    warned = [_line(result) for result in results if result.outcome is RuleOutcome.WARNED]
    if invalid:
        return _verdict(
            Outcome.INVALID, ExitCode.INVALID, [*invalid, *stopped, *broken, *faults], results, gate
        )
    if broken:
        return _verdict(
            Outcome.FAILED, ExitCode.GATE_FAILED, [*stopped, *broken, *warned, *faults], results, gate
        )
    failures = list(faults) if gate is not None else [*_failed_calls(summary), *faults]
    if failures:
        return _verdict(Outcome.FAILED, ExitCode.FAILURES, [*failures, *warned], results, gate)
    return _verdict(Outcome.PASSED, ExitCode.PASSED, [_passed(gate), *warned], results, gate)


def unreachable(summary: Summary) -> str:
    """Why it is taken that nothing answers at the target; "" when something did, or nothing was tried."""
    errors = summary["errors"]
    if not errors or any(call["ok_ms"]["count"] for call in summary["calls"]):
        return ""
    if not all(error["label"].partition(":")[0] in _NO_ANSWER for error in errors):
        return ""
    tried = sum(error["count"] for error in errors)
    return f"nothing answered at {summary['target']['url']}: {tried:,} calls, {errors[0]['label']}"


def verdict_part(verdict: Verdict, summary: Summary) -> VerdictPart:
    """What ``verdict.json`` holds."""
    return {
        "schema": SCHEMA,
        "verdict": verdict.outcome.value,
        "exit_code": int(verdict.exit_code),
        "why": list(verdict.why),
        "gate": verdict.gate,
        "scenario": summary["run"]["scenario"],
        "started": summary["run"]["started"],
        "target": summary["target"]["url"],
        "is_emulator": summary["target"]["is_emulator"],
        "rules": [_rule(result) for result in verdict.results],
    }


def _proves_nothing(summary: Summary, gate: Gate | None) -> list[str]:
    """Why the run's figures prove nothing. Without a gate nobody has asked them to."""
    if gate is None:
        return []
    reasons = []
    if not any(call["count"] for call in summary["calls"]):
        reasons.append("no data: no call was made")
    if summary["target"]["is_emulator"] and not gate.allow_emulator:
        reasons.append(
            "the target was the emulator, whose speed says nothing of a server's "
            f"(allow_emulator = true in {gate.file} lets it count)"
        )
    return reasons


def _failed_calls(summary: Summary) -> list[str]:
    failures = sum(call["failures"] for call in summary["calls"])
    if not failures:
        return []
    kinds = ", ".join(error["label"] for error in summary["errors"][:_EXAMPLES])
    return [f"{failures:,} calls failed: {kinds}"]


def _passed(gate: Gate | None) -> str:
    if gate is None:
        return "no call failed; no gate was given"
    return f"every rule of {gate.file} that can fail the run is kept"


def _line(result: RuleResult) -> str:
    severity = "" if result.outcome is RuleOutcome.FAILED else "warning: "
    return f"{severity}{result.rule.name}: {result.message}"


def _rule(result: RuleResult) -> RulePart:
    rule = result.rule
    return {
        "name": rule.name,
        "outcome": result.outcome.value,
        "severity": rule.severity.value,
        "expectation": rule.expectation,
        "subject": result.subject,
        "relation": rule.relation,
        "limit": rule.limit,
        "measured": result.measured,
        "unit": rule.measure.unit.value,
        "samples": result.samples,
        "min_samples": rule.min_samples,
        "matched": result.matched,
        "broken": result.broken,
        "message": result.message,
    }


def _verdict(
    outcome: Outcome, code: ExitCode, why: Sequence[str], results: Sequence[RuleResult], gate: Gate | None
) -> Verdict:
    lines = tuple(without_secrets(line) for line in why)
    return Verdict(outcome, code, lines, tuple(results), gate.file if gate is not None else None)
