"""What master and workers tell each other beside Locust's own messages.

Locust's workers report every 3 s, and a headless master fires ``test_stop`` before it has told them to stop: a
summary made then lacks what came last. So a worker reports once more as soon as its users have stopped, and the
master asks every worker for that before it looks at the figures.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, Final

import gevent
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from nakama_bots.load.intervals import Totals
from nakama_bots.results.shapes import ShapeError
from nakama_bots.results.timeline import Interval

log = logging.getLogger(__name__)

REPORT_KEY: Final = "nakama_bots"
"""Under which a worker's figures travel in Locust's reports to the master."""

STOP: Final = "nakama_bots.stop"
STOPPED: Final = "nakama_bots.stopped"
STOP_TIMEOUT: Final = 10.0
"""Seconds beyond Locust's ``--stop-timeout`` that the master waits for its workers."""

_POLL: Final = 0.02


class WorkerEnd:
    """A worker's side: its figures go along with every report, and the last ones as soon as there are any."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._intervals: list[Interval] = []
        events = runner.environment.events
        events.report_to_master.add_listener(self._on_report)
        # Listeners of ``quitting`` run in reverse: this one before Locust's, which tells the master goodbye.
        events.quitting.add_listener(self._on_quitting)
        runner.register_message(STOP, self._on_stop)

    def add(self, interval: Interval) -> None:
        """Have ``interval`` in the next report."""
        self._intervals.append(interval)

    def report(self) -> None:
        """Send what there is, as Locust does every few seconds."""
        data: dict[str, Any] = {}
        self._runner.environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        data[REPORT_KEY], self._intervals = self._intervals, []

    def _on_stop(self, **_: Any) -> None:
        self._runner.stop()  # fires test_stop, in which the run reports
        self._runner.send_message(STOPPED)

    def _on_quitting(self, **_: Any) -> None:
        self._runner.stop()
        self._runner.send_message(STOPPED)


class MasterEnd:
    """The master's side: adds up what the workers report."""

    def __init__(self, runner: MasterRunner, totals: Totals) -> None:
        self._runner = runner
        self._totals = totals
        self._asked: set[str] = set()
        self._heard: set[str] = set()
        self._stopped: set[str] = set()
        self._unreadable: set[str] = set()
        runner.environment.events.worker_report.add_listener(self._on_report)
        runner.register_message(STOPPED, self._on_stopped)

    def reset(self) -> None:
        """Begin with a new run."""
        self._heard.clear()
        self._stopped.clear()

    def collect(self) -> str:
        """Have every worker stop its users and report; says which figures are missing, "" for none."""
        self._asked = {client.id for client in self._runner.clients.all}
        for client_id in self._asked:
            self._runner.send_message(STOP, client_id=client_id)
        deadline = perf_counter() + self._runner.environment.stop_timeout + STOP_TIMEOUT
        while self._late() and perf_counter() < deadline:
            gevent.sleep(_POLL)
        lost = (self._heard | self._asked) - self._stopped
        if not lost:
            return ""
        missing = f"the last figures of {len(lost)} of {len(self._heard | lost)} workers are missing"
        log.error("%s", missing)
        return missing

    def _late(self) -> list[str]:
        """The workers that were asked, are still here and have not answered."""
        clients = self._runner.clients
        return [
            client_id
            for client_id in self._asked - self._stopped
            if client_id in clients and clients[client_id].state != STATE_MISSING
        ]

    def _on_stopped(self, msg: Any, **_: Any) -> None:
        self._stopped.add(msg.node_id)

    def _on_report(self, client_id: str, data: dict[str, Any]) -> None:
        if REPORT_KEY not in data:
            return
        self._heard.add(client_id)
        try:
            for interval in data[REPORT_KEY]:
                self._totals.add(interval)
        except ShapeError as error:
            if client_id not in self._unreadable:
                self._unreadable.add(client_id)
                log.error("worker %s reports what this version cannot read (%s)", client_id, error)
            self._runner.environment.process_exit_code = 1
