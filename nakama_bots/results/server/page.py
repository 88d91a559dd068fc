"""Reads a metrics page of Nakama: which metrics are kept, and under which names. Pure.

Nakama's ``.._latency_ms`` are in seconds. It updates its own counters and gauges, which include the database's,
once per minute by default (``metrics.reporting_freq_sec``); its summaries and the figures of the process (CPU,
memory, goroutines, garbage collection) are current at every scrape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, NamedTuple

from nakama_bots.errors import safe_text

MOST_NAMES: Final = 40
"""RPC functions, hooks and custom metrics that are kept, of each; the totals of all are kept in any case."""
_NAME_LIMIT: Final = 60

_GAUGES: Final[dict[str, str]] = {
    "nakama_sessions": "sessions",
    "nakama_presences": "presences",
    "nakama_authoritative_matches": "matches",
    "nakama_parties": "parties",
    "nakama_matchmaker_tickets": "matchmaker_tickets",
    "nakama_matchmaker_active_tickets": "matchmaker_active_tickets",
    "nakama_db_in_use_conns": "db_connections",
    "nakama_db_max_open_conns": "db_connections_max",
    "nakama_lua_runtimes": "lua_runtimes",
    "nakama_javascript_runtimes": "javascript_runtimes",
    "go_goroutines": "goroutines",
    "go_threads": "threads",
    "go_sched_gomaxprocs_threads": "processors",
    "process_resident_memory_bytes": "memory",
    "process_open_fds": "open_files",
    "process_max_fds": "open_files_max",
}
_GROWING: Final[dict[str, str]] = {
    # The parser adds the suffix to every counter sample; Nakama's counters do not have it.
    "nakama_overall_request_count_total": "requests",
    "nakama_overall_message_count_total": "messages",
    "nakama_overall_errors_total": "errors",
    "nakama_overall_recv_bytes_total": "received_bytes",
    "nakama_overall_sent_bytes_total": "sent_bytes",
    "nakama_dropped_events_total": "dropped_events",
    "nakama_storage_write_reject_count_total": "storage_rejects",
    "nakama_socket_ws_opened_total": "sockets_opened",
    "nakama_socket_ws_closed_total": "sockets_closed",
    # Gauges on the page, of database/sql's totals.
    "nakama_db_total_wait_count": "db_waits",
    "nakama_db_total_wait_time_nanos": "db_wait_seconds",
    "go_gc_duration_seconds_count": "gc_pauses",
    "go_gc_duration_seconds_sum": "gc_seconds",
}
"""Metrics that only grow; values count from the first scrape."""
_SUMMARIES: Final[dict[str, tuple[str, str, str]]] = {
    "nakama_overall_latency_ms": ("latency", "timed_requests", "request_seconds"),
    "nakama_overall_before_latency_ms": ("before_hook", "before_hooks", "before_hook_seconds"),
    "nakama_overall_after_latency_ms": ("after_hook", "after_hooks", "after_hook_seconds"),
    "nakama_Rpc_latency_ms": ("", "rpcs", "rpc_seconds"),
    "nakama_matchmaker_process_time": ("matchmaker_process", "matchmaker_runs", "matchmaker_seconds"),
    "nakama_presence_event_process_latency_ms": ("presence_event", "", ""),
    "nakama_presence_event_dequeue_latency_ms": (
        "presence_wait", "presence_events", "presence_wait_seconds",
    ),
}  # fmt: skip
"""The names of their quantiles, of their count and of their sum; "" for what is not kept."""
_LEVELS: Final = {metric: names[0] for metric, names in _SUMMARIES.items() if names[0]}
_TOTALS: Final = _GROWING | {
    metric + suffix: name
    for metric, names in _SUMMARIES.items()
    for suffix, name in zip(("_count", "_sum"), names[1:], strict=True)
    if name
}
_QUANTILES: Final = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}
_CPU: Final = "process_cpu_seconds_total"
_MEMORY: Final = "go_memstats_sys_bytes"
"""Memory of the Go runtime, used if the process does not report its own."""
_RPC: Final = re.compile(r"nakama_Rpc_latency_ms(_sum|_count|)")
_HOOK: Final = re.compile(r"nakama_(before|after)_(\w+?)_latency_ms(_sum|_count|)")
_CUSTOM: Final = re.compile(r"nakama_custom_(\w+)")
_SUFFIXES: Final = {"_sum": ".seconds", "_count": ".calls"}


class Sample(NamedTuple):
    """One sample of a page; ``kind`` is its family's type."""

    kind: str
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(slots=True)
class ServerReading:
    """One reading, by figure: ``levels`` are values as they are, ``totals`` only grow."""

    levels: dict[str, float] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class MetricsPage(ServerReading):
    """What a page holds, and the CPU of the process in seconds."""

    cpu: float | None = None


def read_page(text: str) -> MetricsPage:
    """Return what a page holds: sums over nodes, for quantiles the longest. ``ValueError`` if it is no page."""
    page, named = MetricsPage(), _Named()
    memory = 0.0
    for sample in samples(text):
        _, name, labels, value = sample
        quantile = _QUANTILES.get(labels.get("quantile", ""), "")
        if name in _GAUGES:
            _add(page.levels, _GAUGES[name], value)
        elif name in _TOTALS:
            _add(page.totals, _TOTALS[name], value * 1e-9 if name.endswith("_nanos") else value)
        elif name == _CPU:
            page.cpu = (page.cpu or 0.0) + value
        elif name == _MEMORY:
            memory += value
        elif name in _LEVELS and quantile:
            _raise(page.levels, f"{_LEVELS[name]}_{quantile}", value)
        named.read(sample, quantile, page)
    if memory and not page.levels.get("memory"):
        page.levels["memory"] = memory
    return page


class _Named:
    """The metrics whose names are a game's: RPC functions, hooks and the custom ones."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def read(self, sample: Sample, quantile: str, page: MetricsPage) -> None:
        """Keep ``sample`` if it is one of them."""
        kind, name, labels, value = sample
        if found := _RPC.fullmatch(name):
            self._keep(page, "rpc", labels.get("rpc_id", ""), found[1], quantile, value)
        elif found := _HOOK.fullmatch(name):
            self._keep(page, found[1], found[2], found[3], quantile, value)
        elif found := _CUSTOM.fullmatch(name):
            self._custom(page, kind, found[1], quantile, value)

    def _custom(self, page: MetricsPage, kind: str, name: str, quantile: str, value: float) -> None:
        if kind == "counter":
            if (short := self._name("custom", name.removesuffix("_total"))) is not None:
                _add(page.totals, short, value)
            return
        suffix = next((end for end in _SUFFIXES if name.endswith(end)), "") if kind == "summary" else ""
        if suffix or quantile:
            self._keep(page, "custom", name.removesuffix(suffix), suffix, quantile, value)
        elif kind == "gauge" and (short := self._name("custom", name)) is not None:
            _add(page.levels, short, value)

    def _keep(self, page: MetricsPage, of: str, name: str, suffix: str, quantile: str, value: float) -> None:
        if not (suffix or quantile) or (short := self._name(of, name)) is None:
            return
        if suffix:
            _add(page.totals, short + _SUFFIXES[suffix], value)
        else:
            _raise(page.levels, f"{short}.{quantile}", value)

    def _name(self, of: str, name: str) -> str | None:
        """Return the name of a figure; None for a name beyond the limit."""
        names = self._names.setdefault(of, set())
        if name not in names and len(names) >= MOST_NAMES:
            return None
        names.add(name)
        return f"{of}.{safe_text(name, _NAME_LIMIT)}"


def samples(text: str) -> Iterable[Sample]:
    """Yield the finite samples of a page. ``ValueError`` if it is none."""
    # Here: 10 ms to import, for runs that read no metrics.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if isfinite(value := float(sample.value)):
                yield Sample(family.type, sample.name, sample.labels, value)


def _add(found: dict[str, float], name: str, value: float) -> None:
    found[name] = found.get(name, 0.0) + value


def _raise(found: dict[str, float], name: str, value: float) -> None:
    found[name] = max(found.get(name, 0.0), value)
