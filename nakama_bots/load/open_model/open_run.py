"""The open model of a run in any process: the only one, the master, or a worker."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from nakama_bots.load.open_model.arrivals import WHOLE, Arrivals
from nakama_bots.load.open_model.shares import CUT, DRAINED, SHARE, MasterShares
from nakama_bots.observer import Observer
from nakama_bots.settings.load_profile import LoadProfile


class OpenRun:
    """One per process. ``begin`` is called at every test start; then each ``start`` begins a load's arrivals.

    Locust's stop ends them, ``cut`` stops the visitors as well, and ``end`` drops them.
    """

    def __init__(self, environment: Environment, observer: Observer) -> None:
        self._environment = environment
        self._observer = observer
        self._arrivals: Arrivals | None = None
        self._shares: MasterShares | None = None
        self._begun = False
        self._number = 0
        self._end = 0.0
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            runner.register_message(SHARE, partial(self._on_share, runner))
            runner.register_message(CUT, lambda **_: self.cut())
        elif isinstance(runner, MasterRunner):
            runner.register_message(DRAINED, self._on_drained)
        environment.events.test_stopping.add_listener(self._stop)

    def begin(self) -> None:
        """Begin a run. A worker takes part in each load that its master shares out from now on."""
        self._begun, self._number = True, 0

    def start(self, profile: LoadProfile, seed: int) -> None:
        """Start the arrivals of a load; does nothing in a worker, or if ``profile`` is not an open model."""
        runner = self._environment.runner
        if profile.open is None or isinstance(runner, WorkerRunner):
            return
        self._stop()
        self._number += 1
        if isinstance(runner, MasterRunner):
            self._shares = MasterShares(runner, self._observer, profile, seed, self._number)
            return
        self._arrivals = self._new_arrivals(profile, seed)
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

    def cut(self) -> None:
        """Stop the arrivals and the visitors of the load, in all processes."""
        for part in (self._arrivals, self._shares):
            if part is not None:
                part.cut()

    def end(self) -> None:
        """Drop the run, after its last figures were read."""
        self._arrivals = self._shares = None
        self._begun = False

    def _new_arrivals(self, profile: LoadProfile, seed: int) -> Arrivals:
        worker = max(0, getattr(self._environment.runner, "worker_index", 0))
        return Arrivals(self._environment, self._observer, profile, seed, worker)

    def _on_share(self, runner: WorkerRunner, msg: Any, **_: Any) -> None:
        """Take a share in a worker; a load begins with its first one."""
        if not self._begun:
            return
        number = msg.data["load"]
        if number != self._number or self._arrivals is None:
            self._stop()
            self._number = number
            self._arrivals = self._new_arrivals(LoadProfile.parse(msg.data["profile"]), msg.data["seed"])
        arrivals = self._arrivals
        arrivals.on_drained = partial(runner.send_message, DRAINED, {"load": number})
        arrivals.take(msg.data["share"], msg.data["elapsed"])
        if arrivals.drained:
            # The master may have removed and re-added this worker: it waits for the newest answer.
            arrivals.on_drained()

    def _on_drained(self, msg: Any, **_: Any) -> None:
        if self._shares is not None:
            self._shares.on_drained(msg.node_id, msg.data["load"])

    def _stop(self, **_: Any) -> None:
        for part in (self._arrivals, self._shares):
            if part is not None:
                part.stop()
