"""The sections of a report about the load generator and about the server's own metrics: gauges over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nakama_bots.results.record import gauges
from nakama_bots.results.record.health import FigurePart
from nakama_bots.results.record.timeline import SERVER_PREFIX
from nakama_bots.results.show.bottleneck import notes, size_lines
from nakama_bots.results.show.report.parts import Item, Items, Lines, Table, facts, over_time, rows_table, text
from nakama_bots.results.show.report.view import RunView

SHOWN_AS: Final[dict[str, tuple[str, float]]] = {
    "s": ("ms", 1e3),
    "cores": ("% of a core", 100.0),
    "bytes": ("MB", 1e-6),
    "share": ("%", 100.0),
}
"""Unit and factor for display by the unit of a gauge; other units are shown as they are."""

_TOGETHER: Final[dict[str, tuple[str, ...]]] = {
    "CPU": ("cpu", "cpu_own", "cpu_locust", "cpu_scenario"),
    "Lateness of a timer": ("hub_lag", "hub_lag_max"),
    "Time until a frame is read": ("receive_wait", "receive_wait_max"),
}
"""Gauges that share a chart."""

_QUANTILES: Final = ("p50", "p95", "p99")
_OF_THE_SERVER: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("CPU", "cores", ("cpu",)),
    ("Memory", "bytes", ("memory",)),
    ("Goroutines", "", ("goroutines",)),
    ("Threads", "", ("threads",)),
    ("The machine", "share", ("host_cpu", "host_memory")),
    ("The machine's traffic since the start", "bytes", ("host_received_bytes", "host_sent_bytes")),
    ("Open files", "", ("open_files", "open_files_max")),
    ("Database connections of the server", "", ("db_connections", "db_connections_max")),
    ("PostgreSQL's connections", "", (
        "postgres_connections", "postgres_active", "postgres_waiting_for_locks", "postgres_waiting_for_disk",
        "postgres_idle_in_transaction",
    )),
    ("PostgreSQL's transactions since the start", "", ("postgres_commits", "postgres_rollbacks")),
    ("Runtimes", "", ("lua_runtimes", "javascript_runtimes")),
    ("Hooks", "s", ("before_hook_p50", "before_hook_p95", "after_hook_p50", "after_hook_p95")),
    ("Wait of presence events", "s", tuple(f"presence_wait_{name}" for name in _QUANTILES)),
    ("Dropped events, refused writes since the start", "", ("dropped_events", "storage_rejects")),
    ("Latency of its requests", "s", tuple(f"latency_{name}" for name in _QUANTILES)),
    ("Matchmaker's processing", "s", tuple(f"matchmaker_process_{name}" for name in _QUANTILES)),
    ("Presence events", "s", tuple(f"presence_event_{name}" for name in _QUANTILES)),
    ("Garbage collection, database waits, matchmaker runs since the start", "s",
     ("gc_seconds", "db_wait_seconds", "matchmaker_seconds")),
    ("Number of collections, waits, runs since the start", "", ("gc_pauses", "db_waits", "matchmaker_runs")),
    ("Sessions, presences, matches", "", ("sessions", "presences", "matches", "parties")),
    ("Matchmaker tickets", "", ("matchmaker_tickets", "matchmaker_active_tickets")),
    ("Requests and messages since the start", "", ("requests", "messages", "errors")),
    ("Traffic since the start", "bytes", ("received_bytes", "sent_bytes")),
)  # fmt: skip
"""Title, unit and lines of the charts of server metrics; other metrics have one chart each."""


def health(run: RunView) -> Items:
    """Return its processes, the gauges over time, and the state of the workers."""
    items: dict[str, Item] = dict(_processes(run))
    own = {name: row for name, row in run.bins.gauges.items() if name not in {gauges.USERS, gauges.SOCKETS}}
    for title, names in _TOGETHER.items():
        rows = {name: own.pop(name) for name in names if name in own}
        if rows:
            items[f"gauges {title}"] = _scaled(run, title, rows, gauges.unit_of(names[0]))
    for name, row in own.items():
        items[f"gauge {name}"] = _scaled(run, _meaning(name), {name: row}, gauges.unit_of(name))
    workers = run.summary["workers"]
    if workers:
        items["workers"] = rows_table("Workers", workers)
    return items


def server(run: RunView) -> Items:
    """Return the metrics of the server over time, grouped into charts, and their figures over the run."""
    items: dict[str, Item] = {}
    part = run.summary["server"]
    if part["url"]:
        about = {"url": part["url"], "scrapes": part["scrapes"], "failures": part["failures"]}
        error = {"error": part["error"]} if part["error"] else {}
        items["facts"] = facts("Where it was read", {**about, **error})
    left = dict(run.bins.server)
    for title, unit, names in _OF_THE_SERVER:
        rows = {name: left.pop(SERVER_PREFIX + name) for name in names if SERVER_PREFIX + name in left}
        if rows:
            items[f"gauges {title}"] = _scaled(run, title, rows, unit)
    for name, row in left.items():
        items[f"gauge {name}"] = _scaled(run, name, {name: row}, "")
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
    part = run.summary["health"]
    processes = part["processes"]
    if not processes:
        return {}
    names = list(dict.fromkeys(name for process in processes for name in process["figures"]))
    rows = tuple(
        (process["source"], "ok" if process["valid"] else "TOO SLOW", text(process["seconds"]),
         *(_figure(name, process["figures"].get(name)) for name in names))
        for process in processes
    )  # fmt: skip
    headers = ("process", "state", "s with users", *(name.replace("_", " ") for name in names))
    reasons = "; ".join(part["reasons"] or ["fast enough for its figures to be trusted"])
    return {"processes": Table("Processes: mean / highest second", headers, rows, left=2, note=reasons)}


def _figure(name: str, figure: FigurePart | None) -> str:
    if figure is None:
        return "-"
    _, factor = shown_as(gauges.unit_of(name))
    return " / ".join(f"{value * factor:,.1f}" for value in (figure["mean"], figure["max"]))


def _scaled(run: RunView, title: str, rows: Mapping[str, Sequence[float | None]], of: str | None) -> Item:
    """Return a chart of values in the unit ``of``."""
    unit, factor = shown_as(of)
    most = max((value or 0.0 for row in rows.values() for value in row), default=0.0)
    if unit == "MB" and most * factor < 1:
        unit, factor = "kB", factor * 1e3
    scaled = {
        name.replace("_", " "): [None if value is None else value * factor for value in row]
        for name, row in rows.items()
    }
    return over_time(run, title, unit, scaled)


def shown_as(unit: str | None) -> tuple[str, float]:
    """Return the unit for display of values in ``unit``, and their factor."""
    return SHOWN_AS.get(unit or "", (unit or "", 1.0))


def _meaning(name: str) -> str:
    gauge = gauges.GAUGES.get(name)
    return gauge.meaning[:1].upper() + gauge.meaning[1:] if gauge is not None else name
