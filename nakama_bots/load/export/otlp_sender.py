"""Sends a run's figures and traces to an OpenTelemetry collector, from a greenlet that may have to wait.

The SDK's exporters do the sending, with their environment variables. Nothing is instrumented: what is sent is
what the run has recorded anyway.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections import deque
from collections.abc import Callable
from itertools import islice
from time import perf_counter, time
from typing import Final

import gevent
from gevent.event import Event
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from nakama_bots.errors import safe_text, scrub
from nakama_bots.load.export.exports import RunExport
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.net.failures import DIAL_ERRORS, mapped
from nakama_bots.results.export.exponential import ExponentialDurations
from nakama_bots.results.export.figures import Durations, Figures
from nakama_bots.results.export.otlp import ExportPeriod, OtlpDurations, metric_parts, spans
from nakama_bots.results.export.series import RunState
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.exports import Collector, otlp_interval

log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds that the end of the process waits for one answer; it waits twice as long for all of them."""
LONGEST: Final = 60.0
"""Seconds of one export; the exporters' own limit is for a peer that sends nothing at all."""

_SPANS: Final = 512
"""Spans of a request, as in the SDK's own batches."""
_LOGGERS: Final = (OTLPMetricExporter.__module__, OTLPSpanExporter.__module__)
_ACCEPTED: Final = (MetricExportResult.SUCCESS, SpanExportResult.SUCCESS)


class RunOtlp(RunExport):
    """Sends the figures of each run to ``collector``."""

    def __init__(self, collector: Collector, totals: Totals, outlook: Callable[[], str]) -> None:
        super().__init__(totals)
        self._collector = collector
        self._outlook = outlook
        self._sender: OtlpSender | None = None

    def restart(self) -> None:
        """Create the run's sender; the one of the run before may still be at work."""
        self._sender = OtlpSender(self._collector, self._totals, self._outlook)

    def add(self, row: Interval) -> None:
        if self._sender is not None:
            self._sender.add(row)

    def begin(self, info: RunInfo) -> None:
        if self._sender is not None:
            self._sender.start(info)

    def end(self, verdict: str) -> None:
        """Send the last figures and the traces, while a next run may start."""
        if self._sender is not None:
            self._sender.finish(verdict)

    def stop(self) -> None:
        """Wait until they are sent. Idempotent."""
        if self._sender is not None:
            self._sender.join()


class OtlpSender:
    """Sends one run. The first failure is logged; what can still be sent later is tried again."""

    def __init__(self, collector: Collector, totals: Totals, outlook: Callable[[], str]) -> None:
        self._collector = collector
        self._traces = totals.traces
        self._outlook = outlook
        self._rows: deque[Interval] = deque()
        self._figures: Figures[OtlpDurations] = Figures(
            Durations if _said("METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram")
            else ExponentialDurations
        )  # fmt: skip
        self._delta = _said("METRICS_TEMPORALITY_PREFERENCE", "delta", "lowmemory")
        self._since = totals.timeline.started
        self._pending: deque[MetricsData] = deque()
        self._verdict = ""
        self._ending = Event()
        self._accepted = 0
        self._reason = ""
        self._failed = False
        self._greenlet: gevent.Greenlet[[RunInfo], None] | None = None
        self._last: gevent.Greenlet[..., None] | None = None

    def add(self, row: Interval) -> None:
        """Queue an interval of the run; it is counted when figures are sent."""
        if not self._ending.is_set():
            self._rows.append(row)

    def start(self, info: RunInfo) -> None:
        """Send the figures of the run ``info`` from now on."""
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true":
            self._greenlet = gevent.spawn(self._run, info)

    def finish(self, verdict: str) -> None:
        """Send what is left, as long as the collector answers. Does not wait for it: see ``join``."""
        self._verdict = verdict
        self._ending.set()
        if self._greenlet is not None:
            self._last = gevent.spawn(self._end, self._greenlet)

    def join(self) -> None:
        """Wait for the end that ``finish`` has begun."""
        if self._last is not None:
            self._last.join()

    def _end(self, sending: gevent.Greenlet[[RunInfo], None]) -> None:
        until = perf_counter() + 2 * PATIENCE
        while not sending.ready():
            accepted = self._accepted
            sending.join(PATIENCE)
            if not sending.ready() and (self._accepted == accepted or perf_counter() >= until):
                self._fail(self._reason or f"no answer in {PATIENCE:g} s")
                sending.kill(block=False)
                return

    def _run(self, info: RunInfo) -> None:
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        for logger in loggers:
            logger.addFilter(self._hear)
        try:
            self._keep(info)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
            self._fail(type(error).__name__)
        finally:
            for logger in loggers:
                logger.removeFilter(self._hear)

    def _keep(self, info: RunInfo) -> None:
        resource = _resource(info)
        metrics = traces = None
        if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
            metrics = OTLPMetricExporter(self._collector.endpoint("metrics"))
        if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
            traces = OTLPSpanExporter(self._collector.endpoint("traces"))
        while not self._ending.wait(otlp_interval(os.environ)):
            self._send_figures(metrics, info, resource)
        self._send_figures(metrics, info, resource)
        if traces is not None:
            self._send_traces(traces, info, resource)

    def _send_figures(self, exporter: OTLPMetricExporter | None, info: RunInfo, resource: Resource) -> None:
        while self._rows:
            self._figures.add(self._rows.popleft(), pause=let_others_run)
        if exporter is None:
            return
        if not self._delta:
            self._pending.clear()
        # The rest of a part of the time is sent before the next one: nothing is left out or sent twice.
        if not self._send_pending(exporter):
            return
        period = ExportPeriod(self._since, time(), self._delta)
        verdict = self._verdict or self._outlook()
        state = RunState(info, active=not self._verdict, verdict=verdict)
        for part in metric_parts(self._figures, state, period, resource):
            self._pending.append(part)
            let_others_run()
        if self._delta:
            self._figures.restart()
            self._since = period.ended
        self._send_pending(exporter)

    def _send_pending(self, exporter: OTLPMetricExporter) -> bool:
        while self._pending:
            part = self._pending[0]
            if not self._sent(lambda part=part: exporter.export(part)):  # type: ignore[misc]
                return False
            self._pending.popleft()
        return True

    def _send_traces(self, exporter: OTLPSpanExporter, info: RunInfo, resource: Resource) -> None:
        remaining = spans(list(self._traces), info, resource)
        while batch := list(islice(remaining, _SPANS)):
            if not self._sent(lambda batch=batch: exporter.export(batch)):  # type: ignore[misc]
                return
            let_others_run()

    def _sent(self, send: Callable[[], MetricExportResult | SpanExportResult]) -> bool:
        self._reason = ""
        try:
            with gevent.Timeout(LONGEST):
                if send() in _ACCEPTED:
                    self._accepted += 1
                    return True
        except gevent.Timeout:
            pass
        except Exception as error:  # noqa: BLE001 - older exporters raise what a socket does
            self._reason = str(mapped(DIAL_ERRORS, error))
        self._fail(self._reason or f"no answer in {LONGEST:g} s")
        return False

    def _hear(self, record: logging.LogRecord) -> bool:
        """Keep what an exporter logs for the line about it; Locust's own exporters log as they do."""
        if gevent.getcurrent() is not self._greenlet:
            return True
        self._reason = _reason(record) or self._reason
        return False

    def _fail(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            log.error(
                "--nakama-otlp: %s does not accept what is sent (%s): the run continues",
                self._collector.url or "the collector",
                reason,
            )


def _said(name: str, *values: str) -> bool:
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip().lower() in values


def _resource(info: RunInfo) -> Resource:
    """Return what the environment says of this process, and ours where it says nothing."""
    ours = {
        "service.name": "nakama-bots",
        "service.version": info.versions.get("nakama_bots", ""),
        # Else the counters of two runs would be those of one that has started again.
        "service.instance.id": str(uuid.uuid4()),
    }
    return Resource.create(ours | dict(OTELResourceDetector().detect().attributes))


def _reason(record: logging.LogRecord) -> str:
    """Return why an export failed, without the URL and its secrets; "" if the record does not have it."""
    given = record.args if isinstance(record.args, tuple) else ()
    for value in given:
        if isinstance(value, Exception):
            return str(mapped(DIAL_ERRORS, value))
        if type(value) is int:
            return f"HTTP {value}"
    if record.levelno == logging.WARNING and given:
        return safe_text(scrub(str(given[0])), 80)
    return ""
