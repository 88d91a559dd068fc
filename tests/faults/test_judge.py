"""The judge of the matrix finds violations, and the page matches the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from load.running import ROOT

from . import OWN
from .cell import FAILED, PASSED, Cell
from .cells import CELLS, QUICK
from .judge import Result, judge, tracebacks
from .page import page

WELL = """\
cid ledger: sent 1,010 = ok 1,000 + error 0 + timeout 6 + closed 0 + abandoned 4 (balanced); late 2
run: FAILED (exit code 1)
  6 calls failed
"""
CAUSE = "The above exception was the direct cause of the following exception:"
TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\n'


def judged(output: str, folder: Path, *, code: int = 1, verdict: str = FAILED, cids: int = 0) -> Result:
    codes = (0,) if verdict == PASSED else (1,)
    cell = Cell("cell", "fault", "does", codes=codes, verdict=verdict, ledger=("timeout",))
    result = Result(cell, code=code, output=output)
    judge(result, folder, cids)
    return result


def test_a_run_as_expected(tmp_path: Path) -> None:
    result = judged(WELL, tmp_path, cids=1010)
    assert (result.good, result.verdict, result.unaccounted) == (True, FAILED, 0)
    assert result.ledger == "1010 = 1000 ok + 6 timeout + 4 abandoned"


@pytest.mark.parametrize(
    ("output", "code", "problem"),
    [
        (WELL.replace("ok 1,000", "ok 999"), 1, "1 cids unaccounted for"),
        (WELL.replace("timeout 6", "timeout 0").replace("ok 1,000", "ok 1,006"), 1, "no cid ended as timeout"),
        (WELL, 0, "exit code 0, not 1"),
        (WELL.replace("FAILED (exit code 1)", "PASSED (exit code 0)"), 0, "WRONG PASSED"),
        ("run: PASSED (exit code 0)\n" + WELL, 1, "2 verdict lines, not 1"),
        (WELL + TRACE + "ValueError: ours\n", 1, "1 tracebacks"),
        (WELL + "no such user \x1b[2J\n", 1, "raw '\\x1b' on the terminal"),
        ("", 1, "no ledger"),
    ],
)
def test_a_violation(output: str, code: int, problem: str, tmp_path: Path) -> None:
    assert any(problem in found for found in judged(output, tmp_path, code=code).problems)


def test_cids_that_are_missing_in_the_ledger(tmp_path: Path) -> None:
    assert judged(WELL, tmp_path, cids=1013).unaccounted == 3


def test_only_what_the_scenario_raised_is_its_own() -> None:
    assert tracebacks(f"{TRACE}LookupError: {OWN}\n") == (1, 0)
    scenario = TRACE.replace("x.py", str(Path(__file__).parent / "locustfile.py"))
    assert tracebacks(f"{scenario}SystemExit: 0\n{TRACE}SystemExit: 0\n") == (1, 1)
    chained = f"{TRACE}LookupError: {OWN}\n\n{CAUSE}\n\n{TRACE}KeyError: 1\n"
    assert tracebacks(f"{chained}\nsomething else\n{chained.replace(OWN, 'ours')}") == (1, 1)


def test_a_control_character_in_a_report(tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("right \u202eto left")
    assert judged(WELL, tmp_path).problems == ["raw '\\u202e' in summary.md"]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8") == page()


def test_names() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    assert set(names) >= QUICK
    own = (Path(__file__).parent / "locustfile.py").read_text(encoding="utf-8")
    assert f'OWN = "{OWN}"' in own
