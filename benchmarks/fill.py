"""Humans join lobbies that ``nakama-bots fill`` keeps full; checks what fill promises its users.

``python -m benchmarks.fill [URL] [--minutes 3] [--log seats.jsonl]``; without a URL it starts an emulator.
The report is saved in ``results/fill.json``. The server needs ``nakama_modules/``. The observer counts seats
as a player in every match.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError, MatchJoinRejected
from nakama_bots.observer import NullObserver
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

CAPACITY = 10
SEATS = 8
PREFIX = "drillbots"
RESULTS = Path(__file__).parent / "results" / "fill.json"


class Drill:
    """The matches, their presences as seen by the server, and the experience of the humans."""

    def __init__(self, url: str, lobbies: int, log: Path) -> None:
        self.world = World(Target.parse(url), Credentials(), Timeouts(), Network(), NullObserver())
        self.url = url
        self.log = log.open("w")
        self.waits: list[float] = []
        self.refused = 0
        self.most = 0
        self.twice = 0
        self.present: dict[str, dict[str, str]] = {}
        self._number = 0
        self.run = random.randrange(10**6)
        # One per lobby: all leaves of a killed filler's bots at once would overflow the queue of one.
        self.watchers = [self.player("watcher") for _ in range(lobbies)]
        self.matches = []
        for watcher in self.watchers:
            watcher.socket.on("match_presence_event", self._heard)
            answer = watcher.client.rpc(watcher.session, "create_match", {})["payload"]
            match_id = answer["match_id"]
            self.present[match_id] = {}
            # The watcher has a seat, as the first human of its lobby.
            joined = watcher.socket.join_match(match_id)
            for one in [*joined.get("presences", ()), joined["self"]]:
                self.present[match_id][one["session_id"]] = one["username"]
            self.matches.append(match_id)

    def player(self, kind: str) -> Player:
        """Return a connected plain client, without the mark of bots."""
        self._number += 1
        player = Player(self.world, Identity(f"human-{kind}", self.run, 0, self._number))
        player.connect()
        return player

    def _heard(self, event: Any) -> None:
        there = self.present.setdefault(event["match_id"], {})
        for one in event.get("leaves", ()):
            there.pop(one["session_id"], None)
        for one in event.get("joins", ()):
            there[one["session_id"]] = one["username"]
        self.most = max(self.most, len(there))
        where = Counter(
            session
            for match in self.present.values()
            for session, name in match.items()
            if name.startswith(PREFIX)
        )
        names = Counter(
            name for match in self.present.values() for name in match.values() if name.startswith(PREFIX)
        )
        self.twice += sum(number > 1 for number in where.values()) + sum(n > 1 for n in names.values())

    def bots(self) -> int:
        """Return the number of bots in all matches."""
        return sum(name.startswith(PREFIX) for match in self.present.values() for name in match.values())

    def note(self) -> None:
        """Write a line of the log: the seats of each match."""
        rows = [
            [len(there), sum(name.startswith(PREFIX) for name in there.values())]
            for there in self.present.values()
        ]
        self.log.write(json.dumps({"time": round(time.time(), 2), "taken_bots": rows}) + "\n")

    def human(self, until: float) -> None:
        """Find a seat, play for a while and leave, repeatedly."""
        while perf_counter() < until:
            player = self.player("guest")
            started = perf_counter()
            while True:
                match_id = random.choice(self.matches)
                try:
                    player.socket.join_match(match_id)
                    break
                except MatchJoinRejected:
                    self.refused += 1
                    gevent.sleep(0.1)
                except CallError as error:
                    print(f"a human failed: {error}")
                    break
            self.waits.append(perf_counter() - started)
            gevent.sleep(random.uniform(2, 15))
            player.close()
            gevent.sleep(random.uniform(0.2, 3))

    def filler(self, roster: Path, *more: str) -> subprocess.Popen[bytes]:
        """Start a process of ``nakama-bots fill`` on the drill's matches."""
        command = [sys.executable, "-m", "nakama_bots.cli", "fill", self.url, "--nakama-id-prefix", PREFIX]
        for match_id in self.matches:
            command += ["--match-id", match_id]
        command += ["--seats", str(SEATS), "--capacity", str(CAPACITY), "--total", "200", "--json-lines"]
        return subprocess.Popen([*command, "--roster", str(roster), *more], stdout=subprocess.DEVNULL)

    def wait_filled(self, limit: float) -> float:
        """Return the seconds until every lobby is full; ``limit`` if that does not happen."""
        started = perf_counter()
        while perf_counter() - started < limit:
            if all(len(there) >= SEATS for there in self.present.values()):
                break
            gevent.sleep(0.05)
        return perf_counter() - started


def end(filler: subprocess.Popen[bytes]) -> int:
    """Send SIGTERM and return the exit code."""
    filler.send_signal(signal.SIGTERM)
    started = perf_counter()
    while filler.poll() is None and perf_counter() - started < 20:
        gevent.sleep(0.05)
    code = filler.poll()
    if code is None:
        filler.kill()
        return -1
    return code


def play(drill: Drill, roster: Path, seconds: float) -> dict[str, Any]:
    """Run humans for ``seconds``, then a kill and a restart, two fillers, and the end."""
    one = drill.filler(roster)
    report: dict[str, Any] = {"filled_s": round(drill.wait_filled(30), 2)}
    until = perf_counter() + seconds
    humans = [gevent.spawn(drill.human, until) for _ in range(len(drill.matches))]
    while perf_counter() < until:
        drill.note()
        gevent.sleep(0.25)
    gevent.joinall(humans)
    report |= {
        "humans": len(drill.waits),
        "longest_wait_s": round(max(drill.waits), 3),
        "refusals": drill.refused,
        "most_seats": drill.most,
    }
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    killed = perf_counter()
    while drill.bots() and perf_counter() - killed < 30:
        gevent.sleep(0.02)
    one = drill.filler(roster)
    report["refilled_after_kill_s"] = round(drill.wait_filled(30), 2)
    two = drill.filler(roster)
    until = perf_counter() + seconds * 2 / 3
    while perf_counter() < until:
        drill.note()
        gevent.sleep(0.25)
    report["bots_in_two_places"] = drill.twice
    report["most_seats"] = drill.most
    report["exit_codes"] = [end(one), end(two)]
    gevent.sleep(1.0)
    report["bots_left"] = drill.bots()
    return report


def keep(path: Path, server: str, arguments: argparse.Namespace, report: dict[str, Any]) -> None:
    """Save the newest report of each kind of server, with its parameters."""
    reports = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    reports[server] = {
        "settings": {"minutes": arguments.minutes, "lobbies": arguments.lobbies, "seats": SEATS},
        "machine": {
            "python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count(),
        },
        "report": report,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Print the report; return 0 if all promises hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--lobbies", type=int, default=20)
    parser.add_argument("--log", type=Path, default=Path("reports/seats.jsonl"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the report")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = arguments.url or stack.enter_context(EmulatorProcess.start()).url
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        drill = Drill(url, arguments.lobbies, arguments.log)
        stack.callback(drill.log.close)
        for watcher in drill.watchers:
            stack.callback(watcher.close)
        report = play(drill, Path(folder) / "roster", arguments.minutes * 60)
    print(json.dumps(report, indent=2))
    keep(arguments.results, "given" if arguments.url else "emulator", arguments, report)
    good = (
        report["longest_wait_s"] <= 3
        and report["most_seats"] <= CAPACITY
        and report["refilled_after_kill_s"] <= 10
        and not report["bots_in_two_places"]
        and not report["bots_left"]
        and report["exit_codes"] == [0, 0]
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
