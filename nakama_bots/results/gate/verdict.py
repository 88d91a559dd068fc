"""The verdict on a run, from its summary, a gate and problems of the generator; ``verdict.json``.

In order of precedence: nothing answered; figures that are missing or prove nothing; the gate; faults of the run
itself. Without a gate any failed call fails the run, as in Locust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from nakama_bots.errors import NakamaError, without_secrets
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.results.gate.findings import failed_calls, no_figures, own_faults, unreachable
from nakama_bots.results.gate.rules import Gate, RuleOutcome, RuleResult
from nakama_bots.results.shapes import document
from nakama_bots.results.summary import RunInfo, Summary

SCHEMA: Final = "nakama-bots/verdict/1"


class VerdictError(NakamaError):
    """A verdict cannot be written, or this version cannot read a file: the path and why, in one line."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a run, its exit code, and the reasons in whole lines.

    ``gate`` is the name of the gate file, if any; ``faults``: what went wrong in the run itself; ``missing``:
    what its figures lack. Both belong to the run, whatever gate judges it later.
    """

    outcome: Outcome
    exit_code: int
    why: tuple[str, ...] = ()
    results: tuple[RuleResult, ...] = ()
    gate: str | None = None
    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """The reasons that are not about rules."""
        messages = tuple(result.message for result in self.results)
        return [line for line in self.why if not line.endswith(messages)]


class RulePart(TypedDict):
    """A rule. ``measured`` and ``limit`` in ``unit`` (``ms``, ``ratio``, ``/s``, the unit of a gauge or none).

    ``subject`` is the name that was measured: the worst of the ``matched`` names, of which ``broken`` broke the
    rule. ``measured`` is null if nothing was measured.
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
    """``verdict.json``. ``verdict`` is passed, failed or invalid; ``gate`` the name of the gate file, if any.

    ``faults`` and ``missing`` are facts of the run: when another gate judges it later, they are read from here.
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
    """Return the verdict.

    ``faults``: what went wrong in the run itself; ``missing``: what the figures lack; ``stopped_by``: what
    ended the run early; ``on_failures``: Locust's exit code for failed calls, used without a gate.
    """
    stopped = [stopped_by] if stopped_by else []
    broken = [_line(result) for result in results if result.outcome is RuleOutcome.FAILED]
    warned = [_line(result) for result in results if result.outcome is RuleOutcome.WARNED]
    silent = unreachable(summary)
    invalid = [*no_figures(summary), *not_a_server(summary, gate), *missing]
    own = [*faults, *own_faults(summary)]
    failed = [] if gate is not None else failed_calls(summary)
    rest = [*stopped, *broken, *failed, *own, *warned]
    # The first case that applies decides; the other lines are still shown.
    cases: tuple[tuple[object, Outcome, int, list[str]], ...] = (
        (silent, Outcome.INVALID, ExitCode.UNREACHABLE, [silent, *invalid]),
        (invalid, Outcome.INVALID, ExitCode.INVALID, invalid),
        (stopped or broken, Outcome.FAILED, ExitCode.GATE_FAILED, []),
        (own, Outcome.FAILED, ExitCode.FAILURES, []),
        (failed, Outcome.FAILED, on_failures, []),
        (True, Outcome.PASSED, ExitCode.PASSED, [_passed(gate)]),
    )
    outcome, code, first = next(case[1:] for case in cases if case[0])
    why, faulty, lacking = (
        tuple(map(without_secrets, lines)) for lines in (dict.fromkeys((*first, *rest)), faults, missing)
    )
    return Verdict(outcome, code, why, tuple(results), None if gate is None else gate.file, faulty, lacking)


def verdict_part(verdict: Verdict, summary: Summary) -> VerdictPart:
    """Return the content of ``verdict.json``."""
    run, target = summary["run"], summary["target"]
    return _document(verdict, run["scenario"], run["started"], target["url"], target["is_emulator"])


def no_verdict(run: RunInfo) -> VerdictPart:
    """Return what is known of a run whose verdict could not be computed: it is invalid."""
    verdict = Verdict(Outcome.INVALID, ExitCode.INVALID, ("the verdict could not be computed (see the log)",))
    started = run.started.isoformat()
    return _document(verdict, run.scenario, started, run.target.http_url, run.is_emulator)


def _document(verdict: Verdict, scenario: str, started: str, target: str, is_emulator: bool) -> VerdictPart:
    return {
        "schema": SCHEMA,
        "verdict": verdict.outcome.value,
        "exit_code": int(verdict.exit_code),
        "why": list(verdict.why),
        "faults": list(verdict.faults),
        "missing": list(verdict.missing),
        "gate": verdict.gate,
        "scenario": scenario,
        "started": started,
        "target": target,
        "is_emulator": is_emulator,
        "rules": [_rule(result) for result in verdict.results],
    }


def check_verdict(value: object) -> VerdictPart:
    """Return ``value`` as a verdict. Raises ``VerdictError`` if it is not one."""
    if isinstance(value, dict) and isinstance(value.get("missing"), str):  # of an earlier version
        value["missing"] = [value["missing"]] if value["missing"] else []
    return document(value, VerdictPart, SCHEMA, VerdictError)


def not_a_server(summary: Summary, gate: Gate | None) -> list[str]:
    """Return why the target may not be judged by ``gate``; empty if it may."""
    if gate is None or gate.allow_emulator or not summary["target"]["is_emulator"]:
        return []
    lets_it = f"allow it by allow_emulator = true in {gate.file} or --nakama-allow-emulator"
    return [f"the target was the emulator, whose speed says nothing about a server ({lets_it})"]


def _passed(gate: Gate | None) -> str:
    if gate is None:
        return "no call failed; no gate was given"
    return f"every rule of {gate.file} that can fail the run passed"


def _line(result: RuleResult) -> str:
    severity = "" if result.outcome is RuleOutcome.FAILED else "warning: "
    return f"{severity}{result.rule.heading}: {result.message}"


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
