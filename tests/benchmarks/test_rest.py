"""The benchmark runs and writes figures; how good they are is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_measures_every_row(tmp_path: Path) -> None:
    results = tmp_path / "figures" / "rest.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rest", "--rounds", "1", "--players", "2", "--requests", "20",
         "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # 1: more than the limit
    assert str(results) in done.stdout
    written = json.loads(results.read_text(encoding="utf-8"))
    assert written["settings"] == {"players": 2, "requests": 20, "rounds": 1}
    rows = {f"{form}{name}" for name in ("geventhttpclient", "requests") for form in ("", "bare ")}
    assert rows | {"geventhttpclient shared", "requests shared"} == set(written["raw_cpu_us"])
    assert all(figure > 0 for (figure,) in written["raw_cpu_us"].values())
    for name, ratio in written["ratios"].items():
        own, bare = (written["raw_cpu_us"][row][0] for row in (name, f"bare {name}"))
        assert ratio == pytest.approx(own / bare)
    assert done.returncode == int(any(ratio > written["limit"] for ratio in written["ratios"].values()))
