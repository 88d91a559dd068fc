"""A worker's side of the talk between master and workers that Locust's own messages do not cover.

Locust's workers report every 3 s, and a headless master fires ``test_stop`` before it has told them to stop: a
summary made then lacks what came last. So a worker reports once more as soon as its users have stopped, and the
master asks every worker for that before it looks at the figures.

Reports are numbered, and at the end a worker says how many there were: one that was lost on the way, or a
worker that died, does not go unnoticed.
"""

from __future__ import annotations

import logging
import os
import socket
from time import perf_counter
from typing import Any, Final

import gevent
from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.record.workers import ReportHead, WorkerReport

log = logging.getLogger(__name__)

REPORT_KEY: Final = "nakama_bots"
"""Under which a worker's figures travel in Locust's reports to the master."""

HELLO: Final = "nakama_bots.hello"
STOP: Final = "nakama_bots.stop"
STOPPED: Final = "nakama_bots.stopped"
MASTER_SILENCE: Final = 3.0
"""Seconds without a heartbeat of the master, which sends one a second, after which its port is tried."""
PROBE_TIMEOUT: Final = 3.0

_AT_IT: Final = (STATE_SPAWNING, STATE_RUNNING)


class WorkerEnd:
    """A worker's side: its figures go along with every report, and the last ones as soon as there are any."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._intervals: list[Interval] = []
        self._reports = 0
        self._heard = perf_counter()
        events = runner.environment.events
        events.heartbeat_received.add_listener(self._on_heartbeat)
        runner.greenlet.spawn(self._watch_master)
        events.report_to_master.add_listener(self._on_report)
        # Listeners of ``quitting`` run in reverse: this one before Locust's, which tells the master goodbye.
        events.quitting.add_listener(self._on_quitting)
        runner.register_message(STOP, self._on_stop)

    def reset(self) -> None:
        """Begin with a new run, and say who begins: one that dies before its first report is known as well."""
        self._intervals.clear()
        self._reports = 0
        self._runner.send_message(HELLO, dict(self._head()))

    def _head(self) -> ReportHead:
        return {
            "number": self._reports,
            "index": self._runner.worker_index,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }

    def add(self, interval: Interval) -> None:
        """Have ``interval`` in the next report."""
        self._intervals.append(interval)

    def report(self) -> None:
        """Send what there is, as Locust does every few seconds."""
        data: dict[str, Any] = {}
        self._runner.environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        if not self._intervals:
            return
        self._reports += 1
        report: WorkerReport = {**self._head(), "intervals": self._intervals}
        data[REPORT_KEY], self._intervals = report, []

    def _on_heartbeat(self, **_: Any) -> None:
        self._heard = perf_counter()

    def _watch_master(self) -> None:
        """End this process when its master has: Locust lets its users go on for a minute."""
        while True:
            gevent.sleep(1)
            silent = perf_counter() - self._heard
            # One that is stopped, or too busy, still has its port open.
            if silent >= MASTER_SILENCE and self._runner.worker_state in _AT_IT and not self._master_listens():
                host, port = self._runner.master_host, self._runner.master_port
                log.error("the master at %s:%s is gone: this worker stops", host, port)
                self._runner.environment.process_exit_code = int(ExitCode.FAILURES)
                # Not from here: it ends this greenlet too.
                gevent.spawn(self._runner.quit)
                return

    def _master_listens(self) -> bool:
        try:
            address = (self._runner.master_host, self._runner.master_port)
            socket.create_connection(address, PROBE_TIMEOUT).close()
        except OSError:
            return False
        return True

    def _on_stop(self, **_: Any) -> None:
        self._stop()

    def _on_quitting(self, **_: Any) -> None:
        self._stop()

    def _stop(self) -> None:
        self._runner.stop()  # fires test_stop, in which the run reports
        self._runner.send_message(STOPPED, {"reports": self._reports})
