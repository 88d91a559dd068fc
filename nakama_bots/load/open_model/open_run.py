"""The open model of a run in any process: the only one, the master, or a worker."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from nakama_bots.load.open_model.arrivals import WHOLE, Arrivals
from nakama_bots.load.open_model.shares import DRAINED, MasterShares, WorkerShares
from nakama_bots.observer import Observer
from nakama_bots.settings.load_profile import LoadProfile


class OpenRun:
    """One per process. ``start`` begins a run's arrivals, Locust's stop ends them, ``end`` drops them."""

    def __init__(self, environment: Environment, observer: Observer) -> None:
        self._environment = environment
        self._observer = observer
        self._arrivals: Arrivals | None = None
        self._shares: MasterShares | None = None
        self._end = 0.0
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            WorkerShares(runner, lambda: self._arrivals)
        elif isinstance(runner, MasterRunner):
            runner.register_message(DRAINED, self._on_drained)
        environment.events.test_stopping.add_listener(self._on_test_stopping)

    def start(self, profile: LoadProfile, seed: int) -> None:
        """Start the arrivals; does nothing if ``profile`` is not an open model."""
        if profile.open is None:
            return
        runner = self._environment.runner
        if isinstance(runner, MasterRunner):
            self._shares = MasterShares(runner, self._observer, profile, seed)
            return
        worker = max(0, getattr(runner, "worker_index", 0))
        self._arrivals = Arrivals(self._environment, self._observer, profile, seed, worker)
        if not isinstance(runner, WorkerRunner):
            self._end = perf_counter() + profile.curve.seconds + profile.open.drain
            self._arrivals.take(WHOLE, 0.0)

    @property
    def done(self) -> bool:
        """True if all visitors have left, or had enough time to leave. Known in the leading process."""
        if self._shares is not None:
            return self._shares.done
        arrivals = self._arrivals
        return arrivals is not None and (arrivals.drained or perf_counter() >= self._end)

    def most_in_flight(self) -> int:
        """Return the most visitors at once in this process since the last call; 0 without an open load."""
        return self._arrivals.most_in_flight() if self._arrivals is not None else 0

    def _on_drained(self, msg: Any, **_: Any) -> None:
        if self._shares is not None:
            self._shares.on_drained(msg.node_id)

    def _on_test_stopping(self, **_: Any) -> None:
        for part in (self._arrivals, self._shares):
            if part is not None:
                part.stop()

    def end(self) -> None:
        """Drop the run, after its last figures were read."""
        self._arrivals = self._shares = None
