"""The server's own metrics, from its Prometheus endpoint, as gauges of the time line. Pure.

Nakama's ``.._latency_ms`` are in seconds. It updates its own counters and gauges, which include the database's,
once per minute by default (``metrics.reporting_freq_sec``); its summaries and the figures of the process (CPU,
memory, goroutines, garbage collection) are current at every scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, TypedDict

from nakama_bots.results.record.timeline import SERVER_PREFIX

LIMIT: Final = 8 * 1024 * 1024
"""Bytes above which an answer does not count as a metrics page."""

_GAUGES: Final[dict[str, str]] = {
    "nakama_sessions": "sessions",
    "nakama_presences": "presences",
    "nakama_authoritative_matches": "matches",
    "nakama_parties": "parties",
    "nakama_matchmaker_tickets": "matchmaker_tickets",
    "nakama_matchmaker_active_tickets": "matchmaker_active_tickets",
    "nakama_db_in_use_conns": "db_connections",
    "go_goroutines": "goroutines",
    "process_resident_memory_bytes": "memory",
}
_GROWING: Final[dict[str, tuple[str, float]]] = {
    # The parser adds the suffix to every counter sample; Nakama's counters do not have it.
    "nakama_overall_request_count_total": ("requests", 1.0),
    "nakama_overall_message_count_total": ("messages", 1.0),
    "nakama_overall_errors_total": ("errors", 1.0),
    "nakama_overall_recv_bytes_total": ("received_bytes", 1.0),
    "nakama_overall_sent_bytes_total": ("sent_bytes", 1.0),
    "nakama_matchmaker_process_time_count": ("matchmaker_runs", 1.0),
    "nakama_matchmaker_process_time_sum": ("matchmaker_seconds", 1.0),
    # Gauges on the page, of database/sql's totals.
    "nakama_db_total_wait_count": ("db_waits", 1.0),
    "nakama_db_total_wait_time_nanos": ("db_wait_seconds", 1e-9),
    "go_gc_duration_seconds_count": ("gc_pauses", 1.0),
    "go_gc_duration_seconds_sum": ("gc_seconds", 1.0),
}
"""Name and factor of metrics that only grow; values count from the first scrape."""
_SUMMARIES: Final[dict[str, str]] = {
    "nakama_overall_latency_ms": "latency",
    "nakama_matchmaker_process_time": "matchmaker_process",
    "nakama_presence_event_process_latency_ms": "presence_event",
}
_QUANTILES: Final = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}
_CPU: Final = "process_cpu_seconds_total"
_MEMORY: Final = ("go_memstats_sys_bytes", "memory")
"""Memory of the Go runtime, used if the process does not report its own."""


class ServerFigure(TypedDict):
    """One gauge over the run, in its own unit: latencies in seconds, ``cpu`` in cores."""

    mean: float
    max: float
    last: float


class ServerPart(TypedDict):
    """The metrics of the server; ``url`` is "" if none were requested. ``error`` is the first failure."""

    url: str
    scrapes: int
    failures: int
    error: str
    gauges: dict[str, ServerFigure]


@dataclass(slots=True)
class _Figure:
    count: int = 0
    total: float = 0.0
    most: float = 0.0
    last: float = 0.0


@dataclass(slots=True)
class ServerMetrics:
    """The scrapes of ``url`` in a run. Counters are reported as increments since the first scrape."""

    url: str = ""
    scrapes: int = 0
    failures: int = 0
    error: str = ""
    _figures: dict[str, _Figure] = field(default_factory=dict)
    _base: dict[str, float] = field(default_factory=dict)
    _before: dict[str, float] = field(default_factory=dict)
    _cpu: tuple[float, float] | None = None

    def read(self, text: str, now: float) -> dict[str, float]:
        """Return the gauges of a scrape at ``now``, by name. Raises ``ValueError`` if it is no metrics page."""
        raw = _sums(text)
        found = {SERVER_PREFIX + name: raw[metric] for metric, name in _GAUGES.items() if metric in raw}
        found.setdefault(SERVER_PREFIX + _MEMORY[1], raw.get(_MEMORY[0], 0.0))
        for metric, (name, factor) in _GROWING.items():
            if metric in raw:
                found[SERVER_PREFIX + name] = self._added(metric, raw[metric]) * factor
        for metric, name in _SUMMARIES.items():
            for quantile, suffix in _QUANTILES.items():
                value = raw.get(f"{metric} {quantile}")
                if value is not None:
                    found[f"{SERVER_PREFIX}{name}_{suffix}"] = value
        if _CPU in raw:
            if self._cpu is not None and now > self._cpu[1] and raw[_CPU] >= self._cpu[0]:
                found[SERVER_PREFIX + "cpu"] = (raw[_CPU] - self._cpu[0]) / (now - self._cpu[1])
            self._cpu = raw[_CPU], now
        if not found.get(SERVER_PREFIX + _MEMORY[1]):
            del found[SERVER_PREFIX + _MEMORY[1]]
        if not found:
            msg = "it contains no Nakama metrics"
            raise ValueError(msg)
        self.scrapes += 1
        for name, value in found.items():
            figure = self._figures.setdefault(name, _Figure())
            figure.count += 1
            figure.total += value
            figure.most = max(figure.most, value)
            figure.last = value
        return found

    def failed(self, reason: str) -> bool:
        """Count a failed scrape; True if it is the first one."""
        self.failures += 1
        self.error = self.error or reason
        return self.failures == 1

    def part(self) -> ServerPart:
        """Return the part of the summary."""
        return {
            "url": self.url,
            "scrapes": self.scrapes,
            "failures": self.failures,
            "error": self.error,
            "gauges": {
                name: {
                    "mean": round(figure.total / figure.count, 6),
                    "max": round(figure.most, 6),
                    "last": round(figure.last, 6),
                }
                for name, figure in sorted(self._figures.items())
            },
        }

    def _added(self, metric: str, value: float) -> float:
        before = self._before.get(metric)
        if before is None:
            # Nakama has no metric of an event that has not happened yet: a new metric counts from zero.
            self._base[metric] = value if not self.scrapes else 0.0
        elif value < before:
            # The counter starts from zero again: the server was restarted.
            self._base[metric] -= before
        self._before[metric] = value
        return value - self._base[metric]


def _sums(text: str) -> Mapping[str, float]:
    """Return each value by name, or name and quantile: sums over nodes, for quantiles the longest."""
    found: dict[str, float] = {}
    wanted = {*_GAUGES, *_GROWING, *_SUMMARIES, _CPU, _MEMORY[0]}
    for name, quantile, value in _samples(text):
        if name not in wanted or not isfinite(value):
            continue
        key = f"{name} {quantile}" if quantile else name
        before = found.get(key, 0.0)
        found[key] = max(before, value) if quantile else before + value
    return found


def _samples(text: str) -> Iterable[tuple[str, str, float]]:
    # Here: 10 ms to import, for runs that read no metrics.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels.get("quantile", ""), float(sample.value)
