"""The verdict and the run's figures as Markdown: for the summary of a CI job, and for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from nakama_bots.errors import safe_text
from nakama_bots.exit_codes import Outcome
from nakama_bots.results.gate.rules import RuleOutcome
from nakama_bots.results.gate.verdict import Verdict
from nakama_bots.results.latency import shown_ms
from nakama_bots.results.record.recorder import ABANDONED
from nakama_bots.results.show.text import timing_lines
from nakama_bots.results.summary import CallPart, Summary, ended

_WORD: Final = {Outcome.PASSED: "✅ passed", Outcome.FAILED: "❌ failed", Outcome.INVALID: "⚠️ invalid"}
_MARK: Final = {RuleOutcome.PASSED: "✅", RuleOutcome.FAILED: "❌", RuleOutcome.WARNED: "⚠️"}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
# What a forge turns into a mention, a reference or a link, escaped or not: it works on the rendered text.
_ACTIVE: Final = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_BREAK: Final = "&#8203;"
"""A zero-width space, which prevents that."""
_WHY: Final = 10
_CALLS: Final = 40


def job_summary(verdict: Verdict, summary: Summary) -> str:
    """Return the whole text: the verdict, every rule, every call, and how they were timed."""
    calls = summary["calls"]
    lines = [*_head(verdict, summary), *_rules(verdict)]
    if calls:
        lines += [
            "",
            "| call | count | failures | stopped | p50 ms | p95 ms | p99 ms |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        lines += [_call(call) for call in calls[:_CALLS]]
        if len(calls) > _CALLS:
            lines.append(f"\n… and {len(calls) - _CALLS} more in summary.json")
        lines += [part for line in timing_lines(summary) for part in ("", escaped(line))]
    return "\n".join(lines) + "\n"


def pull_request(verdict: Verdict, summary: Summary) -> str:
    """Return a comment: the verdict and why, with the rules folded. A comparison can be appended to it."""
    lines = _head(verdict, summary)
    if verdict.results:
        kept = sum(result.outcome is RuleOutcome.PASSED for result in verdict.results)
        lines += ["", f"<details><summary>{kept} of {len(verdict.results)} rules passed</summary>"]
        lines += [*_rules(verdict), "", "</details>"]
    return "\n".join(lines) + "\n"


def _head(verdict: Verdict, summary: Summary) -> list[str]:
    run, target = summary["run"], summary["target"]
    against = escaped(target["url"]) + (
        " — **the emulator, not a Nakama server**" if target["is_emulator"] else ""
    )
    word = _WORD[verdict.outcome]
    lines = [
        f"### Load test {word}: {escaped(run['scenario'])} (exit code {int(verdict.exit_code)})",
        "",
        f"{run['users']:,} users for {run['duration_s']:,.0f} s against {against}",
        "",
        *(f"- {escaped(line)}" for line in verdict.why[:_WHY]),
    ]
    if len(verdict.why) > _WHY:
        lines.append(f"- … and {len(verdict.why) - _WHY} more in verdict.json")
    return lines


def _rules(verdict: Verdict) -> list[str]:
    if not verdict.results:
        return []
    lines = ["", "| | rule | measured | limit | samples | at |", "|---|---|--:|--:|--:|---|"]
    for result in verdict.results:
        rule = result.rule
        cells = (
            _MARK[result.outcome],
            escaped(rule.name),
            escaped(rule.shown(result.measured)),
            escaped(f"{rule.relation} {rule.shown(rule.limit)}"),
            f"{result.samples:,}",
            escaped(result.subject or "no name matches"),
        )
        lines.append(table_row(cells))
    return lines


def _call(call: CallPart) -> str:
    times = call["ok_ms"]
    figures = (shown_ms(value) for value in (times["p50"], times["p95"], times["p99"]))
    counts = (f"{number:,}" for number in (ended(call), call["failures"], call["outcomes"][ABANDONED]))
    return table_row((escaped(f"{call['kind']} {call['name']}"), *counts, *figures))


def table_row(cells: Iterable[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Return ``text`` literally, for a paragraph or a table cell: without mentions and links."""
    shown = _SPECIAL.sub(r"\\\1", safe_text(" ".join(text.split())))
    return _ACTIVE.sub(lambda match: match[0] + _BREAK, shown)
