"""The sections of a report about the load generator and about the server's own metrics: gauges over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nakama_bots.results.record import gauges
from nakama_bots.results.record.timeline import SERVER_PREFIX
from nakama_bots.results.show.bottleneck import notes, size_lines
from nakama_bots.results.show.report.parts import Item, Items, Lines, Table, facts, over_time, rows_table, text
from nakama_bots.results.show.report.view import RunView

SHOWN_AS: Final[dict[str, tuple[str, float]]] = {
    "s": ("ms", 1e3),
    "cores": ("% of a core", 100.0),
    "bytes": ("MB", 1e-6),
}
"""Unit and factor for display by the unit of a gauge; other units are shown as they are."""

_TOGETHER: Final[dict[str, tuple[str, ...]]] = {
    "CPU": ("cpu", "cpu_own", "cpu_locust", "cpu_scenario"),
    "Lateness of a timer": ("hub_lag", "hub_lag_max"),
    "Time until a frame is read": ("receive_wait", "receive_wait_max"),
}
"""Gauges that share a chart."""


_QUANTILES: Final = ("p50", "p95", "p99")
_OF_THE_SERVER: Final[tuple[tuple[str, str, float, tuple[str, ...]], ...]] = (
    ("CPU", "% of a core", 100.0, ("cpu",)),
    ("Memory", "MB", 1e-6, ("memory",)),
    ("Goroutines", "", 1.0, ("goroutines",)),
    ("Threads", "", 1.0, ("threads",)),
    ("The machine", "%", 100.0, ("host_cpu", "host_memory")),
    ("The machine's traffic since the start", "MB", 1e-6, ("host_received_bytes", "host_sent_bytes")),
    ("Open files", "", 1.0, ("open_files", "open_files_max")),
    ("Database connections of the server", "", 1.0, ("db_connections", "db_connections_max")),
    (
        "PostgreSQL's connections",
        "",
        1.0,
        (
            "postgres_connections",
            "postgres_active",
            "postgres_waiting_for_locks",
            "postgres_waiting_for_disk",
            "postgres_idle_in_transaction",
        ),
    ),
    ("PostgreSQL's transactions since the start", "", 1.0, ("postgres_commits", "postgres_rollbacks")),
    ("Runtimes", "", 1.0, ("lua_runtimes", "javascript_runtimes")),
    ("Hooks", "ms", 1e3, ("before_hook_p50", "before_hook_p95", "after_hook_p50", "after_hook_p95")),
    ("Wait of presence events", "ms", 1e3, tuple(f"presence_wait_{name}" for name in _QUANTILES)),
    ("Dropped events, refused writes since the start", "", 1.0, ("dropped_events", "storage_rejects")),
    ("Latency of its requests", "ms", 1e3, tuple(f"latency_{name}" for name in _QUANTILES)),
    ("Matchmaker's processing", "ms", 1e3, tuple(f"matchmaker_process_{name}" for name in _QUANTILES)),
    ("Presence events", "ms", 1e3, tuple(f"presence_event_{name}" for name in _QUANTILES)),
    (
        "Garbage collection, database waits, matchmaker runs since the start",
        "ms",
        1e3,
        ("gc_seconds", "db_wait_seconds", "matchmaker_seconds"),
    ),
    (
        "Number of collections, waits, runs since the start",
        "",
        1.0,
        ("gc_pauses", "db_waits", "matchmaker_runs"),
    ),
    ("Sessions, presences, matches", "", 1.0, ("sessions", "presences", "matches", "parties")),
    ("Matchmaker tickets", "", 1.0, ("matchmaker_tickets", "matchmaker_active_tickets")),
    ("Requests and messages since the start", "", 1.0, ("requests", "messages", "errors")),
    ("Traffic since the start", "MB", 1e-6, ("received_bytes", "sent_bytes")),
)
"""Title, unit, factor and lines of the charts of server metrics; other metrics have one chart each."""


def health(run: RunView) -> Items:
    """Return its processes, the gauges over time, and the state of the workers."""
    items: dict[str, Item] = dict(_processes(run))
    own = {name: row for name, row in run.bins.gauges.items() if name not in {gauges.USERS, gauges.SOCKETS}}
    for title, names in _TOGETHER.items():
        rows = {name: own.pop(name) for name in names if name in own}
        if rows:
            items[f"gauges {title}"] = _chart(run, title, rows)
    for name, row in own.items():
        items[f"gauge {name}"] = _chart(run, _meaning(name), {name: row})
    workers = _part(run, "workers")
    if isinstance(workers, list) and workers:
        items["workers"] = rows_table("Workers", workers)
    return items


def server(run: RunView) -> Items:
    """Return the metrics of the server over time, grouped into charts, and their figures over the run."""
    items: dict[str, Item] = {}
    part = _part(run, "server")
    if isinstance(part, dict) and part.get("url"):
        about = {
            name: part.get(name) for name in ("url", "scrapes", "failures", "error") if part.get(name) != ""
        }
        items["facts"] = facts("Where it was read", about)
    left = dict(run.bins.server)
    for title, unit, factor, names in _OF_THE_SERVER:
        rows = {name: left.pop(SERVER_PREFIX + name) for name in names if SERVER_PREFIX + name in left}
        if rows:
            items[f"gauges {title}"] = _scaled(run, title, rows, unit, factor)
    for name, row in left.items():
        items[f"gauge {name}"] = _scaled(run, name, {name: row}, "", 1.0)
    return items


def breaks_first(run: RunView) -> Items:
    """Return the verdict on what breaks first, its evidence and what limits it."""
    part = run.summary.get("bottleneck")
    if part is None:
        return {}
    rows = tuple(
        (
            found["name"], f"{found['players']:,}", found["text"],
            "; ".join([*found["beside"], *([found["log"]] if found["log"] else [])]), found["advice"],
            found["source"],
        )
        for found in part["found"]
    )  # fmt: skip
    items: dict[str, Item] = {"verdict": Lines((part["text"], *notes(part), *size_lines(part)))}
    if rows:
        headers = ("what", "from players", "figure", "at the same time", "advice", "source")
        items["found"] = Table("Found, the first to break first", headers, rows, left=6)
    return items


def _processes(run: RunView) -> Items:
    part = _part(run, "health")
    processes = part.get("processes") if isinstance(part, dict) else None
    if not isinstance(processes, list) or not processes:
        return {}
    names = list(dict.fromkeys(name for process in processes for name in process.get("figures", {})))
    rows = tuple(
        (
            str(process.get("source")),
            "ok" if process.get("valid") else "TOO SLOW",
            text(process.get("seconds")),
            *(_figure(name, process.get("figures", {}).get(name)) for name in names),
        )
        for process in processes
    )
    headers = ("process", "state", "s with users", *(name.replace("_", " ") for name in names))
    reasons = "; ".join(map(str, part.get("reasons") or ["fast enough for its figures to be trusted"]))
    return {"processes": Table("Processes: mean / highest second", headers, rows, left=2, note=reasons)}


def _figure(name: str, figure: Mapping[str, float] | None) -> str:
    if not figure:
        return "-"
    _, factor = shown_as(name)
    return " / ".join(f"{figure.get(key, 0.0) * factor:,.1f}" for key in ("mean", "max"))


def _chart(run: RunView, title: str, rows: Mapping[str, Sequence[float | None]]) -> Item:
    return _scaled(run, title, rows, *shown_as(next(iter(rows))))


def _scaled(
    run: RunView, title: str, rows: Mapping[str, Sequence[float | None]], unit: str, factor: float
) -> Item:
    most = max((value or 0.0 for row in rows.values() for value in row), default=0.0)
    if unit == "MB" and most * factor < 1:
        unit, factor = "kB", factor * 1e3
    scaled = {
        name.replace("_", " "): [None if value is None else value * factor for value in row]
        for name, row in rows.items()
    }
    return over_time(run, title, unit, scaled)


def shown_as(name: str) -> tuple[str, float]:
    """Return the unit of a gauge and its factor, for display."""
    gauge = gauges.GAUGES.get(name)
    unit = gauge.unit if gauge is not None else ""
    return SHOWN_AS.get(unit, (unit, 1.0))


def _meaning(name: str) -> str:
    gauge = gauges.GAUGES.get(name)
    return gauge.meaning[:1].upper() + gauge.meaning[1:] if gauge is not None else name


def _part(run: RunView, key: str) -> Any:
    return run.summary.get(key)
