"""Each scenario by itself, as its docstring says: ``locust -f scenarios/<name>.py``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from nakama_bots.results.run_folder import read_summary

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("[!_]*.py"))

# What a scenario is there for: calls that it makes, and counts that show the players met.
DOES = {
    "duel": (
        {
            "matchmaker_add",
            "match_join",
            "match_leave",
            "channel_join",
            "channel_message_send",
            "channel_leave",
        },
        {"tickets_matched", "matches_played", "ticks_sent", "delivery_received", "chat_received"},
    ),
    "town_square": (
        {"channel_join", "channel_leave", "channel_message_send", "status_update"},
        {"chat_sent", "chat_received"},
    ),
}


def test_every_scenario_is_told_of_here() -> None:
    assert {path.stem for path in SCENARIOS} == set(DOES)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("name", sorted(DOES))
def test_it_does_what_it_says(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", f"scenarios/{name}.py", "--headless", "-u", "4", "-r", "4",
         "-t", "9s" if name == "town_square" else "4s",
         "--nakama-match-seconds", "1", "--nakama-emulator-matchmaker-interval", "0.2",
         "--nakama-reports", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = tmp_path.iterdir()
    summary = read_summary(folder)
    names, counts = DOES[name]
    assert names <= {call["name"] for call in summary["calls"] if call["count"] > 0}
    assert all(summary["counts"].get(count, 0) > 0 for count in counts)
    assert summary["ledger"]["balanced"]
    assert summary["errors"] == []
    assert summary["delivery"]["lost"] == 0


def test_the_locustfile_gathers_all() -> None:
    text = (ROOT / "locustfile.py").read_text(encoding="utf-8")
    for path in SCENARIOS:
        assert f"scenarios.{path.stem}" in text
