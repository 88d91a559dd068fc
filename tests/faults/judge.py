"""What a run did, from what it printed and left: pure but for the reading of its folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from nakama_bots.results.record.timeline import SERVER
from nakama_bots.results.run_folder import TIMELINE_FILE, read_timeline

from . import OWN
from .cell import ENDED, NOT_STARTED, PASSED, Cell

_VERDICT = re.compile(r"^(?:run|gate [^\n]*): (PASSED|FAILED|INVALID) \(exit code (\d+)\)$", re.MULTILINE)
_LEDGER = re.compile(
    r"^cid ledger: sent ([\d,]+) = ok ([\d,]+) \+ error ([\d,]+) \+ timeout ([\d,]+) \+ closed ([\d,]+) "
    r"\+ abandoned ([\d,]+) \((.*?)\)(?:; late ([\d,]+))?",
    re.MULTILINE,
)
_ENDS = ("sent", "ok", "error", "timeout", "closed", "abandoned")
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*.*", re.MULTILINE)
_CHAINED = re.compile(r"\n(.*)\n\n(?:The above exception was the direct|During handling of the above) .*:\n\n")
_SCENARIO = str(Path(__file__).parent / "locustfile.py")
# Moves a terminal's cursor, or turns the direction of what is read.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHOWN = (".md", ".xml", ".csv", ".html")


@dataclass
class Result:
    """The result of a cell. ``problems`` are in words; a cell without problems is as expected."""

    cell: Cell
    seconds: float = 0.0
    code: int | None = None
    verdict: str = ""
    ledger: str = ""
    unaccounted: int = 0
    wrong_passed: bool = False
    tracebacks: int = 0
    hang: bool = False
    skipped: str = ""
    problems: list[str] = field(default_factory=list)
    output: str = ""

    @property
    def good(self) -> bool:
        return not self.problems


def judge(result: Result, reports: Path, cids_seen: int = 0) -> None:
    """Fill in the figures of the output and the folder, and the problems in them."""
    cell, output, problems = result.cell, result.output, result.problems
    verdicts = _VERDICT.findall(output)
    result.verdict = ", ".join(dict.fromkeys(name for name, _ in verdicts))
    expected = 0 if cell.verdict in (NOT_STARTED, ENDED) else 1
    if len(verdicts) != expected:
        problems.append(f"{len(verdicts)} verdict lines, not {expected}")
    if expected and result.verdict not in cell.verdict.split():
        problems.append(f"verdict {result.verdict or 'none'}, not {cell.verdict}")
    if result.code not in cell.codes and not result.hang:
        problems.append(f"exit code {result.code}, not {' or '.join(map(str, cell.codes))}")
    if verdicts and int(verdicts[-1][1]) != result.code and not result.hang:
        problems.append(f"it printed exit code {verdicts[-1][1]} and ended with {result.code}")
    passed = any(name == PASSED for name, _ in verdicts) or (result.code == 0 and cell.verdict != ENDED)
    result.wrong_passed = passed and PASSED not in cell.verdict
    if result.wrong_passed:
        problems.append("WRONG PASSED")
    _ledger(result, cids_seen)
    own, result.tracebacks = tracebacks(output)
    if result.tracebacks:
        problems.append(f"{result.tracebacks} tracebacks")
    if cell.own_tracebacks is not None and own > cell.own_tracebacks:
        problems.append(f"{own} tracebacks of the scenario, not {cell.own_tracebacks}")
    problems.extend(
        f"it never said {text!r}" for text in cell.says if not re.search(text, output, re.MULTILINE)
    )
    if found := _UNSAFE.search(output):
        problems.append(f"raw {found[0]!r} on the terminal")
    _folder(result, reports)


def tracebacks(output: str) -> tuple[int, int]:
    """How many there are of what the scenario raised or was at, and of anything else; a chain is one."""
    texts = _TRACEBACK.findall(_CHAINED.sub(r"\n  \1\n  ", output))
    own = sum(OWN in text or _SCENARIO in text for text in texts)
    return own, len(texts) - own


def _ledger(result: Result, cids_seen: int) -> None:
    found = _LEDGER.findall(result.output)
    if not found:
        if result.cell.verdict not in (NOT_STARTED, ENDED):
            result.problems.append("no ledger")
        return
    ends = {name: int(text.replace(",", "")) for name, text in zip(_ENDS, found[-1], strict=False)}
    sent = ends.pop("sent")
    result.ledger = f"{sent} = " + " + ".join(f"{number} {name}" for name, number in ends.items() if number)
    late = found[-1][-1].replace(",", "")
    ends["late"] = int(late or 0)
    # A frame that the relay has read was sent; what is still in a kernel's buffer it has not read.
    result.unaccounted = abs(sent - sum(ends.values()) + ends["late"]) or max(0, cids_seen - sent)
    if result.unaccounted:
        result.problems.append(f"{result.unaccounted} cids unaccounted for ({cids_seen} seen on the wire)")
    result.problems.extend(f"no cid ended as {end}" for end in result.cell.ledger if not ends[end])


def _folder(result: Result, reports: Path) -> None:
    for path in reports.rglob("*") if reports.is_dir() else ():
        if path.suffix in _SHOWN and (found := _UNSAFE.search(path.read_text("utf-8"))):
            result.problems.append(f"raw {found[0]!r} in {path.name}")
        if path.name == "verdict.json":
            written = json.loads(path.read_bytes())
            if written["exit_code"] != result.code and not result.hang:
                result.problems.append(f"verdict.json has exit code {written['exit_code']}")
            if written["verdict"].upper() != result.verdict:
                result.problems.append(f"verdict.json says {written['verdict']}")
        if path.name == TIMELINE_FILE and result.cell.recovers and not _well_at_the_end(path):
            result.problems.append("no call went well at the end")


def _well_at_the_end(path: Path) -> bool:
    timeline = read_timeline(path)
    rows = [
        row for row in timeline if row["source"] != SERVER and row["at"] + row["seconds"] > timeline.ended - 2
    ]
    calls = [call for row in rows for call in row["recorded"]["calls"] if call["name"] == "ping"]
    return any(call["ok"]["raw_us"] or call["ok"]["hdr"] for call in calls)
