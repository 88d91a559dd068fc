"""Values that are read from a process once per interval, and how those of several processes are combined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

USERS: Final = "users"
SOCKETS: Final = "sockets"
PENDING: Final = "pending"
CPU: Final = "cpu"
CPU_OWN: Final = "cpu_own"
CPU_LOCUST: Final = "cpu_locust"
CPU_SCENARIO: Final = "cpu_scenario"
MEMORY: Final = "memory"
LOOP_BUSY: Final = "loop_busy"
HUB_LAG: Final = "hub_lag"
HUB_LAG_MAX: Final = "hub_lag_max"
RECEIVE_WAIT: Final = "receive_wait"
RECEIVE_WAIT_MAX: Final = "receive_wait_max"
RECEIVE_BACKLOG: Final = "receive_backlog"
TICK_LATENESS: Final = "tick_lateness"
TCP_RTT: Final = "tcp_rtt"
TCP_RETRANSMITS: Final = "tcp_retransmits"


@dataclass(frozen=True, slots=True)
class Gauge:
    """``unit`` is "" for a plain number, ``s``, ``bytes`` or ``cores`` (a share of one core, 1 for all of it).

    ``fold`` combines the values of several processes.
    """

    name: str
    unit: str
    fold: Callable[[Iterable[float]], float]
    meaning: str

    def show(self, value: float) -> str:
        """Format ``value`` for display: milliseconds, percent, MB."""
        return _SHOWN[self.unit](value)


_SHOWN: Final[dict[str, Callable[[float], str]]] = {
    "": lambda value: f"{value:,.0f}",
    "s": lambda value: f"{value * 1e3:,.1f} ms",
    "cores": lambda value: f"{value * 100:.0f} %",
    "bytes": lambda value: f"{value:,.0f} B" if value < 1e5 else f"{value / 1e6:,.1f} MB",
}


GAUGES: Final[dict[str, Gauge]] = {
    gauge.name: gauge
    for gauge in (
        Gauge(USERS, "", sum, "running users"),
        Gauge(SOCKETS, "", sum, "connected sockets"),
        Gauge(PENDING, "", sum, "cids that wait for an answer"),
        # The slowest process decides whether the figures can be trusted.
        Gauge(CPU, "cores", max, "CPU of the busiest process"),
        Gauge(CPU_OWN, "cores", max, "CPU spent in nakama_bots"),
        Gauge(CPU_LOCUST, "cores", max, "CPU spent in Locust"),
        Gauge(CPU_SCENARIO, "cores", max, "CPU spent in the scenario"),
        Gauge(MEMORY, "bytes", sum, "resident memory"),
        Gauge(LOOP_BUSY, "cores", max, "share of the time in which the event loop did not wait"),
        Gauge(HUB_LAG, "s", max, "lateness of a timer, mean"),
        Gauge(HUB_LAG_MAX, "s", max, "lateness of a timer, longest"),
        Gauge(RECEIVE_WAIT, "s", max, "how long a message waited in the kernel to be read, mean"),
        Gauge(RECEIVE_WAIT_MAX, "s", max, "how long a message waited in the kernel to be read, longest"),
        Gauge(RECEIVE_BACKLOG, "bytes", sum, "received bytes that the client has not read yet"),
        Gauge(TICK_LATENESS, "s", max, "lateness of match ticks, 95th percentile of the interval"),
        Gauge(TCP_RTT, "s", max, "TCP's smoothed round trip to the server, mean of some sockets"),
        Gauge(TCP_RETRANSMITS, "", sum, "segments that TCP has sent again, of some sockets"),
    )
}


def unit_of(pattern: str) -> str | None:
    """Return the unit of the gauges that match ``pattern``: "" if none of ours does, None for several units."""
    units = {gauge.unit for gauge in GAUGES.values() if fnmatchcase(gauge.name, pattern)} or {""}
    return units.pop() if len(units) == 1 else None


def fold(name: str, values: Iterable[float]) -> float:
    """Combine the values of gauge ``name`` over processes; other names (server metrics) are summed."""
    gauge = GAUGES.get(name)
    return gauge.fold(values) if gauge is not None else sum(values)
