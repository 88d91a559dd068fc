"""The verdict on a run: drawn from its summary, a gate and what went wrong in the generator; ``verdict.json``.

The order of what decides: nothing answered, then figures that are missing or prove nothing, then the gate, then
faults of the run itself. Without a gate any failed call fails the run, as Locust has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypedDict, cast

from nakama_bots.errors import NakamaError, without_secrets
from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.gate.findings import failed_calls, no_figures, own_faults, unreachable
from nakama_bots.results.gate.rules import Gate, RuleOutcome, RuleResult
from nakama_bots.results.shapes import ShapeError, check
from nakama_bots.results.summary import Summary

SCHEMA: Final = "nakama-bots/verdict/1"


class VerdictError(NakamaError):
    """A verdict cannot be written, or a file is none that this version reads: the path and why, in one line."""


class Outcome(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended, its exit code, and why in whole lines.

    ``gate`` is the gate file's name, if any; ``faults``: what went wrong in the run itself; ``missing``:
    what its figures lack. Both stay with the run, whatever gate it is held to later.
    """

    outcome: Outcome
    exit_code: int
    why: tuple[str, ...] = ()
    results: tuple[RuleResult, ...] = ()
    gate: str | None = None
    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class RulePart(TypedDict):
    """One rule. ``measured`` and ``limit`` in ``unit`` (``ms``, ``ratio``, ``/s``, a gauge's own or none).

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
    """``verdict.json``. ``verdict`` is passed, failed or invalid; ``gate`` the gate file's name, if any.

    ``faults`` and ``missing`` are facts of the run: a gate that it is held to later takes them from here.
    """

    schema: str
    verdict: str
    exit_code: int
    why: list[str]
    faults: list[str]
    missing: list[str]
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
    missing: Sequence[str] = (),
    stopped_by: str = "",
    on_failures: int = ExitCode.FAILURES,
) -> Verdict:
    """The verdict.

    ``faults``: what went wrong in the run itself; ``missing``: what the figures lack; ``stopped_by``: what
    ended the run early; ``on_failures``: Locust's exit code for failed calls, where there is no gate.
    """
    stopped = [stopped_by] if stopped_by else []
    broken = [_line(result) for result in results if result.outcome is RuleOutcome.FAILED]
    warned = [_line(result) for result in results if result.outcome is RuleOutcome.WARNED]
    silent = unreachable(summary)
    invalid = [*no_figures(summary), *_not_a_server(summary, gate), *missing]
    own = [*faults, *own_faults(summary)]
    failed = [] if gate is not None else failed_calls(summary)
    rest = [*stopped, *broken, *failed, *own, *warned]
    # The first that holds decides; the other lines are shown all the same.
    cases: tuple[tuple[object, Outcome, int, list[str]], ...] = (
        (silent, Outcome.INVALID, ExitCode.UNREACHABLE, [silent, *invalid]),
        (invalid, Outcome.INVALID, ExitCode.INVALID, invalid),
        (stopped or broken, Outcome.FAILED, ExitCode.GATE_FAILED, []),
        (own, Outcome.FAILED, ExitCode.FAILURES, []),
        (failed, Outcome.FAILED, on_failures, []),
        (True, Outcome.PASSED, ExitCode.PASSED, [_passed(gate)]),
    )
    outcome, code, first = next(case[1:] for case in cases if case[0])
    why = tuple(without_secrets(line) for line in dict.fromkeys((*first, *rest)))
    file = gate.file if gate is not None else None
    return Verdict(
        outcome,
        code,
        why,
        tuple(results),
        file,
        tuple(map(without_secrets, faults)),
        tuple(map(without_secrets, missing)),
    )


def verdict_part(verdict: Verdict, summary: Summary) -> VerdictPart:
    """What ``verdict.json`` holds."""
    return {
        "schema": SCHEMA,
        "verdict": verdict.outcome.value,
        "exit_code": int(verdict.exit_code),
        "why": list(verdict.why),
        "faults": list(verdict.faults),
        "missing": list(verdict.missing),
        "gate": verdict.gate,
        "scenario": summary["run"]["scenario"],
        "started": summary["run"]["started"],
        "target": summary["target"]["url"],
        "is_emulator": summary["target"]["is_emulator"],
        "rules": [_rule(result) for result in verdict.results],
    }


def check_verdict(value: object) -> VerdictPart:
    """``value`` as a verdict; ``VerdictError`` says what it is instead."""
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        msg = f'not a verdict that this nakama-bots reads (its "schema" is {schema!r:.80}, not {SCHEMA!r})'
        raise VerdictError(msg)
    assert isinstance(value, dict)
    if isinstance(value.get("missing"), str):  # of an earlier version
        value["missing"] = [value["missing"]] if value["missing"] else []
    try:
        check(value, VerdictPart, "verdict")
    except ShapeError as error:
        msg = f"a damaged verdict ({error})"
        raise VerdictError(msg) from None
    return cast("VerdictPart", value)


def _not_a_server(summary: Summary, gate: Gate | None) -> list[str]:
    if gate is None or gate.allow_emulator or not summary["target"]["is_emulator"]:
        return []
    lets_it = f"allow_emulator = true in {gate.file} or --nakama-allow-emulator lets it count"
    return [f"the target was the emulator, whose speed says nothing of a server's ({lets_it})"]


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
        "unit": rule.unit,
        "samples": result.samples,
        "min_samples": rule.min_samples,
        "matched": result.matched,
        "broken": result.broken,
        "message": result.message,
    }
