"""The worker's side of the protocol between master and workers that Locust's messages do not cover.

Locust's workers report every 3 s, and a headless master fires ``test_stop`` before it stops them: a summary
created then lacks the last figures. So a worker reports once more as soon as its users have stopped, and the
master requests that from every worker before it reads the figures.

Reports are numbered, and at the end a worker sends their count, so a lost report or a worker that died is
noticed.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import cache
from time import perf_counter
from typing import Any, Final

import gevent
from locust import argument_parser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.record.workers import ReportHead, WorkerReport

log = logging.getLogger(__name__)

REPORT_KEY: Final = "nakama_bots"
"""The key of a worker's figures in Locust's reports to the master."""

HELLO: Final = "nakama_bots.hello"
STOP: Final = "nakama_bots.stop"
STOPPED: Final = "nakama_bots.stopped"
MASTER_SILENCE: Final = 3.0
"""Seconds without the master's heartbeat (one per second) after which its port is tried."""
PROBE_TIMEOUT: Final = 3.0

_AT_IT: Final = (STATE_SPAWNING, STATE_RUNNING)


class WorkerEnd:
    """The worker's side: adds its figures to every report, and sends the last ones as soon as possible."""

    def __init__(self, runner: WorkerRunner) -> None:
        _keep_default_arguments()
        self._runner = runner
        self._intervals: list[Interval] = []
        self._reports = 0
        self._heard = perf_counter()
        events = runner.environment.events
        events.heartbeat_received.add_listener(self._on_heartbeat)
        runner.greenlet.spawn(self._watch_master)
        events.report_to_master.add_listener(self._on_report)
        # Listeners of ``quitting`` run in reverse: this one before Locust's, which signs off from the master.
        events.quitting.add_listener(self._stop)
        runner.register_message(STOP, self._stop)

    def reset(self) -> None:
        """Start a new run and announce this worker, so that a death before the first report is noticed."""
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
        """Add ``interval`` to the next report."""
        self._intervals.append(interval)

    def report(self) -> None:
        """Send the pending figures, as Locust does every few seconds."""
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
        """End this process when its master has ended: Locust lets the users continue for a minute."""
        while True:
            gevent.sleep(1)
            silent = perf_counter() - self._heard
            # A suspended or busy master still has its port open.
            if silent >= MASTER_SILENCE and self._runner.worker_state in _AT_IT and not self._master_listens():
                host, port = self._runner.master_host, self._runner.master_port
                log.error("the master at %s:%s is gone: this worker stops", host, port)
                self._runner.environment.process_exit_code = int(ExitCode.FAILURES)
                # Not from this greenlet: quitting ends it too.
                gevent.spawn(self._runner.quit)
                return

    def _master_listens(self) -> bool:
        try:
            address = (self._runner.master_host, self._runner.master_port)
            socket.create_connection(address, PROBE_TIMEOUT).close()
        except OSError:
            return False
        return True

    def _stop(self, **_: Any) -> None:
        self._runner.stop()  # fires test_stop, in which the run reports
        self._runner.send_message(STOPPED, {"reports": self._reports})


def _keep_default_arguments() -> None:
    """Build Locust's parser of default arguments once.

    Locust (2.47) builds it again for each option of each spawn message, one a second while users are started:
    that blocks the worker for a quarter of a second each time.
    """
    if not hasattr(argument_parser.default_args_dict, "cache_clear"):
        argument_parser.default_args_dict = cache(argument_parser.default_args_dict)
