"""10,000 players connected in one process for 10 minutes: how many are lost, and what they cost.

``python -m benchmarks.idle`` starts an emulator; with ``NAKAMA_URL`` it uses that server. Each player logs in,
connects with a status (again, if that fails), and then only keeps its heartbeat. ``--minutes 1 --players 1000``
to try. Both processes need an open file per socket, and another one for a minute after each login
(``ulimit -Hn``); one source address has about 28,000 ports for one server address.

It fails if a connection is lost or a ping is not answered.
"""

from __future__ import annotations

# Locust patches the standard library on import, so it must come before everything that uses sockets.
from locust.env import Environment

# isort: split
import argparse
import contextlib
import json
import os
import platform
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError
from nakama_bots.ledger import Ledger
from nakama_bots.load.figures.bridge import LocustObserver
from nakama_bots.load.process.user_limits import raise_soft_limit
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

RESULTS: Final = Path(__file__).parent / "results" / "idle.json"
LOOK: Final = 0.1
"""Seconds between two looks at the players, and at how late the hub runs a timer."""
SETTLE: Final = 5.0
"""Seconds after the last connect before memory is read."""


class Crowd:
    """Players that connect and stay."""

    def __init__(self, url: str) -> None:
        environment = Environment()
        environment.create_local_runner()
        observer = LocustObserver(environment.events, Recorder(time.perf_counter()))
        self._world = World(Target.parse(url), Credentials(), Timeouts(), Network(), observer)
        self._seed = int(time.time())
        self._players: list[Player] = []
        self.failed: Counter[str] = Counter()
        """Why attempts to connect failed; each player tries again."""
        self.lost = 0

    def grow(self, number: int, rate: float) -> None:
        """Connect ``number`` further players, ``rate`` per second; returns when all are connected."""
        started = time.perf_counter()
        for count in range(number):
            gevent.sleep(max(0.0, started + count / rate - time.perf_counter()))
            player = Player(self._world, Identity("idle", self._seed, 0, len(self._players)), "Idle")
            self._players.append(player)
            gevent.spawn(self._live, player)
        while self.connected + self.lost < len(self._players):
            gevent.sleep(LOOK)

    def _live(self, player: Player) -> None:
        while not player.connected:
            try:
                player.connect(create_status=True)
            except CallError as error:
                self.failed[str(error)] += 1
                gevent.sleep(random.uniform(1.0, 10.0))
        player.on_lost(self._on_lost)
        with contextlib.suppress(CallError):  # counted
            player.hold(1e6)

    def _on_lost(self) -> None:
        self.lost += 1

    @property
    def connected(self) -> int:
        """The players whose socket is open."""
        return sum(player.connected for player in self._players)

    def pings(self) -> Ledger:
        """Return the outcomes of all pings."""
        total = Ledger()
        for player in self._players:
            if player.connected:
                total = total.add(player.socket.ledger)
        return total


class Lateness:
    """How late the hub runs timers, in seconds: what delays every answer."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._watching = gevent.spawn(self._watch)

    def _watch(self) -> None:
        due = time.perf_counter() + LOOK
        while True:
            gevent.sleep(max(0.0, due - time.perf_counter()))
            self.late.append(max(0.0, time.perf_counter() - due))
            due = time.perf_counter() + LOOK

    def quantile(self, share: float) -> float:
        """Return the lateness that ``share`` of the looks stayed below."""
        return sorted(self.late)[min(len(self.late) - 1, int(share * len(self.late)))]


def memory() -> int:
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def descriptors() -> int:
    """Return the number of open files of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def measure(url: str, players: int, minutes: float, rate: float) -> dict[str, Any]:
    """Connect ``players``, hold them for ``minutes``, and return the figures."""
    crowd = Crowd(url)
    first = players // 10
    crowd.grow(first, rate)
    gevent.sleep(SETTLE)
    after_first = memory()
    begun = time.perf_counter()
    crowd.grow(players - first, rate)
    ramp = time.perf_counter() - begun
    full = descriptors()
    gevent.sleep(SETTLE)
    held_from, cpu, pings = time.perf_counter(), time.process_time(), crowd.pings()
    after_ramp, late, fewest = memory(), Lateness(), players
    while time.perf_counter() - held_from < minutes * 60:
        gevent.sleep(1.0)
        fewest = min(fewest, crowd.connected)
    end = memory()
    held, cpu, after = time.perf_counter() - held_from, time.process_time() - cpu, crowd.pings()
    return {
        "players": players,
        "held_seconds": held,
        "connected_per_second": (players - first) / ramp,
        "failed_attempts": dict(crowd.failed.most_common(5)),
        "lost": crowd.lost,
        "fewest_connected": fewest,
        "pings": after.sent - pings.sent,
        "pongs": after.ok - pings.ok,
        "pings_ended_otherwise": after.ended - after.ok,
        "cpu_seconds_per_minute": cpu / held * 60,
        "hub_late_ms": {
            "p50": late.quantile(0.5) * 1e3,
            "p99": late.quantile(0.99) * 1e3,
            "max": max(late.late) * 1e3,
        },
        "rss_mb": {"first": after_first / 2**20, "all": after_ramp / 2**20, "end": end / 2**20},
        "rss_kb_per_further_player": {
            "after_the_ramp": (after_ramp - after_first) / (players - first) / 1024,
            "end": (end - after_first) / (players - first) / 1024,
        },
        "open_files": {"after_the_ramp": full, "end": descriptors()},
    }


def run(players: int, minutes: float, rate: float) -> dict[str, Any]:
    """Measure against ``NAKAMA_URL``, or an emulator of this run."""
    url = os.environ.get("NAKAMA_URL")
    if url:
        return {"server": "NAKAMA_URL", **measure(url, players, minutes, rate)}
    with EmulatorProcess.start(extra=("--token-expiry", "7200")) as emulator:
        return {"server": "emulator", **measure(emulator.url, players, minutes, rate)}


def main() -> int:
    """Run it, write the result and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=50.0, help="players that connect per second")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    raise_soft_limit()
    found = run(arguments.players, arguments.minutes, arguments.rate)
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    text = json.dumps({"machine": machine, **found}, indent=1)
    print(text)
    arguments.out.write_text(text + "\n", encoding="utf-8")
    good = not found["lost"] and not found["pings_ended_otherwise"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
