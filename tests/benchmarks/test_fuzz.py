"""The fuzz run ends without a violation, and its checks see one."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from nakama_bots.ledger import Ledger

ROOT = Path(__file__).parents[2]


def test_every_cid_ends_exactly_once(tmp_path: Path) -> None:
    results = tmp_path / "fuzz.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--seconds", "5", "--seed", "7", "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text(encoding="utf-8"))
    cids = found["cids"]
    ends = sum(cids[name] for name in ("ok", "error", "timeout", "closed", "abandoned"))
    assert ends == cids["sent"] > 0
    assert min(cids["ok"], cids["error"], cids["timeout"], cids["closed"], found["stopped"]) > 0


@pytest.mark.parametrize(
    ("ledger", "reported", "calls"),
    [
        (Ledger(sent=3, ok=2), 2, 3),  # one is pending
        (Ledger(sent=3, ok=3, timeout=1), 4, 3),  # one has ended twice
        (Ledger(sent=3, ok=3), 2, 3),  # one was not reported
        (Ledger(sent=2, ok=2), 2, 3),  # one was never sent, nor refused
    ],
)
def test_a_violation_is_seen(ledger: Ledger, reported: int, calls: int) -> None:
    module = runpy.run_path(str(ROOT / "benchmarks" / "fuzz.py"))
    tally = module["Tally"]()
    socket = SimpleNamespace(ledger=ledger, pending=0)
    module["check"](5, socket, SimpleNamespace(calls=reported), Counter(ok=calls), tally)
    assert len(tally.violations) == 1
    assert tally.violations[0].startswith("session 5: ")
