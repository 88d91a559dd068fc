"""Two servers compared in turns: the plan of the turns, and the command against two real processes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from limits import NO_LIMITS

from nakama_bots.cli.main import main
from nakama_bots.ops.paired import PairedPlan
from nakama_bots.settings.load_profile import LoadProfile


@pytest.mark.parametrize("seed", range(5))
def test_each_side_has_one_of_every_two_turns(seed: int) -> None:
    plan = PairedPlan(rounds=9, block=10.0, settle=3.0, seed=seed)
    old, new = plan.turns(0), plan.turns(1)
    assert sorted(old + new) == list(range(18))
    assert [number // 2 for number in old] == [number // 2 for number in new] == list(range(9))


def test_pairs_start_with_either_server() -> None:
    plan = PairedPlan(rounds=40)
    assert {number % 2 for number in plan.turns(0)} == {0, 1}


def test_a_side_has_users_only_in_its_turns() -> None:
    plan = PairedPlan(rounds=8, block=10.0, settle=3.0)
    loads = [LoadProfile.parse(plan.load(side, 5)) for side in (0, 1)]
    for number in range(16):
        middle = number * 10 + 5.0
        users = [load.curve.ahead(middle, 0.0) for load in loads]
        assert sorted(users) == [0, 5]
        assert users[0] == (5 if number in plan.turns(0) else 0)


def test_periods_exclude_settling_and_never_overlap() -> None:
    plan = PairedPlan(rounds=8, block=10.0, settle=3.0)
    starts = (100.0, 101.0)
    old, new = plan.periods(0, starts), plan.periods(1, starts)
    assert old[0] == (104.0 + plan.turns(0)[0] * 10, 110.0 + plan.turns(0)[0] * 10)
    both = sorted(old + new)
    assert all(before[1] < after[0] for before, after in pairwise(both))


PINGS = """
from locust import constant, task
from nakama_bots.load import NakamaUser

class Pings(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self):
        self.player.socket.ping_pong()
"""


def test_two_servers_are_started_compared_and_stopped(tmp_path: Path) -> None:
    emulator = f"{shlex.quote(sys.executable)} -m nakama_bots.cli emulator --port {{port}}"
    result, scenario = tmp_path / "comparison.json", tmp_path / "pings.py"
    scenario.write_text(PINGS)
    command = [
        sys.executable, "-m", "nakama_bots.cli", "compare", "--paired",
        # Failures, not latency: what counts as slow depends on the machine.
        emulator, f"{emulator} --fault error:on=ping,code=3,rate=0.5",
        "--users", "2", "--rounds", "10", "--block", "5", "--settle", "0.5",
        "--locust", f"-f {scenario} --nakama-health-limits {NO_LIMITS}",
        "--name", "WS ping", "--statistic", "failures",
        "--reports", str(tmp_path / "reports"), "--json", str(result),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path, check=False)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    (row,) = orjson.loads(result.read_bytes())["rows"]
    assert row["verdict"] == "regressed"
    assert row["baseline"]["value"] == 0 < row["run"]["value"]


def test_a_server_that_does_not_start_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = f"{shlex.quote(sys.executable)} -c 'print(\"no database for {{port}}\")'"
    assert main(["compare", "--paired", broken, broken, "--reports", str(tmp_path)]) == 4
    assert "does not serve http://127.0.0.1:" in (line := capsys.readouterr().err)
    assert "no database for" in line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--settle", "20"], "--settle: 20.0 cannot be used"),
        (["http://127.0.0.3:1"], "--paired: "),
    ],
)
def test_an_impossible_plan_is_refused(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "http://127.0.0.1:1", "http://127.0.0.2:1", *options, "--paired"]) == 2
    assert line in capsys.readouterr().err
