"""Locust's own counts of a run, for the cross-check against the recorder: the two must agree."""

from __future__ import annotations

from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner

from nakama_bots import observer as names
from nakama_bots.load.figures.bridge import CallContext
from nakama_bots.load.figures.locust_table import LocustTable
from nakama_bots.results.record.cross_check import CrossCheckPart, cross_check
from nakama_bots.results.record.recorder import Recorder


class LocustTotals:
    """One per process. Requests of other code, such as an ``HttpUser``, are counted apart in ``recorder``."""

    def __init__(self, environment: Environment, recorder: Recorder) -> None:
        self._environment = environment
        self._recorder = recorder
        self._taken = (0, 0)
        self._was_reset = False
        environment.events.request.add_listener(self._on_request)
        self.table = LocustTable(environment, recorder, self._on_request)
        environment.events.reset_stats.add_listener(self._on_reset)
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)

    def reset(self) -> None:
        """Start a new run, right after the recorder."""
        self._was_reset = False
        # An earlier listener of test_start may have made requests, which Locust has counted.
        requests, failures = self._now()
        if requests or failures:
            self._recorder.count(names.FOREIGN_REQUESTS, requests)
            self._recorder.count(names.FOREIGN_FAILURES, failures)
        self.table.start()

    def take(self) -> None:
        """Note that the recorder was just emptied: later calls are in no interval."""
        self._taken = self._now()

    def part(self, recorder: Recorder) -> CrossCheckPart:
        """Return Locust's numbers beside those of the whole run's ``recorder``."""
        # The master has the numbers that its workers report; a worker's return to 0 with each report.
        requests, failures = self._now() if isinstance(self._environment.runner, MasterRunner) else self._taken
        return cross_check(recorder, requests, failures, compared=not self._was_reset)

    def _now(self) -> tuple[int, int]:
        self.table.flush()
        total = self._environment.stats.total
        return total.num_requests, total.num_failures

    def _on_request(self, context: object = None, exception: object = None, **_: Any) -> None:
        if type(context) is not CallContext:
            self._recorder.count(names.FOREIGN_REQUESTS)
            if exception:
                self._recorder.count(names.FOREIGN_FAILURES)

    def _on_reset(self, **_: Any) -> None:
        self._was_reset = True

    def _on_spawning_complete(self, **_: Any) -> None:
        # Locust's own listener runs first: under --reset-stats it has reset them by now.
        self._was_reset = self._was_reset or bool(self._environment.reset_stats)
