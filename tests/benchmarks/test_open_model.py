"""The benchmark runs and writes figures that add up; a run that is off does not pass."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_runs_and_writes_figures(tmp_path: Path) -> None:
    results = tmp_path / "figures" / "open_model.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.open_model", "--rate", "20", "--seconds", "1", "--runs", "1",
         "--processes", "1", "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # 1: the machine was too slow
    (run,) = json.loads(results.read_text(encoding="utf-8"))["runs"]
    assert run["scheduled"] == run["planned"] == run["started"] + run["dropped"] > 0


def test_a_run_that_is_off_does_not_pass() -> None:
    # By its path: the tests' own package has the same name.
    passes = runpy.run_path(str(ROOT / "benchmarks" / "open_model.py"))["passes"]
    good = {"scheduled": 1000, "planned": 1000, "started": 990, "dropped": 10, "exit_code": 0}
    assert passes(good)
    assert not passes(good | {"started": 989, "dropped": 11})
    assert not passes(good | {"planned": 999, "started": 989})
    assert not passes(good | {"exit_code": 1})
