"""Metrics in Prometheus' text format, with the names of a real Nakama.

A real server's counters update once a minute, these at once; its ``.._latency_ms`` are seconds, as are these.
The format is written here because no client library has counters without ``_total`` and summaries with
quantiles, as Nakama has them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.emulator.store.core import Core

_QUANTILES: Final = (0.5, 0.75, 0.95, 0.99, 0.999)
# The window of a quantile.
_KEPT: Final = 2048
_CODES: Final = {
    0: "OK", 2: "Unknown", 3: "InvalidArgument", 5: "NotFound", 6: "AlreadyExists", 7: "PermissionDenied",
    9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal", 14: "Unavailable", 15: "DataLoss",
    16: "Unauthenticated",
}  # fmt: skip

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Summary:
    count: int = 0
    total: float = 0.0
    last: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        self.last.append(seconds)


class Metrics:
    """The counts of a server; events are counted only while metrics are served."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._counters: dict[tuple[str, Labels], int] = {}
        self._summaries: dict[tuple[str, Labels], _Summary] = {}

    def _count(self, name: str, number: int = 1, labels: Labels = ()) -> None:
        key = (name, labels)
        self._counters[key] = self._counters.get(key, 0) + number

    def _time(self, name: str, seconds: float, labels: Labels = ()) -> None:
        self._summaries.setdefault((name, labels), _Summary()).add(seconds)

    def request(self, name: str, code: int, seconds: float, received: int, sent: int, rpc_id: str = "") -> None:
        """Count a REST request. ``name`` "": not an operation; ``code`` 0: success; sizes in bytes."""
        rows = {"count": 1, "recv_bytes": received, "sent_bytes": sent, "errors": int(code != 0)}
        for kind, number in rows.items():
            if kind != "errors" or number:
                self._count(f"overall_{kind}", number)
                self._count(f"overall_request_{kind}", number)
                if name:
                    self._count(f"{name}_{kind}", number, (("rpc_id", rpc_id),) if rpc_id else ())
        self._time("overall_latency_ms", seconds)
        if not name:
            return
        self._time(f"{name}_latency_ms", seconds, (("rpc_id", rpc_id),) if rpc_id else ())
        transport = "http_rpc" if rpc_id else "api"
        labels = (
            ("rpc_code", _CODES.get(code, "Unknown")),
            ("rpc_id", rpc_id or name),
            ("transport", transport),
        )
        self._count("count", 1, labels)
        self._count("recv_bytes", received, labels)
        self._count("sent_bytes", sent, labels)
        self._time("latency", seconds, labels)

    def message(self, received: int) -> None:
        """Count a message of a socket, with its bytes."""
        for name in ("overall_count", "overall_message_count"):
            self._count(name)
        for name in ("overall_recv_bytes", "overall_message_recv_bytes"):
            self._count(name, received)

    def message_error(self) -> None:
        """Count a message that was answered by an error, or that ended its socket."""
        self._count("overall_errors")
        self._count("overall_message_errors")

    def sent(self, number: int) -> None:
        """Count the bytes of a frame to a socket."""
        self._count("overall_sent_bytes", number)
        self._count("overall_message_sent_bytes", number)

    def opened(self) -> None:
        """Count a connected socket."""
        self._count("socket_ws_opened")

    def closed(self) -> None:
        """Count a closed socket."""
        self._count("socket_ws_closed")

    def matchmaker(self, seconds: float) -> None:
        """Count a run of the matchmaker."""
        self._time("matchmaker_process_time", seconds)

    def render(self, core: Core) -> str:
        """Return all metrics as text, including the store's current numbers."""
        lines = [line for name, line in sorted(self._lines(core))]
        return "\n".join(lines) + "\n"

    def _lines(self, core: Core) -> Iterator[tuple[str, str]]:
        for name, gauge in _GAUGES.items():
            yield name, self._family(name, "gauge", [(name, (), gauge(core))])
        counters: dict[str, list[tuple[str, Labels, float]]] = {}
        for (name, labels), number in self._counters.items():
            counters.setdefault(name, []).append((name, labels, number))
        for name, samples in counters.items():
            yield name, self._family(name, "counter", samples)
        summaries: dict[str, list[tuple[str, Labels, float]]] = {}
        for (name, labels), summary in self._summaries.items():
            samples = summaries.setdefault(name, [])
            ordered = sorted(summary.last)
            for quantile in _QUANTILES:
                value = ordered[min(len(ordered) - 1, math.ceil(quantile * len(ordered)) - 1)]
                samples.append((name, (*labels, ("quantile", str(quantile))), value))
            samples.append((f"{name}_sum", labels, summary.total))
            samples.append((f"{name}_count", labels, summary.count))
        for name, samples in summaries.items():
            yield name, self._family(name, "summary", samples)

    def _family(self, name: str, kind: str, samples: list[tuple[str, Labels, float]]) -> str:
        full = f"nakama_{name}"
        lines = [f"# HELP {full} {full} {kind}", f"# TYPE {full} {kind}"]
        for sample, labels, value in samples:
            named = (("node_name", self._node), *labels)
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in named)
            lines.append(f"nakama_{sample}{{{inside}}} {value}")
        return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


_GAUGES: Final[dict[str, Callable[[Core], int]]] = {
    "sessions": lambda core: len(core.sessions),
    "presences": lambda core: core.tracker.total,
    "authoritative_matches": lambda core: len(core.matches),
    "parties": lambda core: len(core.parties),
    "matchmaker_tickets": lambda core: core.matchmaker.tickets,
    "matchmaker_active_tickets": lambda core: core.matchmaker.active,
}
