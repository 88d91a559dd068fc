"""The benchmark runs and writes figures; how good they are is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_measures_every_codec(tmp_path: Path) -> None:
    results = tmp_path / "figures" / "delivery.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.delivery", "--rounds", "1", "--seconds", "0.5", "--matches", "1",
         "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # 1: slower than the limit
    assert str(results) in done.stdout
    written = json.loads(results.read_text(encoding="utf-8"))
    assert written["settings"] == {"matches": 1, "seconds": 0.5, "rounds": 1}
    assert set(written["raw"]) == {"exact", "stamped", "none"}
    for (figures,) in written["raw"].values():
        assert figures["received"] > 0
        assert figures["cpu_us"] > 0
    assert written["ratio"] > 0
