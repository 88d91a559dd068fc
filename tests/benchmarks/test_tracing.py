"""The benchmark runs and writes figures; how good they are is not asked here."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_measures_turns_with_and_without_traces(tmp_path: Path) -> None:
    results = tmp_path / "figures" / "tracing.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tracing", "--pairs", "2", "--matches", "2",
         "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # 1: above the limit
    turns = json.loads(results.read_text(encoding="utf-8"))["turns"]
    assert [turn["traced"] for turn in turns] == [False, True, True, False]
    assert all(turn["sent"] > 0 and turn["cpu_us"] > 0 for turn in turns)
    # All of the players is kept in the turns with traces, and nothing in the others.
    assert [turn["events"] > 0 for turn in turns] == [False, True, True, False]


def test_the_ratio_is_that_of_neighbours() -> None:
    judged = runpy.run_path(str(ROOT / "benchmarks" / "tracing.py"))["judged"]
    turns = [
        {
            "traced": position % 4 in (1, 2),
            "cpu_us": (100 + position) * (1.02 if position % 4 in (1, 2) else 1.0),
        }
        for position in range(80)
    ]
    figures = judged(turns)
    assert figures["ratio"] == pytest.approx(1.02, abs=0.01)
    assert figures["low"] <= figures["ratio"] <= figures["high"]
