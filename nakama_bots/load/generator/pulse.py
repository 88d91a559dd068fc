"""Measures how well this process keeps up: continuously, cheaply, read once per interval.

Three callbacks in the hub: a timer, whose lateness is that of every timer of a player, and one each before and
after the event loop waits. Between two waits no socket is read. The latter two run thousands of times a second:
they note the time without entering Python code, and the timer adds up what they noted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from operator import mul, sub
from time import perf_counter, process_time
from typing import Final

import gevent

from nakama_bots.load.generator.code_sampler import LOCUST, OWN, SCENARIO, CodeSampler
from nakama_bots.net.arrival import ArrivalCounts
from nakama_bots.players.player import Player
from nakama_bots.results.record import gauges
from nakama_bots.results.record.histogram import Histogram

PERIOD: Final = 0.02
"""Seconds between two calls of the timer: about 50 calls per second."""

_GAUGE_OF: Final = {OWN: gauges.CPU_OWN, LOCUST: gauges.CPU_LOCUST, SCENARIO: gauges.CPU_SCENARIO}
_TICK_PERCENT: Final = 95.0
_PATHS: Final = 20
"""Sockets whose TCP measurements are read each second."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """The resident memory of this process. Its file stays open, to be readable when descriptors run out."""

    def __init__(self) -> None:
        self._file: int | None = None

    def open(self) -> None:
        """Open the file. Call it again after a fork."""
        self.close()
        self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the file. Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def resident(self) -> int:
        """Bytes."""
        assert self._file is not None
        return int(os.pread(self._file, 256, 0).split()[1]) * _PAGE


class Pulse:
    """Reads the gauges of a process.

    ``players`` gives its players, ``arrivals`` what their sockets have read and ``ticks`` how late their match
    ticks were, both since the last call.
    """

    def __init__(
        self,
        players: Callable[[], Iterable[Player]],
        arrivals: Callable[[], ArrivalCounts],
        ticks: Callable[[], Histogram | None],
    ) -> None:
        self._players = players
        self._arrivals = arrivals
        self._ticks = ticks
        loop = gevent.get_hub().loop
        self._timer = loop.timer(PERIOD, repeat=PERIOD, ref=False)
        # The first after the wait and the last before it: gevent runs its greenlets in such a watcher.
        self._after_wait = loop.check(ref=False, priority=2)
        self._before_wait = loop.prepare(ref=False, priority=-2)
        self._code = CodeSampler()
        # When the turns of the event loop began and ended, in turn, since the last sum.
        self._turns: list[float] = []
        self._note = map(self._turns.append, iter(perf_counter, None)).__next__
        self._memory = Memory()
        self._running = False
        self._clear(perf_counter())

    def start(self) -> None:
        """Start measuring. Idempotent."""
        if self._running:
            return
        self._running = True
        self._memory.open()
        now = perf_counter()
        self._clear(now)
        self._code.start()
        self._turns.clear()
        self._after_wait.start(self._on_first_turn)
        self._schedule(now)

    def stop(self) -> None:
        """Stop measuring. Idempotent."""
        self._running = False
        self._code.stop()
        self._memory.close()
        for watcher in (self._timer, self._after_wait, self._before_wait):
            watcher.stop()

    def read(self) -> dict[str, float]:
        """Return the ``Gauges`` of the time since the last call."""
        if not self._running:
            return {}
        now = perf_counter()
        self._add_turns()
        seconds = max(now - self._since, 1e-9)
        overdue = max(0.0, now - self._due)
        cpu = (process_time() - self._cpu) / seconds
        found = {
            gauges.CPU: cpu,
            gauges.MEMORY: float(self._memory.resident()),
            gauges.LOOP_BUSY: min(1.0, self._busy / seconds),
            gauges.HUB_LAG: (self._lag + overdue) / (self._beats + 1),
            gauges.HUB_LAG_MAX: max(self._longest_lag, overdue),
            **self._receive_wait(seconds),
            gauges.RECEIVE_BACKLOG: float(sum(player.unread for player in self._players())),
            **self._paths(),
            **{_GAUGE_OF[owner]: cpu * share for owner, share in self._code.take().items()},
        }
        ticks = self._ticks()
        if ticks is not None and ticks.count:
            # Of a copy: a percentile makes the histogram allocate counters, which the interval can do without.
            copy = Histogram.decode(ticks.encode(folded=False))
            found[gauges.TICK_LATENESS] = copy.percentile(_TICK_PERCENT) or 0.0
        self._clear(now)
        return found

    def _receive_wait(self, seconds: float) -> dict[str, float]:
        arrivals = self._arrivals()
        if arrivals.stamped:
            mean, longest = arrivals.waited / arrivals.stamped, arrivals.longest
        else:
            # What a message would have waited that arrived at any moment, from the turns of the event loop.
            mean, longest = self._waited / seconds, self._longest_turn
        return {gauges.RECEIVE_WAIT: mean, gauges.RECEIVE_WAIT_MAX: longest}

    def _paths(self) -> dict[str, float]:
        paths = [path for player in islice(self._players(), _PATHS) if (path := player.path) is not None]
        if not paths:
            return {}
        return {
            gauges.TCP_RTT: sum(path.rtt for path in paths) / len(paths),
            gauges.TCP_RETRANSMITS: float(sum(path.retransmits for path in paths)),
        }

    def _clear(self, now: float) -> None:
        self._since = now
        self._cpu = process_time()
        self._busy = self._waited = self._longest_turn = 0.0
        self._lag = self._longest_lag = 0.0
        self._beats = 0

    def _schedule(self, now: float) -> None:
        self._due = now + PERIOD
        # One period from now: a repeating timer would catch up on its lateness.
        self._timer.again(self._on_timer, update=True)

    def _on_timer(self) -> None:
        now = perf_counter()
        # If late by more than a period, it would have fired again meanwhile, each time less late.
        late = max(0.0, now - self._due)
        missed = int(late / PERIOD)
        self._beats += 1 + missed
        self._lag += late * (1 + missed) - PERIOD * missed * (missed + 1) / 2
        self._longest_lag = max(self._longest_lag, late)
        self._schedule(now)
        self._add_turns()

    def _on_first_turn(self) -> None:
        # From here on begins and ends alternate, as each turn of libev has one of both; ``start`` may have been
        # called just before a wait, which a further begin would follow.
        self._after_wait.stop()
        self._after_wait.start(self._note)
        self._before_wait.start(self._note)
        self._note()

    def _add_turns(self) -> None:
        """Add up the turns that have ended."""
        turns = list(map(sub, self._turns[1::2], self._turns[::2]))
        del self._turns[: 2 * len(turns)]
        self._busy += sum(turns)
        # A frame that arrives during a turn waits for its end: half a turn on average.
        self._waited += sum(map(mul, turns, turns)) / 2
        self._longest_turn = max(self._longest_turn, max(turns, default=0.0))
