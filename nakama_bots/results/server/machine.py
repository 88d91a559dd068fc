"""The machine that a server runs on, and its database: what their answers become. Pure.

Figures are by the names that they have in the time line, without the prefix of the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from nakama_bots.results.server.page import ServerReading, samples

NODE_METRICS: Final = "no metrics of a node exporter"
_NODE_TOTALS: Final = {
    "node_network_receive_bytes_total": "host_received_bytes",
    "node_network_transmit_bytes_total": "host_sent_bytes",
}
_CPU: Final = "node_cpu_seconds_total"
_IDLE: Final = ("idle", "iowait")
_FREE, _ALL = "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"


class NodePages:
    """Reads the pages of a Prometheus node exporter, one after the other; CPU is the share between two."""

    def __init__(self) -> None:
        self._cpu = (0.0, 0.0)

    def read(self, text: str) -> ServerReading:
        """Return the figures of a page. ``ValueError`` if it is none of a node exporter."""
        found = ServerReading()
        busy = whole = 0.0
        memory: dict[str, float] = {}
        for _, name, labels, value in samples(text):
            if name == _CPU:
                whole += value
                busy += 0.0 if labels.get("mode") in _IDLE else value
            elif name in (_FREE, _ALL):
                memory[name] = value
            elif name in _NODE_TOTALS and labels.get("device") != "lo":
                total = _NODE_TOTALS[name]
                found.totals[total] = found.totals.get(total, 0.0) + value
        if not whole:
            raise ValueError(NODE_METRICS)
        (busy_before, whole_before), self._cpu = self._cpu, (busy, whole)
        if whole_before and whole > whole_before:
            found.levels["host_cpu"] = (busy - busy_before) / (whole - whole_before)
        if memory.get(_ALL):
            found.levels["host_memory"] = 1 - memory.get(_FREE, 0.0) / memory[_ALL]
        return found


ACTIVITY: Final = """
select count(*), count(*) filter (where state = 'active'),
  count(*) filter (where state like 'idle in transaction%'),
  count(*) filter (where wait_event_type = 'Lock'), count(*) filter (where wait_event_type = 'IO'),
  current_setting('max_connections')::int
from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"""
"""https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW"""
DATABASE: Final = """
select xact_commit, xact_rollback, deadlocks, blks_read, blks_hit, temp_bytes
from pg_stat_database where datname = current_database()"""
"""https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-DATABASE-VIEW"""
_ACTIVITY: Final = (
    "postgres_connections", "postgres_active", "postgres_idle_in_transaction", "postgres_waiting_for_locks",
    "postgres_waiting_for_disk", "postgres_connections_max",
)  # fmt: skip
_DATABASE: Final = (
    "postgres_commits", "postgres_rollbacks", "postgres_deadlocks", "postgres_blocks_read",
    "postgres_blocks_hit", "postgres_temporary_bytes",
)  # fmt: skip


def read_database(activity: Iterable[Sequence[object]], database: Iterable[Sequence[object]]) -> ServerReading:
    """Return the figures of the rows that the two queries returned."""
    return ServerReading(_row(_ACTIVITY, activity), _row(_DATABASE, database))


def _row(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, float]:
    values = next(iter(rows), ())
    return {
        name: float(value) for name, value in zip(names, values, strict=False) if isinstance(value, int | float)
    }
