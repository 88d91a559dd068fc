"""``nakama-bots record`` as a process: play, press Ctrl-C, and the scenario is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError
from nakama_bots.realtime.frames import BINARY, TEXT
from nakama_bots.record.capture.scribe import Scribe
from nakama_bots.record.state import MOST_STATE
from nakama_bots.record.writing.scenario import finish
from nakama_bots.record.writing.write import RecordOptions

from .conftest import MakeRecorder
from .support import Game, check_source, stopped
from .test_scenario import written

COMMAND = [sys.executable, "-m", "nakama_bots.cli", "record"]


def output_until(process: subprocess.Popen[str], word: str) -> str:
    """Return stderr up to the line that contains ``word``."""
    assert process.stderr is not None
    output = ""
    while word not in output:
        line = gevent.get_hub().threadpool.apply(process.stderr.readline)
        assert line, output
        output += line
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_the_scenario(tmp_path: Path, emulator: EmulatorProcess, number: signal.Signals) -> None:
    path = tmp_path / "scenarios" / "mine.py"
    process = subprocess.Popen(
        [*COMMAND, emulator.url, "--listen", "127.0.0.1:0", "-o", str(path)],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = output_until(process, "press Ctrl-C").split("connect to ")[1].split(" ")[0]
        game = Game(url, f"player-until-{number}").log_in()
        game.socket.join_chat("hall")  # in the middle of a chat
        process.send_signal(number)
        stdout, output = gevent.get_hub().threadpool.apply(process.communicate, (), {"timeout": 120})
        game.close()
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, stdout) == (0, ""), output
    assert f"wrote {path}" in output
    assert 'with self.player.chat("hall"):' in check_source(path)


def test_repeated_ctrl_c_loses_nothing(tmp_path: Path, emulator: EmulatorProcess) -> None:
    path = tmp_path / "mine.py"
    process = subprocess.Popen(
        [*COMMAND, emulator.url, "--listen", "127.0.0.1:0", "-o", str(path)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = output_until(process, "press Ctrl-C").split("connect to ")[1].split(" ")[0]
        game = Game(url, "impatient").log_in(connect=False)
        for number in range(200):
            game.client.list_friends(game.session, limit=1 + number)
        game.close()
        with gevent.Timeout(120):
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                gevent.sleep(0.01)
        _, output = process.communicate()
    finally:
        process.kill()
        process.wait()
    assert f"wrote {path}" in output
    assert "list_friends(limit=limit)" in path.read_text()
    data = json.loads(path.with_suffix(".recorded.json").read_text())
    assert data["values"]["limits"] == list(range(1, 201))


WAITING = """
import gevent
from nakama_bots import NakamaUser, Replay, task

DATA = Replay.beside(__file__)


class Waiting(NakamaUser):
    @task
    def play(self) -> None:
        with self.player.passing_through():
            print(f"playing {self.player.user_id}", flush=True)
            gevent.sleep(600)
"""


def test_a_stopped_verification_deletes_its_accounts(tmp_path: Path, emulator: EmulatorProcess) -> None:
    path = tmp_path / "waiting.py"
    path.write_text(WAITING)
    data = {"version": 1, "calls": {"player": []}, "state": {}, "values": {}}
    path.with_suffix(".recorded.json").write_text(json.dumps(data))
    process = subprocess.Popen(
        [*COMMAND, emulator.url, "--verify", "-o", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = gevent.get_hub().threadpool.apply(process.stdout.readline)
        process.send_signal(signal.SIGINT)
        _, output = gevent.get_hub().threadpool.apply(process.communicate, (), {"timeout": 120})
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, output) == (130, "nakama-bots record: stopped by SIGINT\n")
    game = Game(emulator.url, "looks-for-it").log_in(connect=False)
    assert line.startswith("playing ")
    assert game.client.get_users(game.session, ids=[line.split()[1]]) == {}
    game.close()


def test_no_scenario_is_written_without_calls(tmp_path: Path, emulator: EmulatorProcess) -> None:
    path = tmp_path / "none.py"
    done = subprocess.run(
        [*COMMAND, emulator.url, "--listen", "127.0.0.1:0", "-o", str(path), "--seconds", "0.1"],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing was recorded" in done.stderr
    assert not path.exists()


def test_calls_without_a_login_are_counted(tmp_path: Path, record: MakeRecorder) -> None:
    proxy = record()
    game = Game(proxy.url, "nobody")
    with pytest.raises(CallError):
        game.client.rpc_http_key("no-key", "own")
    game.close()
    output: list[str] = []
    assert not finish(stopped(proxy), RecordOptions(tmp_path / "none.py"), output.append)
    assert output[-1] == "nothing was recorded: 1 call passed, but no player had logged in"


def test_ten_megabytes_of_match_state(tmp_path: Path, record: MakeRecorder) -> None:
    proxy = record()
    game = Game(proxy.url, "much-to-say").log_in()
    match = game.socket.create_match()
    for _ in range(2800):
        game.socket.send_match_state(match["match_id"], 1, os.urandom(2800))
    game.socket.leave_match(match["match_id"])
    game.close()
    path = tmp_path / "large.py"
    source, output = written(proxy, path)
    assert source.count("\n") < 100
    assert any(f"match state beyond {MOST_STATE:,} bytes is left out" in line for line in output)
    assert MOST_STATE < path.with_suffix(".recorded.json").stat().st_size < 2 * MOST_STATE


def test_messages_of_other_protocols() -> None:
    scribe = Scribe()
    tape = scribe.tape
    socket = scribe.socket("/ws?token=no-token", {}, 0.0)
    socket.outgoing(TEXT, b"not json", 1.0)
    socket.outgoing(TEXT, b"[1, 2]", 1.0)
    socket.incoming(BINARY, b"\xff" * 50, 2.0)
    socket.incoming(TEXT, b"\xff\xfe", 2.0)
    socket.incoming(TEXT, b'{"cid": "7", "error": 3}', 2.0)
    socket.outgoing(TEXT, b'{"cid": "8", "of_the_future": {"a": 1}}', 3.0)
    socket.incoming(TEXT, b'{"cid": "8", "answer": {"b": 2}}', 3.5)
    socket.closed(4.0)
    assert [(call.name, call.answer) for call in tape.calls] == [("of_the_future", {"b": 2})]
    assert tape.pushes == []
    assert tape.notes == [
        "the client sent messages that are not Nakama's: left out",
        "the server sent messages that are not Nakama's: left out",
    ]
