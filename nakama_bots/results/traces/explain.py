"""Explains the slowest calls of a run from its traces, its time line and the server's log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from nakama_bots.errors import safe_text, scrub
from nakama_bots.results.record import gauges
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.timeline import SERVER, SERVER_PREFIX, Interval, Timeline
from nakama_bots.results.traces.tracer import SLOW, TraceEvent, hashed, total_ms

SHOWN: Final = 10
LINES: Final = 5
"""Lines of the server's log that are kept and shown under a call: the first ones."""
SKEW: Final = 2.0
"""Seconds by which the server's clock may differ from ours."""

_HALF: Final = 0.5
_LONGER: Final = 1.2
_WAITS_FOR_OTHERS: Final = "PUSH"
_HEALTH: Final = (gauges.CPU, gauges.LOOP_BUSY, gauges.HUB_LAG_MAX, gauges.RECEIVE_WAIT_MAX)
_SERVER_SHOWN: Final = {
    "cpu": GAUGES[gauges.CPU], "latency_p99": GAUGES[gauges.HUB_LAG],
    "matchmaker_process_p99": GAUGES[gauges.HUB_LAG], "presence_event_p99": GAUGES[gauges.HUB_LAG],
    "db_connections": GAUGES[gauges.USERS], "goroutines": GAUGES[gauges.USERS], "matches": GAUGES[gauges.USERS],
}  # fmt: skip
_SERVER_WORDS: Final = {"cpu": "CPU", "db_connections": "database connections"}


class ServerLog:
    """The lines of a Nakama log that are about ``traces``: at the time of a call, of its user, session and cid.

    ``read`` counts all lines, ``bad`` those that are not JSON with a timestamp. No others are kept: the log
    of a server at level debug may be larger than memory.
    """

    def __init__(self, traces: Iterable[TraceEvent]) -> None:
        self.read = 0
        self.bad = 0
        self._calls: dict[str, dict[str, list[_Lines]]] = {}
        self._lines: dict[int, _Lines] = {}
        for event in traces:
            if event["cid"]:
                kept = self._lines[id(event)] = _Lines(event)
                self._calls.setdefault(event["cid"], {}).setdefault(event["uid"], []).append(kept)

    def add(self, lines: Iterable[bytes]) -> None:
        """Read JSON lines."""
        for line in lines:
            self.read += 1
            try:
                entry = orjson.loads(line)
                at = datetime.fromisoformat(entry["ts"]).timestamp()
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                self.bad += 1
                continue
            cid, uid = entry.get("cid"), entry.get("uid")
            if isinstance(cid, str) and isinstance(uid, str) and cid in self._calls:
                for kept in self._calls[cid].get(hashed(uid), ()):
                    kept.add(entry, at)

    def of(self, event: TraceEvent) -> list[str]:
        """Return the first ``LINES`` lines about one of ``traces``."""
        kept = self._lines.get(id(event))
        return kept.texts if kept is not None else []


class _Lines:
    """The lines about one call of which user and cid fit."""

    __slots__ = ("_first", "_last", "_sid", "texts")

    def __init__(self, event: TraceEvent) -> None:
        self.texts: list[str] = []
        self._first = event["at"] - SKEW
        self._last = event["at"] + event["ms"] / 1e3 + SKEW
        self._sid = event["sid"]

    def add(self, entry: Mapping[str, Any], at: float) -> None:
        """Keep ``entry`` if its time fits, and its session where that is known."""
        if len(self.texts) >= LINES or not self._first <= at <= self._last:
            return
        if not self._sid or hashed(str(entry.get("sid", ""))) == self._sid:
            self.texts.append(_shown(entry))


def _shown(entry: Mapping[str, Any]) -> str:
    more = {key: value for key, value in entry.items() if key in ("error", "code", "path")}
    shown = " ".join(f"{key}={value}" for key, value in more.items())
    at = str(entry["ts"]).partition("T")[2]
    return scrub(safe_text(f"{at} {entry.get('level', '')} {entry.get('msg', '')} {shown}".rstrip(), 300))


def explain(
    traces: Sequence[TraceEvent], timeline: Timeline, log: ServerLog | None = None, number: int = SHOWN
) -> list[str]:
    """Return the lines that explain the slowest calls, slowest first; ``log`` was created with ``traces``."""
    calls = [event for event in traces if event["why"] == SLOW and event["kind"] != _WAITS_FOR_OTHERS]
    slowest = sorted(calls, key=lambda event: -total_ms(event))[:number]
    if not slowest:
        return ["no successful call was kept"]
    rows = list(timeline.in_order())
    lines = [f"the {len(slowest)} slowest calls of {len(calls):,} that were kept (pushes left out):"]
    for place, event in enumerate(slowest, 1):
        lines += _explained(place, event, rows, timeline.started, log)
    if log is not None:
        lines += _joined(traces, log)
    return lines


def part_of(event: TraceEvent, rows: Iterable[Interval]) -> str:
    """Return the part that took the most: ``generator`` or ``server or network``, "" if it is not known.

    If it is not known how long the answer waited, the longest stall of the generator in that time decides: one
    that is at least half as long as the call may be its cause. A stall longer than the call was at another
    moment, and hides any at this one.
    """
    whole = total_ms(event)
    if event["waited_ms"] is not None:
        return "generator" if event["waited_ms"] >= _HALF * whole else "server or network"
    stalls = [
        max(row["gauges"].get(name, 0.0) for name in (gauges.HUB_LAG_MAX, gauges.RECEIVE_WAIT_MAX))
        for row in rows
    ]
    if not stalls:
        return ""
    longest = max(stalls) * 1e3
    if longest > _LONGER * whole:
        return ""
    return "generator" if longest >= _HALF * whole else "server or network"


def rows_of(event: TraceEvent, rows: Iterable[Interval], source: str) -> list[Interval]:
    """Return the intervals of ``source`` that the call was in."""
    first, last = event["at"], event["at"] + total_ms(event) / 1e3
    return [
        row
        for row in rows
        if row["source"] == source and row["at"] <= last and row["at"] + row["seconds"] >= first
    ]


def _explained(
    place: int, event: TraceEvent, rows: Sequence[Interval], started: float, log: ServerLog | None
) -> list[str]:
    own = rows_of(event, rows, event.get("source", ""))
    cid = f", cid {event['cid']}" if event["cid"] else ""
    who = f"player {event['player']}{cid} ({event['state']})"
    when = f"{total_ms(event):,.1f} ms at {event['at'] - started:,.1f} s"
    lines = [
        "",
        f"{place}. {event['kind']} {event['name']}  {when}, {who}",
        f"   {_time(event)}  -> {part_of(event, own) or 'not known'}",
    ]
    health = [
        f"{name.replace('_', ' ')} {GAUGES[name].show(max(values))}"
        for name in _HEALTH
        if (values := _values(own, name))
    ]
    lines.append(f"   generator then: {', '.join(health) or 'not measured'}")
    server = rows_of(event, rows, SERVER)
    shown = [
        f"{_SERVER_WORDS.get(name, name.replace('_', ' '))} {gauge.show(max(values))}"
        for name, gauge in _SERVER_SHOWN.items()
        if (values := _values(server, SERVER_PREFIX + name))
    ]
    lines.append(f"   server then: {', '.join(shown) or 'not measured'}")
    if log is not None and event["cid"]:
        lines += [f"   server's log: {text}" for text in log.of(event) or ["nothing of this cid"]]
    return lines


def _values(rows: Iterable[Interval], gauge: str) -> list[float]:
    return [row["gauges"][gauge] for row in rows if gauge in row["gauges"]]


def _time(event: TraceEvent) -> str:
    if event["waited_ms"] is None:
        return f"on the wire, in the server and waiting to be read {event['ms']:,.1f} ms"
    waited = f"waited in our process {event['waited_ms']:,.1f} ms"
    return f"on the wire and in the server {event['ms']:,.1f} ms, {waited}"


def _joined(traces: Sequence[TraceEvent], log: ServerLog) -> list[str]:
    with_cid = [event for event in traces if event["cid"]]
    joined = sum(bool(log.of(event)) for event in with_cid)
    share = f"{joined / len(with_cid):.1%}" if with_cid else "none"
    lines = ["", f"server's log: {joined:,} of {len(with_cid):,} kept calls with a cid have lines ({share})"]
    if log.bad:
        lines.append(f"server's log: {log.bad:,} of {log.read:,} lines are not JSON with a timestamp")
    if with_cid and not joined:
        lines.append("server's log: from another server or another time, or not at level debug")
    return lines
