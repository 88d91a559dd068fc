"""Why the slowest calls of a run were slow, as far as traces, time line and the server's log say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
"""Lines of the server's log that are shown under a call."""
SKEW: Final = 2.0
"""Seconds that the server's clock may be off."""

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


@dataclass(slots=True)
class ServerLog:
    """The lines of a Nakama log that have a cid, by the hash of the user id and the cid; ``read`` of all."""

    read: int = 0
    bad: int = 0
    by_cid: dict[tuple[str, str], list[tuple[float, str, str]]] = field(default_factory=dict)

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in JSON lines; others are counted in ``bad``."""
        for line in lines:
            self.read += 1
            try:
                entry = orjson.loads(line)
                at = datetime.fromisoformat(entry["ts"]).timestamp()
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                self.bad += 1
                continue
            cid, uid = entry.get("cid"), entry.get("uid")
            if isinstance(cid, str) and cid and isinstance(uid, str):
                key = hashed(uid), cid
                self.by_cid.setdefault(key, []).append((at, hashed(str(entry.get("sid", ""))), _shown(entry)))

    def of(self, event: TraceEvent) -> list[str]:
        """The server's lines about a call: at its time, of its session, or of its user if that is not known."""
        found = self.by_cid.get((event["uid"], event["cid"]), [])
        first, last = event["at"] - SKEW, event["at"] + event["ms"] / 1e3 + SKEW
        return [
            text for at, sid, text in found if first <= at <= last and (not event["sid"] or sid == event["sid"])
        ]


def _shown(entry: Mapping[str, Any]) -> str:
    more = {key: value for key, value in entry.items() if key in ("error", "code", "path")}
    shown = " ".join(f"{key}={value}" for key, value in more.items())
    at = str(entry["ts"]).partition("T")[2]
    return scrub(safe_text(f"{at} {entry.get('level', '')} {entry.get('msg', '')} {shown}".rstrip(), 300))


def explain(
    traces: Sequence[TraceEvent], timeline: Timeline, log: ServerLog | None = None, number: int = SHOWN
) -> list[str]:
    """The slowest calls, slowest first, each with a line of time and what else happened then."""
    calls = [event for event in traces if event["why"] == SLOW and event["kind"] != _WAITS_FOR_OTHERS]
    slowest = sorted(calls, key=lambda event: -total_ms(event))[:number]
    if not slowest:
        return ["no call that went well was kept"]
    rows = list(timeline.in_order())
    lines = [f"the {len(slowest)} slowest calls of {len(calls):,} that were kept (pushes left out):"]
    for place, event in enumerate(slowest, 1):
        lines += _explained(place, event, rows, timeline.started, log)
    if log is not None:
        lines += _joined(traces, log)
    return lines


def part_of(event: TraceEvent, rows: Iterable[Interval]) -> str:
    """The part that took the most: ``generator`` or ``server or network``; "" where it cannot be told.

    Where it is not known how long the answer waited, the longest stall of the generator then decides: one that
    is half as long as the call may be its cause. A longer one than the call was at another moment, and hides
    what there was at this one.
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
    """The intervals of ``source`` in which the call went on."""
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
        said = log.of(event)
        lines += [f"   server's log: {text}" for text in said[:LINES] or ["nothing of this cid"]]
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
    lines = ["", f"server's log: {joined:,} of {len(with_cid):,} kept cids have lines of their own ({share})"]
    if log.bad:
        lines.append(f"server's log: {log.bad:,} of {log.read:,} lines are no JSON with a time")
    if with_cid and not joined:
        lines.append("server's log: of another server, of another time, or not at level debug")
    return lines
