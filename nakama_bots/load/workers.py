"""What master and workers tell each other beside Locust's own messages.

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
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Final, cast

import gevent
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from nakama_bots.exit_codes import ExitCode
from nakama_bots.load.intervals import Totals
from nakama_bots.results.record.gaps import FIGURES
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.record.workers import MISSING, ReportHead, WorkerPart, WorkerRecord, WorkerReport
from nakama_bots.results.shapes import ShapeError, check

log = logging.getLogger(__name__)

REPORT_KEY: Final = "nakama_bots"
"""Under which a worker's figures travel in Locust's reports to the master."""

HELLO: Final = "nakama_bots.hello"
STOP: Final = "nakama_bots.stop"
STOPPED: Final = "nakama_bots.stopped"
MASTER_SILENCE: Final = 3.0
"""Seconds without a heartbeat of the master, which sends one a second, after which its port is tried."""
PROBE_TIMEOUT: Final = 3.0
STOP_TIMEOUT: Final = 10.0
"""Seconds beyond Locust's ``--stop-timeout`` that the master waits for its workers."""

_POLL: Final = 0.02
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
        self._runner.stop()  # fires test_stop, in which the run reports
        self._tell_stopped()

    def _on_quitting(self, **_: Any) -> None:
        self._runner.stop()
        self._tell_stopped()

    def _tell_stopped(self) -> None:
        self._runner.send_message(STOPPED, {"reports": self._reports})


class MasterEnd:
    """The master's side: adds up what the workers report."""

    def __init__(self, runner: MasterRunner, totals: Totals) -> None:
        self._runner = runner
        self._totals = totals
        self._asked: set[str] = set()
        self._records: dict[str, WorkerRecord] = {}
        self._unreadable: set[str] = set()
        runner.environment.events.worker_report.add_listener(self._on_report)
        runner.register_message(HELLO, self._on_hello)
        runner.register_message(STOPPED, self._on_stopped)
        if runner.environment.parsed_options is not None:
            # Without it Locust 2.47 gives users to the first worker that joins late and to no later one (its
            # dispatcher thinks for ever that it is still at it), and to nobody those of a worker that is gone.
            runner.environment.parsed_options.enable_rebalancing = True

    def reset(self) -> None:
        """Begin with a new run."""
        self._records.clear()

    def collect(self) -> str:
        """Have every worker stop its users and report; says which figures are missing, "" for none."""
        self._asked = {client.id for client in self._runner.clients.all}
        for client_id in self._asked:
            self._record(client_id)
            self._runner.send_message(STOP, client_id=client_id)
        deadline = perf_counter() + self._runner.environment.stop_timeout + STOP_TIMEOUT
        while self._late() and perf_counter() < deadline:
            gevent.sleep(_POLL)
        parts = self.parts()
        lost = [part for part in parts if part["state"] == MISSING]
        if not lost:
            return ""
        missing = f"the last figures of {len(lost)} of {len(parts)} workers are missing"
        log.error("%s", missing)
        return missing

    def parts(self) -> list[WorkerPart]:
        """What each worker of the run has contributed, by index."""
        now, started = perf_counter(), self._totals.timeline.started
        records = sorted(self._records.values(), key=lambda record: record.index)
        return [record.part(started=started, now=now) for record in records]

    def _record(self, client_id: str) -> WorkerRecord:
        if client_id not in self._records:
            index = self._runner.get_worker_index(client_id)
            self._records[client_id] = WorkerRecord(client_id, index)
        return self._records[client_id]

    def _late(self) -> Iterable[str]:
        """The workers that were asked, are still here and have not answered."""
        clients = self._runner.clients
        return [
            client_id
            for client_id in self._asked
            if self._record(client_id).said is None
            and client_id in clients
            and clients[client_id].state != STATE_MISSING
        ]

    def _on_hello(self, msg: Any, **_: Any) -> None:
        self._record(msg.node_id).introduce(msg.data)

    def _on_stopped(self, msg: Any, **_: Any) -> None:
        self._record(msg.node_id).end(msg.data["reports"])

    def _on_report(self, client_id: str, data: dict[str, Any]) -> None:
        if REPORT_KEY not in data:
            return
        record = self._record(client_id)
        try:
            # The totals check each interval; of one that cannot be read, those before it count.
            check(data[REPORT_KEY], ReportHead, "report")
            report = cast("WorkerReport", data[REPORT_KEY])
            record.hear(report, perf_counter())
            for interval in report.get("intervals") or ():
                record.add(interval, self._totals.add(interval))
        except ShapeError as error:
            if client_id not in self._unreadable:
                self._unreadable.add(client_id)
                log.error("worker %s reports what this version cannot read (%s)", client_id, error)
            self._totals.failed(FIGURES, error, source=client_id)
