"""A search with real runs, against an emulator and a scenario that fails above a number of users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from limits import NO_LIMITS

from nakama_bots.cli.main import main
from nakama_bots.results.run_folder import read_summary

SCENARIO = """
from locust import constant, task
from nakama_bots.load import NakamaUser

class Knee(NakamaUser):
    wait_time = constant(0.2)

    @task
    def go(self):
        self.player.socket.ping_pong()
        if self.environment.runner.user_count > 6:
            self.player.socket.rpc("there_is_no_such_function")
"""
GATE = """
[gate]
min_samples = 1
warmup = "1 s"
allow_emulator = true

[[rule]]
name = "nothing fails"
calls = "*"
together = true
expect = "fail_ratio <= 0 %"
"""
EMULATOR = f"{sys.executable} -m nakama_bots.cli emulator --port {{port}}"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    scenario, gate = tmp_path / "knee.py", tmp_path / "gate.toml"
    scenario.write_text(SCENARIO)
    gate.write_text(GATE)
    return scenario, gate


def test_a_search_finds_where_a_scenario_starts_to_fail(files: tuple[Path, Path], tmp_path: Path) -> None:
    scenario, gate = files
    log = tmp_path / "server.log"
    log.touch()
    command = [
        sys.executable, "-m", "nakama_bots.cli", "capacity", EMULATOR, "--gate", str(gate), "--locust",
        f"-f {scenario} --nakama-health-limits {NO_LIMITS} --nakama-server-log {log}",
        "--from", "3", "--to", "12", "--trial", "8", "--settle", "0", "--max-trials", "3", "--require", "20",
        "--reports", str(tmp_path / "reports"), "--json", str(tmp_path / "capacity.json"),
    ]  # fmt: skip
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=tmp_path, check=False, env=_environment()
    )
    part = orjson.loads((tmp_path / "capacity.json").read_bytes())
    assert ended.returncode == 3, ended.stderr + ended.stdout
    outcomes = {trial["load"]: trial["outcome"] for trial in part["trials"]}
    assert all((outcome == "passed") == (load <= 6) for load, outcome in outcomes.items()), outcomes
    assert part["broke_first"].startswith("nothing fails: ")
    assert part["bound"] == "interval"
    assert "what broke first: nothing fails" in ended.stdout
    (folder,) = (tmp_path / "reports").iterdir()
    summary = read_summary(folder)
    assert summary["capacity"] == part
    # From all trials, not only from the trial of this report.
    assert summary["bottleneck"]["most_players"] == max(outcomes) > summary["run"]["users"]
    assert "what breaks first: not clear" in ended.stdout
    assert "Successful calls over players" in (folder / "report.html").read_text()


def test_a_stopped_server_ends_the_search(files: tuple[Path, Path], tmp_path: Path) -> None:
    scenario, gate = files
    arguments = ["--locust", f"-f {scenario}", "--trial", "3", "--reports", str(tmp_path / "reports")]
    assert main(["capacity", "http://127.0.0.1:9", "--gate", str(gate), *arguments]) == 5


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--from", "100", "--to", "10"], "--from: 100 "),
        (["--trial", "1"], "--trial: '1 s' "),
        (["--max-time", "5"], "--max-time: 5.0 "),
        (["--scenario", "duell"], "NAME: 'duell' "),
    ],
)
def test_an_impossible_search_is_refused(
    options: list[str], line: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capacity", "http://127.0.0.1:9", "--gate", str(files[1]), *options]) == 2
    assert line in capsys.readouterr().err


def test_a_gate_without_rules_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text("[gate]\n")
    assert main(["capacity", "http://127.0.0.1:9", "--gate", str(gate)]) == 2
    assert "rule" in capsys.readouterr().err


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "LOCUST_"))}
