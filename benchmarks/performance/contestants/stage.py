"""What contestants in Python share: the job, the gate, the ticks, and the lines that they print.

The job is a JSON object in BENCHMARK_JOB. A contestant prints a JSON line with its counts at the ``begin`` and
at the ``end`` of the measured time. The driver reads the CPU time of the process at each line.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import gevent
from gevent.event import Event

LINGER: Final = 5.0
"""Seconds between the last line and the end of the process, which the driver does not wait for."""


class Stage:
    """The state of a contestant: its job, and what it has sent and received."""

    def __init__(self) -> None:
        job = json.loads(os.environ["BENCHMARK_JOB"])
        self.work: str = job["work"]
        self.url: str = job["url"]
        self.server_key: str = job["server_key"]
        self.players: int = job["players"]
        self.base: int = job["base"]
        self.rate: float = job["rate"]
        self.group: int = job["group"]
        self.seconds: float = job["seconds"]
        self.warm_up: float = job["warm_up"]
        self.spawn_rate: int = job["spawn_rate"]
        self.run: str = job["run"]
        self.prefix: str = job["prefix"]
        self.sent = 0
        self.received = 0
        self.failed = 0
        self._entered = 0
        self._open = Event()
        self._further = Event()
        self._started = 0.0
        self._accounts = itertools.count()
        self.more: Callable[[], dict[str, int]] = dict
        """Further counts for the lines."""

    def device_id(self, number: int) -> str:
        """Return the device id of an account that exists, the same for every contestant."""
        return f"{self.prefix}-1-w000-{number:06d}"

    def new_device_id(self) -> str:
        """Return a device id without an account."""
        return f"{self.prefix}-{self.run}-{next(self._accounts):06d}"

    def match_name(self, number: int) -> str:
        """Return the name of the match of player ``number``."""
        return f"{self.run}-{number // self.group}"

    def state(self, number: int, tick: int) -> bytes:
        """Return a match state that no other one equals."""
        return b"%032d%032d" % (number, tick)

    def play_match(self, number: int, match_id: str, write: Callable[[dict[str, object]], object]) -> None:
        """Send a state with ``write`` at each tick of a player, and never return."""
        self.enter()
        for tick in self.ticks(number):
            data = base64.b64encode(self.state(number, tick)).decode()
            write({"match_data_send": {"match_id": match_id, "op_code": "1", "data": data}})
            self.sent += 1

    def play_pings(self, number: int, ping: Callable[[], object]) -> None:
        """Make a round trip at each tick of a player, or one after the other, and never return."""
        self.enter()
        # The ticks of a closed loop are never waited for.
        for _ in self.ticks(number) if self.rate else itertools.repeat(0):
            self.sent += 1
            ping()
            self.received += 1

    def enter(self) -> None:
        """Called by a player that is prepared: wait until all players are."""
        self._entered += 1
        if self.work == "C":
            self.sent = self.received = self._entered
            if self._entered == self.base:
                gevent.spawn(self._go_further)
            if self._entered == self.players:
                self._end()
            return
        if self._entered == self.players:
            self._started = time.perf_counter()
            gevent.spawn(self._measure)
            self._open.set()
        self._open.wait()

    def ticks(self, number: int) -> Iterator[int]:
        """Yield the ticks of a player: the matches, or players, are spread evenly over the interval."""
        planned = self._started + self.phase(number)
        for tick in itertools.count():
            gevent.sleep(max(0.0, planned + tick / self.rate - time.perf_counter()))
            yield tick

    def phase(self, number: int) -> float:
        """Seconds from the start to the first tick of a player."""
        return number // self.group * self.group / self.players / self.rate

    def play(self, player: Callable[[int], object]) -> None:
        """Run ``player(number)`` for each number, and never return."""
        for number in range(self.players):
            # A player that does not exist yet costs no memory.
            if number >= self.wanted():
                self._further.wait()
            if number and number % self.spawn_rate == 0:
                gevent.sleep(1.0)
            gevent.spawn(player, number).link_exception(lambda failed: self.give_up(failed.exception))
        gevent.sleep(3600)

    def give_up(self, error: object) -> None:
        """Report a failure, and end."""
        self.line("failed", error=repr(error))
        sys.stderr.flush()
        os._exit(1)

    def wanted(self) -> int:
        """Return how many players are to exist now: no further one before the first are measured."""
        return self.players if not self.base or self._further.is_set() else self.base

    def line(self, at: str, **more: object) -> None:
        """Print the counts."""
        counts = {"at": at, "sent": self.sent, "received": self.received, "failed": self.failed}
        os.write(1, json.dumps({**counts, **self.more(), **more}).encode() + b"\n")

    def _measure(self) -> None:
        gevent.sleep(self.warm_up)
        self.line("begin")
        gevent.sleep(self.seconds)
        self._end()

    def _go_further(self) -> None:
        gevent.sleep(self.warm_up)
        self.line("begin")
        self._further.set()

    def _end(self) -> None:
        self.line("end")
        # For a driver that was killed: nothing may play on.
        gevent.spawn_later(LINGER, os._exit, 0)
