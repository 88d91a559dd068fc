"""The result of a capacity search: its document, and the answer as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.capacity.search import Bisection
from nakama_bots.results.capacity.usl import fit
from nakama_bots.results.summary import Summary

SCHEMA: Final = "nakama-bots/capacity/1"
HEADROOM: Final = 0.25
"""The share that Nakama's own guide recommends to leave free."""

PASSED, FAILED, INVALID = "passed", "failed", "invalid"


class CurvePart(TypedDict):
    """One kind and name at one load; times in milliseconds."""

    kind: str
    name: str
    rate: float
    failures: int
    p50: float | None
    p95: float | None
    p99: float | None


class TrialPart(TypedDict):
    """One trial. ``outcome`` is passed, failed or invalid; ``rule`` is the first rule that failed, "" for none.

    An invalid trial says nothing about the server and is not counted. ``rate`` is successful calls per second.
    """

    load: int
    outcome: str
    rule: str
    why: list[str]
    processes: int
    seconds: float
    rate: float
    folder: str
    calls: list[CurvePart]


class UslPart(TypedDict):
    """The Universal Scalability Law; ``peak`` is null where throughput grows without end."""

    lam: float
    contention: float
    coherency: float
    r2: float
    peak: float | None


class CapacityPart(TypedDict):
    """``capacity.json``. Loads are players.

    ``bound`` says what the value is: ``interval``, ``at least`` (no trial failed) or ``below`` (none passed).
    ``ended`` is why the search ended; ``operating_point`` leaves ``HEADROOM`` free.
    """

    schema: str
    target: str
    bound: str
    value: float | None
    low: float | None
    high: float | None
    operating_point: int | None
    generator_limit: int | None
    broke_first: str
    ended: str
    seconds: float
    usl: UslPart | None
    trials: list[TrialPart]


def curve_of(summary: Summary) -> list[CurvePart]:
    """Return the figures of a trial that are drawn over the load."""
    return [
        {
            "kind": call["kind"],
            "name": call["name"],
            "rate": call["rate"],
            "failures": call["failures"],
            "p50": call["ok_ms"]["p50"],
            "p95": call["ok_ms"]["p95"],
            "p99": call["ok_ms"]["p99"],
        }
        for call in summary["calls"]
    ]


def answer_of(
    search: Bisection, trials: Sequence[TrialPart], *, target: str, ended: str, seconds: float
) -> CapacityPart:
    """Return what the search knows, whether or not it was completed."""
    law = fit([(trial["load"], trial["rate"]) for trial in trials if trial["outcome"] != INVALID])
    estimate = search.estimate() if search.trials else None
    bound = "interval"
    if estimate is not None and (estimate.at_least or estimate.below):
        bound = "at least" if estimate.at_least else "below"
    broken = [trial for trial in trials if trial["outcome"] == FAILED]
    first = min(broken, key=lambda trial: trial["load"], default=None)
    return {
        "schema": SCHEMA,
        "target": target,
        "bound": bound,
        "value": None if estimate is None else round(estimate.value, 1),
        "low": None if estimate is None else round(estimate.low, 1),
        "high": None if estimate is None else round(estimate.high, 1),
        "operating_point": None if estimate is None or bound == "below" else int(estimate.low * (1 - HEADROOM)),
        "generator_limit": search.limit,
        "broke_first": "" if first is None else f"{first['rule']}: {'; '.join(first['why'])}",
        "ended": ended,
        "seconds": round(seconds, 1),
        "usl": None
        if law is None
        else {
            "lam": law.lam, "contention": law.sigma, "coherency": law.kappa, "r2": law.r2, "peak": law.peak,
        },
        "trials": list(trials),
    }  # fmt: skip


def exit_code(part: CapacityPart, required: int | None) -> ExitCode:
    """Return 3 if the server holds fewer players than ``required``, 4 if the search cannot decide."""
    if part["low"] is None or part["high"] is None:
        return ExitCode.INVALID
    if required is None:
        return ExitCode.PASSED
    if part["bound"] != "below" and part["low"] >= required:
        return ExitCode.PASSED
    if part["bound"] != "at least" and part["high"] < required:
        return ExitCode.GATE_FAILED
    return ExitCode.INVALID


def text(part: CapacityPart) -> str:
    """Return the answer for a terminal."""
    counted = [trial for trial in part["trials"] if trial["outcome"] != INVALID]
    lines = [
        "",
        "players  outcome   calls/s  why",
        *(
            f"{trial['load']:>7,}  {trial['outcome']:<8} {trial['rate']:>8,.1f}  {_why(trial)}"
            for trial in sorted(part["trials"], key=lambda trial: trial["load"])
        ),
        "",
        headline(part),
    ]
    if part["broke_first"]:
        lines.append(f"what broke first: {part['broke_first']}")
    if part["operating_point"] is not None:
        lines.append(
            f"suggested operating point: {part['operating_point']:,} players ({HEADROOM:.0%} headroom below "
            "the interval)"
        )
    lines.append(_law_line(part["usl"]))
    lines.append(f"{len(counted)} trials in {part['seconds']:,.0f} s; the search ended: {part['ended']}")
    return "\n".join(lines)


def headline(part: CapacityPart) -> str:
    """Return the answer in one line."""
    if part["value"] is None or part["low"] is None or part["high"] is None:
        return "capacity: not measured (no trial counted)"
    if part["bound"] == "at least":
        reason = "the limit of the generator" if part["generator_limit"] else "no trial failed"
        return f"capacity: at least {part['value']:,.0f} players ({reason})"
    if part["bound"] == "below":
        return f"capacity: below {part['high']:,.0f} players (no trial passed)"
    return f"capacity: {part['value']:,.0f} players, 90 % interval {part['low']:,.0f} to {part['high']:,.0f}"


def _why(trial: TrialPart) -> str:
    return trial["why"][0] if trial["why"] and trial["outcome"] != PASSED else ""


def _law_line(law: UslPart | None) -> str:
    if law is None:
        return "scalability law: not fitted (it needs 4 loads, and numpy: pip install 'nakama_bots[capacity]')"
    peak = "no peak" if law["peak"] is None else f"peak at {law['peak']:,.0f} players"
    return (
        f"scalability law: contention {law['contention']:.2%}, coherency {law['coherency']:.2e}, {peak} "
        f"(R2 {law['r2']:.3f})"
    )
