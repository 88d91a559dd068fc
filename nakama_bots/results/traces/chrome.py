"""Traces as Chrome trace events: one track per player, and the generator's gauges above them. Pure.

The format of ``chrome://tracing`` and ``ui.perfetto.dev``: "Trace Event Format", JSON object form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from nakama_bots.results.record import gauges
from nakama_bots.results.record.timeline import SERVER, Interval
from nakama_bots.results.traces.tracer import TraceEvent

_COUNTERS: Final = {
    "event loop busy": gauges.LOOP_BUSY, "hub lag (s)": gauges.HUB_LAG_MAX,
    "receive wait (s)": gauges.RECEIVE_WAIT_MAX, "users": gauges.USERS,
}  # fmt: skip
_SHOWN: Final = ("outcome", "error", "cid", "bytes", "waited_ms", "state", "why", "sid")


def trace_json(events: Iterable[TraceEvent], rows: Iterable[Interval], started: float) -> Iterator[bytes]:
    """Return the file in parts; ``events`` are in the order of their start, times relative to ``started``."""
    yield b'{"displayTimeUnit":"ms","traceEvents":[\n'
    first = True
    for record in _records(events, rows, started):
        yield (b"" if first else b",\n") + orjson.dumps(record)
        first = False
    yield b"\n]}\n"


def _records(
    events: Iterable[TraceEvent], rows: Iterable[Interval], started: float
) -> Iterator[dict[str, Any]]:
    processes: dict[str, int] = {}
    for row in rows:
        if row["source"] == SERVER:
            continue
        yield from _process(processes, row["source"])
        for name, gauge in _COUNTERS.items():
            if gauge in row["gauges"]:
                at = (row["at"] + row["seconds"] - started) * 1e6
                yield {"ph": "C", "name": name, "pid": processes[row["source"]], "ts": round(at),
                       "args": {name: row["gauges"][gauge]}}  # fmt: skip
    lanes = _Lanes()
    for event in events:
        source = event.get("source", "")
        yield from _process(processes, source)
        pid = processes[source]
        tid, label = lanes.place(pid, event)
        if label:
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": label}}
        yield {
            "ph": "X",
            "name": f"{event['kind']} {event['name']}",
            "cat": event["kind"],
            "pid": pid,
            "tid": tid,
            "ts": round((event["at"] - started) * 1e6),
            "dur": max(1, round(event["ms"] * 1e3)),
            "args": {key: event[key] for key in _SHOWN if event[key] not in ("", None)},
        }


def _process(processes: dict[str, int], source: str) -> Iterator[dict[str, Any]]:
    if source not in processes:
        processes[source] = len(processes) + 1
        yield {"ph": "M", "name": "process_name", "pid": processes[source], "args": {"name": source or "run"}}


class _Lanes:
    """The tracks of each player. Calls that overlap have one each: in the same they would have to be nested."""

    def __init__(self) -> None:
        self._ends: dict[tuple[int, str], list[tuple[int, float]]] = {}
        self._tids = 0

    def place(self, pid: int, event: TraceEvent) -> tuple[int, str]:
        """Return the track of ``event``, and its name if it is a new one."""
        lanes = self._ends.setdefault((pid, event["player"]), [])
        ends = event["at"] + max(event["ms"], 0.001) / 1e3
        for number, (tid, until) in enumerate(lanes):
            if until <= event["at"]:
                lanes[number] = tid, ends
                return tid, ""
        self._tids += 1
        lanes.append((self._tids, ends))
        more = f" ({len(lanes)})" if len(lanes) > 1 else ""
        return self._tids, f"player {event['player'] or '-'}{more}"
