"""Faults that are planted in a run are named by explain: the whole way, from the socket to the printed line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_planted_fault_is_named(tmp_path: Path) -> None:
    results = tmp_path / "explain.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.explain", "--rounds", "1", "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    planted = {row["fault"]: row for row in json.loads(results.read_text(encoding="utf-8"))["planted"]}
    assert len(planted) == 7
    # Of the others, what a busy machine does in the same second may hide the fault.
    for fault in ("latency, socket", "stall, socket", "slow reader", "slow reader, large answer"):
        assert planted[fault]["part"] == planted[fault]["right"], planted[fault]
    assert "the player did not read for" in planted["slow reader"]["explained"]["line"]
    assert "woken late" in planted["stall, socket"]["explained"]["line"]
