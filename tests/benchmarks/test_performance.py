"""``python -m benchmarks`` runs, and a contestant that did less cannot win. Speed is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_measures_in_rounds_and_names_what_is_missing(tmp_path: Path) -> None:
    results = tmp_path / "figures" / "performance.json"
    contestants = "ours,bare,go,locust"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--works", "D,F,G", "--contestants", contestants, "--rounds", "1",
         "--seconds", "0.5", "--players", "8", "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "NAKAMA_URL": "", "GO": str(tmp_path / "go"), "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = json.loads(results.read_text(encoding="utf-8"))
    assert written["server"] == "emulator"
    assert set(written["raw"]["D"]) == {"ours", "bare"}
    for (outcome,) in written["raw"]["D"].values():
        assert outcome["figures"]["cpu_us"] > 0, outcome
        assert outcome["counts"]["received"] > outcome["counts"]["sent"] > 0
    assert "real server" in written["raw"]["F"]["ours"][0]["failed"]
    for (outcome,) in written["raw"]["G"].values():
        assert outcome["figures"]["seconds"] > 0, outcome
        assert outcome["figures"]["rss_bytes"] > 10e6
    assert "go" in written["missing"]
    assert f"missing: go: {written['missing']['go']}" in done.stdout


def test_wrong_arguments_are_refused_in_one_line() -> None:
    cases = {
        "--works A,X": "error: --works: 'X' cannot be used; accepted: names with commas between: A, B, ",
        "--contestants k6": "error: --contestants: 'k6' cannot be used; accepted: names with commas between: ",
        "--players 6": "error: --players: 6 cannot be used; accepted: a multiple of 4, or 0 ",
        "--rounds 0": "error: --rounds: 0 cannot be used; accepted: a whole number from 1",
        "--seconds 0": "error: --seconds: 0.0 cannot be used; accepted: a number above 0",
        "--url http://game.example.com:7350": "error: --url: 'http://game.example.com:7350' cannot be used; a",
        "--show nowhere.json": "error: --show: 'nowhere.json' cannot be used; accepted: a file of results",
    }
    said = _run(
        """if True:
        import json, sys
        from benchmarks.__main__ import main
        for line in json.load(sys.stdin):
            assert main(line.split()) == 2
        """,
        list(cases),
    )
    assert [line[: len(start)] for line, start in zip(said, cases.values(), strict=True)] == list(
        cases.values()
    )


def test_a_contestant_that_did_less_has_no_figures() -> None:
    cases = [
        ("D", {"sent": 3000, "received": 9000}, ""),
        ("D", {"sent": 2600, "received": 7800}, "did less: 867 of 1,000 sends/s"),
        ("D", {"sent": 3000, "received": 8000}, "received 8,000 of 9,000"),
        ("B", {"sent": 9000, "received": 9000, "events": 9000, "errors": 0}, ""),
        (
            "B",
            {"sent": 9000, "received": 9000, "events": 8000},
            "only 8,000 of 9,000 calls are in Locust's table",
        ),
        ("B", {"sent": 9000, "received": 9000, "events": 9000, "errors": 2}, "2 calls failed"),
        ("B", {"sent": 0, "received": 0}, "nothing was received"),
        ("C", {"sent": 2000, "received": 1999}, "1999 of 2000 players connected"),
    ]
    said = _run(
        """if True:
        import json, sys
        from benchmarks.performance.running import Job, shortfalls
        from benchmarks.performance.works import WORKS
        for key, counts, _ in json.load(sys.stdin):
            work = WORKS[key]
            job = Job(key, "", "", work.players, work.base, work.rate, 3.0)
            print(shortfalls(work, job, {"failed": 0, **counts}, 3.0))
        """,
        cases,
    )
    assert said == [text for _, _, text in cases]


def _run(program: str, given: object) -> list[str]:
    """Run ``program`` with JSON on its input; here, the name ``benchmarks`` is the folder of these tests."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(given), cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout.split("\n")[:-1]


def test_the_limits_are_about_ratios_within_a_round(tmp_path: Path) -> None:
    def costs(*figures: float) -> list[object]:
        return [{"figures": {"cpu_us": one}} if one else {"failed": "did less"} for one in figures]

    late = {"players": 1500, "lateness_p99_ms": 31.0, "cpu": 0.8, "why": "tick lateness p99 31.0 ms"}
    steps = [{"players": 1000, "lateness_p99_ms": 4.0, "cpu": 0.5, "why": ""}, late]
    document = {
        "settings": {"players": 0}, "machine": {"cores": 2, "load": [0.1, 0.2]}, "missing": {},
        "steps": {"1": steps, "2": steps},
        "raw": {
            # Of the medians alone, ours would be 1.0 x bare and 0.8 x the best peer.
            "D": {"ours": costs(90, 100, 240), "bare": costs(60, 100, 120), "go": costs(100, 0, 200),
                  "nakama-js": costs(120, 125, 400), "api": costs(1, 1, 1)},
            "E": {"ours": costs(0), "bare": costs(30)},
            "F": {"ours": costs(50)},
        },
    }  # fmt: skip
    results = tmp_path / "performance.json"
    results.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--show", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    limits = [
        " ".join(line.split())
        for line in done.stdout.splitlines()
        if " at most " in line or " at least " in line
    ]
    assert limits == [
        "D ours / bare 1.5 at most 1.2: not reached",
        "D ours / the best peer 0.9 at most 0.85: not reached",
        "E ours, us CPU not measured at most 60: not measured",
        "F ours, players 1,000 at least 2000: not reached",
        # Two processes and the server have no three cores here.
        "F ours, --processes 2 / one not measured at least 1.8: not measured",
    ]
