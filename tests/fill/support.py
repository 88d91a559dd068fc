"""``nakama-bots fill`` as a process, and a match watched by a human."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.player import Player

PREFIX = "fillbots"


@contextmanager
def filler(emulator: EmulatorProcess, tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "nakama_bots.cli", "fill", emulator.url, "--nakama-id-prefix", PREFIX]
    command += ["--roster", str(tmp_path / "roster"), "--every", "0.1", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


_ROUTINE = re.compile(r"^nakama-bots fill: (?:filling at |\d+ lobbies; |ended after ).*\n", re.MULTILINE)


def finish(process: subprocess.Popen[str]) -> str:
    """Terminate it; return its log without start, changes of seats and summary."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    return no_problem(errors)


def no_problem(errors: str) -> str:
    """Return ``errors`` without the lines that every run logs."""
    return _ROUTINE.sub("", errors)


def problem(process: subprocess.Popen[str]) -> str:
    """Return the first logged line that is not the start or a change of seats."""
    assert process.stderr is not None
    return next(line for line in process.stderr if not _ROUTINE.match(line))


class Watched:
    """A match, as seen by a human in it."""

    def __init__(self, player: Player, match_id: str = "") -> None:
        self.player = player
        socket = player.socket
        self.left: set[str] = set()
        self.names: dict[str, str] = {}
        self._changed = gevent.event.Event()
        socket.on("match_presence_event", self._presence)
        match = socket.join_match(match_id) if match_id else socket.create_match()
        self.id = match["match_id"]
        for one in [*match.get("presences", ()), match["self"]]:
            self.names[one["session_id"]] = one["username"]

    def _presence(self, event: Any) -> None:
        for one in event.get("joins", ()):
            self.names[one["session_id"]] = one["username"]
        for one in event.get("leaves", ()):
            self.names.pop(one["session_id"], None)
            self.left.add(one["username"])
        self._changed.set()

    @property
    def bots(self) -> int:
        return sum(name.startswith(PREFIX) for name in self.names.values())

    def until_left(self, name: str) -> None:
        while name not in self.left:
            self._changed.clear()
            self._changed.wait()

    def until(self, bots: int) -> None:
        while self.bots != bots:
            self._changed.clear()
            self._changed.wait()


def seated(process: subprocess.Popen[str], bots: int) -> Any:
    """Return the first JSON line in which ``bots`` bots are seated and none is in another state."""
    assert process.stdout is not None
    for line in process.stdout:
        status = json.loads(line)
        if status["bots"] == {"seated": bots}:
            return status
    raise AssertionError("the process ended")
