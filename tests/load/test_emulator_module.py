"""Server modules of a game in the embedded emulator, started from the directory of the game."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nakama_bots.results.run_folder import read_summary

from .running import ROOT, TIMEOUT, TRACE, UNTIL, WITHOUT_LIMITS, calls, until

MODULE = """
import json


class Pond:
    def match_init(self, context, params):
        return {"fish": 0}, 10, json.dumps({"pond": params["name"]})

    def match_join_attempt(self, context, dispatcher, tick, state, presence, metadata):
        return state, True

    def match_join(self, context, dispatcher, tick, state, presences):
        return state

    def match_leave(self, context, dispatcher, tick, state, presences):
        return state

    def match_loop(self, context, dispatcher, tick, state, messages):
        for message in messages:
            state["fish"] += 1
            dispatcher.broadcast_message(9, json.dumps({"caught": state["fish"]}).encode(), [message.sender])
        return state

    def match_terminate(self, context, dispatcher, tick, state, grace_seconds):
        return state

    def match_signal(self, context, dispatcher, tick, state, data):
        return state, ""


def init_module(nk, initializer):
    initializer.register_match("pond", Pond())
    initializer.register_rpc(lambda context, payload: nk.match_create("pond", json.loads(payload)), "open_pond")
"""
MORE = """
def init_module(nk, initializer):
    initializer.register_rpc(lambda context, payload: "perch", "species")
"""
LOCUSTFILE = """
from locust import constant, task

from nakama_bots.load import NakamaUser


class Angler(NakamaUser):
    wait_time = constant(0.05)

    @task
    def fish(self):
        socket = self.player.socket
        assert socket.rpc("species", "")["payload"] == "perch"
        match_id = socket.rpc("open_pond", '{"name": "reef"}')["payload"]
        assert socket.join_match(match_id)["label"] == '{"pond": "reef"}'
        with socket.expect("match_data") as answer:
            socket.send_match_state(match_id, 1, b"cast")
            answer.wait(timeout=30)
        socket.leave_match(match_id)
"""
SPECIES_IN_LUA = """
local nk = require("nakama")
nk.register_rpc(function(context, payload) return "perch" end, "species")
"""
GATE = """
[gate]
allow_emulator = true
[[rule]]
calls = "WS match_join"
expect = ["count >= 1", "fail_ratio == 0"]
"""


def locust(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NAKAMA_")}
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", f"locustfile.py,{UNTIL}", "--headless", "-u", "2", "-r", "2",
         *WITHOUT_LIMITS, "--nakama-reports", "reports", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)} | until("match_join", "match_leave", seconds=2),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )  # fmt: skip


@pytest.fixture
def game(tmp_path: Path) -> Path:
    for name, text in (
        ("pond.py", MODULE), ("species.py", MORE), ("locustfile.py", LOCUSTFILE), ("gates.toml", GATE),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_run_and_its_gate_use_the_modules(game: Path) -> None:
    (game / "lua").mkdir()
    (game / "lua" / "species.lua").write_text(SPECIES_IN_LUA)
    modules = ("--nakama-emulator-module", "pond.py", "--nakama-emulator-module", "lua")
    assert modules_of(locust(game, "--nakama-gate", "gates.toml", *modules), game) == "pond.py,lua"


def test_modules_in_the_settings_file(game: Path) -> None:
    (game / "bots.toml").write_text('[nakama]\nemulator_module = ["pond.py", "species.py"]\n')
    done = locust(game, "--nakama-gate", "gates.toml", "--nakama-config", "bots.toml")
    assert modules_of(done, game) == "pond.py,species.py"


def modules_of(done: subprocess.CompletedProcess[str], game: Path) -> object:
    """The modules setting of a run that joined matches and passed."""
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    (folder,) = (game / "reports").iterdir()
    summary = read_summary(folder)
    joined = calls(summary)["WS", "match_join"]
    assert joined["count"] > 0
    assert joined["failures"] == 0
    assert not summary["errors"]
    return summary["settings"]["emulator_module"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x = 1\n", "it has no init_module"), ("raise OSError('no fish')\n", "OSError: no fish")],
)
def test_a_module_that_does_not_load_is_reported_in_one_line(text: str, reason: str, game: Path) -> None:
    (game / "pond.py").write_text(text)
    done = locust(game, "--nakama-emulator-module", "pond.py")
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("nakama_bots: ")]
    assert "'pond.py'" in line
    assert reason in line
    assert TRACE not in done.stderr
