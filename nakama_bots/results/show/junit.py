"""The verdict as JUnit XML, by the schema of Jenkins' xunit plug-in: a test case per rule, one for the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from nakama_bots.errors import safe_text
from nakama_bots.exit_codes import Outcome
from nakama_bots.results.gate.rules import RuleOutcome, RuleResult
from nakama_bots.results.gate.verdict import Verdict
from nakama_bots.results.summary import Summary

# Characters that XML 1.0 cannot contain, not even escaped (section 2.2).
_FORBIDDEN: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUITE: Final = "nakama_bots gate"
_RUN: Final = "the run"


def junit(verdict: Verdict, summary: Summary) -> bytes:
    """Return the content of the file. A warning is a skipped test: visible, but not a failure of the job."""
    run = summary["run"]
    cases = [_run_case(verdict), *(_rule_case(result) for result in verdict.results)]
    for case in cases:
        case.set("classname", _text(f"{_SUITE}.{run['scenario']}"))
    seconds = f"{run['duration_s']:.3f}"
    suite = ET.Element(
        "testsuite",
        name=_text(f"{_SUITE} {verdict.gate or ''}".rstrip()),
        tests=str(len(cases)),
        failures=_count(cases, "failure"),
        errors=_count(cases, "error"),
        skipped=_count(cases, "skipped"),
        time=seconds,
        timestamp=run["started"].partition(".")[0],
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("target", summary["target"]["url"]),
        ("emulator", str(summary["target"]["is_emulator"]).lower()),
        ("users", str(run["users"])),
    ):
        ET.SubElement(properties, "property", name=name, value=_text(value))
    suite.extend(cases)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    text: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _run_case(verdict: Verdict) -> ET.Element:
    """Return the case for the run as a whole: an invalid run is an error, whatever its rules say."""
    case = ET.Element("testcase", name=_RUN)
    tag = {Outcome.INVALID: "error", Outcome.FAILED: "failure"}.get(verdict.outcome)
    if tag is not None and verdict.reasons:
        _add(case, tag, verdict.outcome.value, verdict.reasons)
    return case


def _rule_case(result: RuleResult) -> ET.Element:
    case = ET.Element("testcase", name=_text(result.rule.name))
    if result.outcome is RuleOutcome.FAILED:
        _add(case, "failure", "rule", [result.message])
    elif result.outcome is RuleOutcome.WARNED:
        _add(case, "skipped", "warning", [result.message])
    else:
        ET.SubElement(case, "system-out").text = _text(result.message)
    return case


def _add(case: ET.Element, tag: str, kind: str, lines: Sequence[str]) -> None:
    ET.SubElement(case, tag, type=kind, message=_text(lines[0])).text = "\n".join(map(_text, lines))


def _count(cases: Sequence[ET.Element], tag: str) -> str:
    return str(sum(case.find(tag) is not None for case in cases))


def _text(text: str) -> str:
    return _FORBIDDEN.sub("?", safe_text(text))
