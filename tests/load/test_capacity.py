"""A capacity search within one run: trials, results, lost workers and lost servers."""

from __future__ import annotations

from pathlib import Path

import orjson
import psutil
import pytest

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError
from nakama_bots.load.capacity.search_run import plan_of
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.settings.load_profile import LoadProfile

from .running import LOCUSTFILES, TRACE, Locust, run

GATE = """
[gate]
allow_emulator = true
[[rule]]
name = "nothing fails"
calls = "*"
together = true
expect = "fail_ratio <= 20 %"
"""
TRIALS = "trial=5s,warmup=2s"
BREAKING = LOCUSTFILES / "breaking.py"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(GATE)
    return path


def outcomes(locust: Locust) -> list[tuple[int, str]]:
    return [(trial["load"], trial["outcome"]) for trial in locust.summary["capacity"]["trials"]]


def test_a_search_finds_the_limit(tmp_path: Path, gate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = f"search:from=4,to=40,trials=3,{TRIALS}"
    locust = run(
        tmp_path / "reports", "--nakama-load", load, "--nakama-gate", str(gate), "--nakama-require", "100",
        locustfile=BREAKING, environment={"BREAKS_ABOVE": "9"},
    )  # fmt: skip
    assert locust.finish() == 3, locust.output
    assert TRACE not in locust.output
    part = locust.summary["capacity"]
    assert outcomes(locust)[0] == (13, "failed")
    assert all((outcome == "passed") == (load <= 9) for load, outcome in outcomes(locust))
    assert part["low"] is not None
    assert part["low"] <= 10
    assert part["broke_first"].startswith("nothing fails: fail_ratio ")
    for line in ("capacity: trial 2 with ", "at least 100 players are required", "the search ended: 3 trials"):
        assert line in locust.output
    # All players leave between two trials.
    users = [row["gauges"]["users"] for row in locust.timeline if row["source"] == "local"]
    assert users.count(0) >= 3
    (folder,) = locust.folders
    assert orjson.loads((folder / "verdict.json").read_bytes())["exit_code"] == 3
    report = (folder / "report.html").read_text()
    assert "Successful calls over players" in report
    assert "90 % interval" in report
    assert main(["gate", str(folder), "--gate", str(gate)]) != 0
    assert "was a capacity search" in capsys.readouterr().err


def test_a_trial_with_a_lost_worker_is_repeated(tmp_path: Path, gate: Path) -> None:
    load = f"search:from=4,to=40,{TRIALS}"
    with Locust(
        tmp_path / "reports", "--nakama-load", load, "--nakama-gate", str(gate), "--processes", "3",
        locustfile=BREAKING, environment={"BREAKS_ABOVE": "100"},
    ) as locust:  # fmt: skip
        locust.wait_for("total users)", times=2)
        parent = psutil.Process(locust.pid)
        next(child for child in parent.children() if child.cmdline() == parent.cmdline()).kill()
        locust.wait_for("capacity: trial 2 with 13 players")
        locust.interrupt()
        assert locust.finish() == 4, locust.output
    part = locust.summary["capacity"]
    (trial,) = part["trials"]
    assert (trial["outcome"], trial["processes"]) == ("invalid", 3)
    assert trial["why"][0] == "1 of 3 workers were lost"
    assert (part["value"], part["ended"]) == (None, "it was interrupted")


def test_a_search_of_arrivals_ends_when_the_server_dies(tmp_path: Path, gate: Path) -> None:
    load = f"search:from=4,to=16,of=arrivals,settle=1s,drain=1s,{TRIALS}"
    with EmulatorProcess.start() as emulator:
        arguments = ["--nakama-load", load, "--nakama-gate", str(gate), "--host", emulator.url]
        with Locust(
            tmp_path / "reports", *arguments, locustfile=BREAKING, environment={"BREAKS_ABOVE": "100"}
        ) as locust:
            locust.wait_for("capacity: trial 2 with ")
            psutil.Process(emulator.pid).kill()
            assert locust.finish() == 5, locust.output
    part = locust.summary["capacity"]
    assert outcomes(locust)[0] == (8, "passed")
    assert outcomes(locust)[1][1] == "invalid"
    assert part["ended"].startswith("the server does not answer any more, since trial 2 with ")
    assert (part["unit"], part["bound"], part["value"]) == ("arrivals", "at least", 8)


def test_a_search_without_a_gate_is_refused(tmp_path: Path) -> None:
    load = "search:from=4,to=40"
    locust = run(tmp_path / "reports", "--nakama-load", load)
    assert locust.finish() == 2
    assert "--nakama-gate: 'nothing' cannot be used" in locust.output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GATE + "severity = 'warn'\n", "a gate with a rule that can break"),
        (GATE.replace("[gate]", "[gate]\nwarmup = '60 s'"), "longer than its warm-up"),
    ],
)
def test_a_gate_that_cannot_judge_trials_is_refused(text: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        plan_of(LoadProfile.parse("search:from=4,to=40,trial=60s"), parse_gate(text, "g.toml"))
