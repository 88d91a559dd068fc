"""The answer of a capacity search: its exit code, and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nakama_bots.errors import without_secrets
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.results.capacity.document import PLAYERS, UNITS, Bound, CapacityPart, Cause, TrialPart, UslPart
from nakama_bots.results.capacity.search import HEADROOM
from nakama_bots.results.gate.verdict import Verdict

_FITS: Final = 0.5
"""The least share of the variance that a law must explain to be shown."""


def exit_code(part: CapacityPart) -> ExitCode:
    """Return 3 if the server holds less than what is required, or than the least load; 4 if undecided.

    5 if the server did not answer any more, whatever is known from before.
    """
    required = part["required"]
    if part["trials"] and part["trials"][-1]["cause"] == Cause.UNREACHABLE:
        return ExitCode.UNREACHABLE
    if part["low"] is None or part["high"] is None:
        return ExitCode.INVALID
    if part["bound"] == Bound.BELOW:
        wanted = part["searched_from"] if required is None else required
        return ExitCode.GATE_FAILED if part["high"] <= wanted else ExitCode.INVALID
    if required is None or part["low"] >= required:
        return ExitCode.PASSED
    if part["bound"] != Bound.AT_LEAST and part["high"] < required:
        return ExitCode.GATE_FAILED
    return ExitCode.INVALID


def verdict_of(
    part: CapacityPart, gate: str, *, faults: Sequence[str] = (), missing: Sequence[str] = ()
) -> Verdict:
    """Return the verdict on a run that was a search; ``faults`` and ``missing`` as in ``conclude``."""
    code = ExitCode.INVALID if missing else exit_code(part)
    if code is ExitCode.PASSED and faults:
        code = ExitCode.FAILURES
    invalid = code in (ExitCode.INVALID, ExitCode.UNREACHABLE)
    failed = Outcome.INVALID if invalid else Outcome.FAILED
    outcome = Outcome.PASSED if code is ExitCode.PASSED else failed
    required = [f"at least {part['required']:,} {UNITS[part['unit']]} are required"] if part["required"] else []
    broke = [f"what broke first: {part['broke_first']}"] if part["broke_first"] else []
    lines = [*missing, headline(part), *required, *broke, f"the search ended: {part['ended']}", *faults]
    why = tuple(without_secrets(line) for line in lines)
    return Verdict(outcome, int(code), why, gate=gate, faults=tuple(faults), missing=tuple(missing))


def progress(trial: TrialPart, unit: str) -> str:
    """Return a finished trial in one line."""
    why = f": {_why(trial)}" if _why(trial) else ""
    left = f"; not gone after it: {', '.join(trial['left'])}" if trial["left"] else ""
    return f"{trial['load']:,} {UNITS[unit]}: {trial['outcome']}, {trial['rate']:,.1f} calls/s{why}{left}"


def answer_lines(part: CapacityPart) -> list[str]:
    """Return the trials and the answer for a terminal."""
    unit = UNITS[part["unit"]]
    return [
        f"{unit:>10}  outcome   calls/s  why",
        *(
            f"{trial['load']:>10,}  {trial['outcome']:<8} {trial['rate']:>8,.1f}  {_why(trial)}".rstrip()
            for trial in sorted(part["trials"], key=lambda trial: trial["load"])
        ),
        "",
        *conclusions(part),
    ]


def conclusions(part: CapacityPart) -> list[str]:
    """Return the answer without the trials."""
    unit = UNITS[part["unit"]]
    lines = [headline(part)]
    if part["broke_first"]:
        lines.append(f"what broke first: {part['broke_first']}")
    if part["generator_limit"] is not None:
        lines.append(f"the generator cannot run {part['generator_limit']:,} {unit}: {part['generator_why']}")
    if part["operating_point"] is not None:
        lines.append(
            f"suggested operating point: {part['operating_point']:,} {unit} ({HEADROOM:.0%} headroom below "
            "the interval)"
        )
    if part["unit"] == PLAYERS:
        lines.append(_law_line(part["usl"]))
    counted = [trial for trial in part["trials"] if trial["outcome"] != Outcome.INVALID]
    invalid = len(part["trials"]) - len(counted)
    more = f", {invalid} {'more ' if counted else ''}invalid" if invalid else ""
    trials = {0: "no trial that counts", 1: "1 trial"}.get(len(counted), f"{len(counted)} trials")
    lines.append(f"{trials}{more} in {part['seconds']:,.0f} s; the search ended: {part['ended']}")
    return lines


def headline(part: CapacityPart) -> str:
    """Return the answer in one line."""
    unit = UNITS[part["unit"]]
    if part["value"] is None or part["low"] is None or part["high"] is None:
        return "capacity: not measured (no trial counted)"
    if part["bound"] == Bound.AT_LEAST:
        limited = part["generator_limit"] is not None
        reason = "the generator ends there, not the server" if limited else "no trial failed"
        return f"capacity: at least {part['value']:,.0f} {unit} ({reason})"
    if part["bound"] == Bound.BELOW:
        return f"capacity: below {part['high']:,.0f} {unit} (no trial passed)"
    return f"capacity: {part['value']:,.0f} {unit}, 90 % interval {part['low']:,.0f} to {part['high']:,.0f}"


def _why(trial: TrialPart) -> str:
    return trial["why"][0] if trial["why"] and trial["outcome"] != Outcome.PASSED else ""


def _law_line(law: UslPart | None) -> str:
    if law is None:
        return "scalability law: not fitted (it needs 4 loads, and numpy: pip install 'nakama_bots[capacity]')"
    if law["r2"] < _FITS:
        return f"scalability law: it does not describe these figures (R2 {law['r2']:.3f})"
    peak = "no peak" if law["peak"] is None else f"peak at {law['peak']:,.0f} players"
    return (
        f"scalability law: contention {law['contention']:.2%}, coherency {law['coherency']:.2e}, {peak} "
        f"(R2 {law['r2']:.3f})"
    )
