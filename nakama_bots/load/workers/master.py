"""The master's side: adds up the workers' reports, and waits for their last figures."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, Final, cast

import gevent
from locust.runners import STATE_MISSING, MasterRunner

from nakama_bots.load.figures.intervals import Totals
from nakama_bots.load.workers.worker import HELLO, REPORT_KEY, STOP, STOPPED
from nakama_bots.results.record.gaps import FIGURES
from nakama_bots.results.record.workers import MISSING, ReportHead, WorkerPart, WorkerRecord, WorkerReport
from nakama_bots.results.shapes import ShapeError, check

log = logging.getLogger(__name__)

STOP_TIMEOUT: Final = 10.0
"""Seconds beyond Locust's ``--stop-timeout`` that the master waits for its workers."""
GONE_TIMEOUT: Final = 2.0
"""The same for a worker that Locust has removed: its last messages may still be in transit."""

_POLL: Final = 0.02


class MasterEnd:
    """The master's side: adds up the workers' reports."""

    def __init__(self, runner: MasterRunner, totals: Totals) -> None:
        self._runner = runner
        self._totals = totals
        self._records: dict[str, WorkerRecord] = {}
        self._unreadable: set[str] = set()
        runner.environment.events.worker_report.add_listener(self._on_report)
        runner.register_message(HELLO, self._on_hello)
        runner.register_message(STOPPED, self._on_stopped)

    def reset(self) -> None:
        """Start a new run."""
        self._records.clear()
        self._unreadable.clear()

    def collect(self) -> str:
        """Make every worker stop its users and report. Returns a line on missing figures, "" for none."""
        clients = self._runner.clients
        for client_id in {*self._records, *(client.id for client in clients.all)}:
            self._record(client_id)
            self._runner.send_message(STOP, client_id=client_id)
        begun = perf_counter()
        while self._late(perf_counter() - begun):
            gevent.sleep(_POLL)
        parts = self.parts()
        lost = [part for part in parts if part["state"] == MISSING]
        if not lost:
            return ""
        missing = f"the last figures of {len(lost)} of {len(parts)} workers are missing"
        log.error("%s", missing)
        return missing

    def parts(self) -> list[WorkerPart]:
        """Return the contribution of each worker of the run, by index."""
        now, started = perf_counter(), self._totals.timeline.started
        records = sorted(self._records.values(), key=lambda record: record.index)
        return [record.part(started=started, now=now) for record in records]

    def _record(self, client_id: str) -> WorkerRecord:
        if client_id not in self._records:
            index = self._runner.get_worker_index(client_id)
            self._records[client_id] = WorkerRecord(client_id, index)
        return self._records[client_id]

    def _late(self, waited: float) -> bool:
        """True if a worker's last figures are still expected after ``waited`` seconds."""
        return any(
            record.said is None and waited < self._patience(client_id)
            for client_id, record in self._records.items()
        )

    def _patience(self, client_id: str) -> float:
        """Return how many seconds to wait for the last figures of this worker."""
        clients, stop_timeout = self._runner.clients, self._runner.environment.stop_timeout
        if client_id not in clients:
            # Locust removes a worker for --stop-timeout after its users have stopped.
            return stop_timeout + GONE_TIMEOUT
        return 0.0 if clients[client_id].state == STATE_MISSING else stop_timeout + STOP_TIMEOUT

    def _on_hello(self, msg: Any, **_: Any) -> None:
        self._record(msg.node_id).introduce(msg.data)

    def _on_stopped(self, msg: Any, **_: Any) -> None:
        self._record(msg.node_id).end(msg.data["reports"])

    def _on_report(self, client_id: str, data: dict[str, Any]) -> None:
        if REPORT_KEY not in data:
            return
        record = self._record(client_id)
        try:
            # The totals check each interval; those before an unreadable one count.
            check(data[REPORT_KEY], ReportHead, "report")
            report = cast("WorkerReport", data[REPORT_KEY])
            record.hear(report, perf_counter())
            for interval in report.get("intervals") or ():
                record.add(interval, self._totals.add(interval))
        except ShapeError as error:
            if client_id not in self._unreadable:
                self._unreadable.add(client_id)
                log.error("worker %s sent a report that this version cannot read (%s)", client_id, error)
            self._totals.failed(FIGURES, error, source=client_id)
