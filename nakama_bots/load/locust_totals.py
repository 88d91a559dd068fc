"""What Locust itself counted in a run, to be held against the recorder: two counts of one thing must agree."""

from __future__ import annotations

from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner

from nakama_bots import observer as names
from nakama_bots.load.bridge import CallContext
from nakama_bots.results.record.cross_check import CrossCheckPart, cross_check
from nakama_bots.results.record.recorder import Recorder


class LocustTotals:
    """One a process. Requests of other code, such as an ``HttpUser``, are counted apart in ``recorder``."""

    def __init__(self, environment: Environment, recorder: Recorder) -> None:
        self._environment = environment
        self._recorder = recorder
        self._taken = (0, 0)
        self._was_reset = False
        environment.events.request.add_listener(self._on_request)
        environment.events.reset_stats.add_listener(self._on_reset)
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)

    def reset(self) -> None:
        """Begin with a new run, right after the recorder has."""
        self._was_reset = False
        # A listener of test_start that was called before ours may have made requests, which Locust has.
        requests, failures = self._now()
        if requests or failures:
            self._recorder.count(names.FOREIGN_REQUESTS, requests)
            self._recorder.count(names.FOREIGN_FAILURES, failures)

    def take(self) -> None:
        """The recorder was emptied this moment: what comes later is in no interval."""
        self._taken = self._now()

    def part(self, recorder: Recorder) -> CrossCheckPart:
        """Locust's numbers beside those of the whole run's ``recorder``."""
        # The master's own are those that its workers report; a worker's go back to 0 with each report.
        requests, failures = self._now() if isinstance(self._environment.runner, MasterRunner) else self._taken
        return cross_check(recorder, requests, failures, compared=not self._was_reset)

    def _now(self) -> tuple[int, int]:
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
        # Locust's own listener was there before: under --reset-stats it has reset them by now.
        self._was_reset = self._was_reset or bool(self._environment.reset_stats)
