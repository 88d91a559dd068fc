"""The soak runs and writes what it saw; growth does not pass, nor does a run that is too short to show any."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_runs_and_writes_samples(tmp_path: Path) -> None:
    results = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.1", "--users", "3", "--scale", "0.01",
         "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "generator: not measured: the run was too short" in done.stdout
    found = json.loads(results.read_text(encoding="utf-8"))
    # A busy machine may have answered no call in six seconds: the run is invalid then, and no other.
    assert found["exit_code"] in {0, 4}
    assert found["ledger"].startswith("cid ledger: ")
    assert found["samples"][0]["emulator"]["rss_mb"] > 0


@pytest.mark.parametrize(("an_hour", "good"), [(0.0, True), (0.5, True), (2.0, False)])
def test_growth_from_the_warm_up_on(an_hour: float, good: bool) -> None:
    module = runpy.run_path(str(ROOT / "benchmarks" / "soak.py"))
    # Much in the first three minutes, which do not count, then a straight line.
    samples = [
        {"at_s": at, "generator": {"rss_mb": at if at < 180 else 100.0 + an_hour * at / 3600}}
        for at in range(0, 1800, 10)
    ]
    found = module["growth"](samples, "generator", 180.0)
    assert found["mb_an_hour"] == pytest.approx(an_hour, abs=0.001)
    assert module["passes"]({"exit_code": 0, "generator": found}) is good
    assert not module["passes"]({"exit_code": 1, "generator": found})
