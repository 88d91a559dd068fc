"""The open model over several processes: the master shares out the arrivals whenever workers join or leave.

All processes know the whole list of arrival times, so a share is two numbers. A change takes effect from a
future arrival time on, so every arrival belongs to exactly one worker.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Final

import gevent
from locust.runners import STATE_INIT, MasterRunner

from nakama_bots import observer as names
from nakama_bots.load.open_model.arrivals import Share
from nakama_bots.observer import Observer
from nakama_bots.settings.load_profile import LoadProfile

log = logging.getLogger(__name__)

SHARE: Final = "nakama_bots.share"
DRAINED: Final = "nakama_bots.drained"
CUT: Final = "nakama_bots.cut"

LEAD: Final = 1.0
"""Seconds from a share-out to its first arrival: time for the message to reach every worker."""

_POLL: Final = 0.1
_ALL_START: Final = 5.0
"""Seconds that the first share-out waits for all workers that were ready at the start."""


class MasterShares:
    """Shares out the load ``number`` of a run; ``done`` is True when it is over."""

    def __init__(
        self, runner: MasterRunner, observer: Observer, profile: LoadProfile, seed: int, number: int
    ) -> None:
        assert profile.open is not None
        self._runner = runner
        self._load = {"load": number, "profile": profile.text, "seed": seed}
        self._observer = observer
        self._profile = profile
        self._drain = profile.open.drain
        self._times = enumerate(profile.arrival_times(seed), 1)
        self._next: tuple[int, float] | None = next(self._times, None)
        self._scheduled = 0
        self._sharing: list[str] = []
        self._drained: set[str] = set()
        self._origin: float | None = None
        self._keeper = gevent.spawn(self._keep, perf_counter() + _ALL_START)
        self.done = False

    def stop(self) -> None:
        """Stop sharing out: the run is over."""
        self._keeper.kill()

    def cut(self) -> None:
        """Make the workers stop the visitors that are still present."""
        self.stop()
        self._runner.send_message(CUT)

    def on_drained(self, worker: str, load: int) -> None:
        """Called when all visitors of a worker's share of ``load`` have left."""
        if load == self._load["load"]:
            self._drained.add(worker)

    def _keep(self, patience: float) -> None:
        while True:
            gevent.sleep(_POLL)
            clients = self._runner.clients
            live = sorted(
                (client.id for client in clients.spawning + clients.running), key=self._runner.get_worker_index
            )
            waiting = self._origin is None and any(client.state == STATE_INIT for client in clients.all)
            if live and live != self._sharing and (not waiting or perf_counter() > patience):
                self._share_out(live)
            if self._origin is not None:
                self._look(perf_counter() - self._origin, set(live))

    def _share_out(self, live: list[str]) -> None:
        now = perf_counter()
        first = self._origin is None
        if self._origin is None:
            self._origin = now + LEAD
        elapsed = now - self._origin
        since = 0.0 if first else elapsed + LEAD
        log.info("arrivals: shared by %d workers from second %.1f on", len(live), since)
        # A worker that was removed may only be slow.
        for worker in {*self._sharing, *live}:
            share: Share = {"number": 0, "of": 0, "since": since}
            if worker in live:
                share = {"number": live.index(worker), "of": len(live), "since": since}
            self._drained.discard(worker)
            self._runner.send_message(SHARE, {**self._load, "share": share, "elapsed": elapsed}, worker)
        self._sharing = live

    def _look(self, elapsed: float, live: set[str]) -> None:
        while self._next is not None and self._next[1] <= elapsed:
            self._scheduled = self._next[0]
            self._next = next(self._times, None)
        over = elapsed >= self._profile.curve.seconds
        if self.done or not over:
            return
        if live <= self._drained or elapsed >= self._profile.curve.seconds + self._drain:
            self._observer.count(names.ARRIVALS_SCHEDULED, self._scheduled)
            self.done = True
