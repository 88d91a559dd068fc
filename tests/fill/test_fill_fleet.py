"""Fleets as processes: dashboard, leases, restarts and reproducible runs."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.player import Player

from .support import PREFIX, Watched, filler, finish, no_problem, seated


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield


def test_dashboard_in_a_terminal(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    match = Watched(human())
    full, terminal = pty.openpty()
    gone = "00000000-0000-4000-8000-000000000000.nowhere"
    command = [sys.executable, "-m", "nakama_bots.cli", "fill", emulator.url, "--nakama-id-prefix", PREFIX]
    command += ["--match-id", match.id, "--match-id", gone, "--seats", "3", "--capacity", "5", "--total", "9"]
    command += ["--roster", str(tmp_path / "roster")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "24"}
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        match.until(2)
        text = ""
        # Only the newest screen counts: the earlier ones are overwritten.
        while not re.search(r"1 human, 2 bot, 0 other bot, \d+ free; bots: .*2 seated", newest(text)):
            text += os.read(full, 65536).decode()
        process.terminate()
        # Reading from a terminal fails once all its processes have ended.
        with suppress(OSError):
            while more := os.read(full, 65536):
                text += more.decode()
        assert process.wait(30) == 0
    os.close(full)
    screen = newest(text)
    assert re.search(rf"│ {match.id[:30]}\S* +│ +1 │ +2 │ +0 │ +2 │", screen)
    assert "1 x join: MatchNotFound" in screen
    assert "\x1b[?25h" in text  # the cursor is shown again


def newest(text: str) -> str:
    """Return the last drawn screen, without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text[text.rfind(" lobbies; seats:") :])


def test_closed_stdout_ends_the_run(emulator: EmulatorProcess, tmp_path: Path) -> None:
    with filler(emulator, tmp_path, "--match-name", "read", "--seats", "1", "--json-lines") as process:
        seated(process, 1)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert no_problem(process.stderr.read()) == ""
        assert process.wait(30) == 0


def test_cleanup_reads_a_roster(
    emulator: EmulatorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--nakama-seed", "77", "--match-name", "green", "--seats", "2", "--lease", "one")
    with filler(emulator, tmp_path, *arguments, "--json-lines") as process:
        seated(process, 2)
        finish(process)
    roster = str(tmp_path / "roster")
    assert main(["cleanup", emulator.url, "--prefix", PREFIX, "--ids", roster, "--delete"]) == 0
    # Two bots, the scout, and the account that stores the leases.
    assert "deleted: 4 accounts" in capsys.readouterr().out


def test_share_of_matches_from_an_rpc(emulator: EmulatorProcess, tmp_path: Path) -> None:
    arguments = ("--rpc", "create_match", "--lobbies", "2", "--capacity", "4", "--share", "0.5", "--json-lines")
    with filler(emulator, tmp_path, *arguments) as process:
        lobbies = seated(process, 4)["lobbies"]
        assert [(one["humans"], one["bots"], one["free"]) for one in lobbies] == [(0, 2, 2), (0, 2, 2)]
        finish(process)


def test_machines_with_leases_use_different_bots(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    match = Watched(human())
    arguments = ("--match-id", match.id, "--nakama-seed", "78", "--seats", "5", "--per-lobby", "2", "--lease")
    with (
        filler(emulator, tmp_path / "one", *arguments, "one") as one,
        filler(emulator, tmp_path / "two", *arguments, "two") as two,
    ):
        match.until(4)
        before = set(match.names.values())
        assert len({name[:-7] for name in before if name.startswith(PREFIX)}) == 2
        one.kill()
        match.until(2)
        with filler(emulator, tmp_path / "one", *arguments, "one") as again:
            match.until(4)
            assert set(match.names.values()) == before
            finish(again)
        finish(two)


def test_no_bots_outside_the_hours(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    match = Watched(human())
    # From 12 to 14 hours from now.
    opens = (datetime.now().astimezone() + timedelta(hours=12)).strftime("%H:%M")
    closes = (datetime.now().astimezone() + timedelta(hours=14)).strftime("%H:%M")
    arguments = ("--match-id", match.id, "--hours", f"{opens}-{closes}", "--seconds", "1")
    with filler(emulator, tmp_path, *arguments) as process:
        process.wait(30)
    assert process.returncode == 0
    assert not (tmp_path / "roster").read_text().count("-00000")


def test_restarted_server_is_filled_again(tmp_path: Path) -> None:
    with EmulatorProcess.start() as first:
        port = first.url.rpartition(":")[2]
        arguments = ("--match-name", "town", "--match-name", "village", "--seats", "4", "--json-lines")
        with filler(first, tmp_path, *arguments) as process:
            seated(process, 8)
            os.kill(first.pid, signal.SIGKILL)
            assert process.stdout is not None
            while "seated" in json.loads(process.stdout.readline())["bots"]:
                pass
            with EmulatorProcess.start(extra=("--port", port)):
                seated(process, 8)
                errors = finish(process)
    assert "x play: ConnectionClosed" in errors
    # Backoff: without it there would be hundreds of attempts in the second that a start takes.
    refused = re.search(r"(\d+) x connect: ConnectionRefused", errors)
    assert refused is None or int(refused[1]) < 60


RECONNECTS = """
class Once:
    ticks = 0
    def on_join(self, seat):
        seat.send(9, b"1")
    def on_tick(self, seat):
        self.ticks += 1
        if self.ticks == 1: seat.reconnect()
        if self.ticks == 2: seat.send(9, b"2")
"""


def test_bot_that_reconnects_keeps_its_seat(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    script = tmp_path / "once.py"
    script.write_text(RECONNECTS)
    player = human()
    senders: dict[bytes, set[str]] = {b"1": set(), b"2": set()}
    both = gevent.event.Event()

    def data(body: Any) -> None:
        senders[base64.b64decode(body["data"])].add(body["presence"]["username"])
        if len(senders[b"2"]) == 2:
            both.set()

    player.socket.on("match_data", data)
    match = Watched(player)
    with filler(
        emulator, tmp_path, "--match-id", match.id, "--seats", "3", "--script", f"{script}:Once"
    ) as process:
        both.wait()
        match.until(2)
        assert finish(process) == ""
    assert senders[b"1"] == senders[b"2"]


COMPOSED = """
def counter(seat):
    for _ in range(3):
        while (yield).hook != "on_tick": pass
        seat.send(9, b"%d" % seat.random.randrange(10**6))
"""


def test_composed_behaviours_repeat_exactly(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    script = tmp_path / "composed.py"
    script.write_text(COMPOSED)
    arguments = ["--seats", "2", "--script", f"{script}:counter", "--script", "chatter", "--script", "emoter"]
    runs: list[list[Any]] = []
    for _ in range(2):
        player = human()
        sent: list[Any] = []
        chatted, done = gevent.event.Event(), gevent.event.Event()
        match = Watched(player)
        channel = player.socket.join_chat(match.id, persistence=False)["id"]

        def data(body: Any, sent: list[Any] = sent, done: Any = done) -> None:
            if body["op_code"] == "9":
                sent.append(base64.b64decode(body["data"]))
                if len(sent) == 3:
                    done.set()

        player.socket.on("match_data", data)
        player.socket.on("channel_message", lambda _, chatted=chatted: chatted.set())
        with filler(emulator, tmp_path, "--match-id", match.id, *arguments) as process:
            chatted.wait()
            # Extra chat: messages of other players must not change the generator's random numbers.
            player.socket.write_chat_message(channel, {"text": "hello"})
            done.wait()
            finish(process)
        runs.append(sent)
    assert runs[0] == runs[1]
