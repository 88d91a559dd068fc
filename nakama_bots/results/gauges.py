"""What is read from a process once an interval, and how the values of several processes become one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

USERS: Final = "users"
SOCKETS: Final = "sockets"


@dataclass(frozen=True, slots=True)
class Gauge:
    """``unit`` is "" for a plain number. ``fold`` makes one value of those that several processes had."""

    name: str
    unit: str
    fold: Callable[[Iterable[float]], float]
    meaning: str


GAUGES: Final[dict[str, Gauge]] = {
    gauge.name: gauge
    for gauge in (
        Gauge(USERS, "", sum, "users that run"),
        Gauge(SOCKETS, "", sum, "sockets that are connected"),
    )
}


def fold(name: str, values: Iterable[float]) -> float:
    """The value of gauge ``name`` over processes; of a name that is not ours, such as a server's, the sum."""
    gauge = GAUGES.get(name)
    return gauge.fold(values) if gauge is not None else sum(values)
