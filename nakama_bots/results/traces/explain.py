"""Explains the slowest calls of a run from its traces, its time line and the server's log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from nakama_bots.errors import safe_text, scrub
from nakama_bots.results.record import gauges
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.recorder import no_pause
from nakama_bots.results.record.timeline import SERVER, Interval, Timeline
from nakama_bots.results.server.log import entry_of
from nakama_bots.results.traces.scrapes import Scrapes
from nakama_bots.results.traces.tracer import SLOW, TraceEvent, hashed, total_ms

SHOWN: Final = 10
LINES: Final = 5
"""Lines of the server's log that are kept and shown under a call: the first ones."""
SKEW: Final = 2.0
"""Seconds by which the server's clock may differ from ours."""

GENERATOR: Final = "generator"
READER: Final = "slow reader"
SERVER_SIDE: Final = "server or network"

_HALF: Final = 0.5
_LONGER: Final = 1.2
_WAITS_FOR_OTHERS: Final = "PUSH"
_HEALTH: Final = (gauges.CPU, gauges.LOOP_BUSY, gauges.HUB_LAG_MAX, gauges.RECEIVE_WAIT_MAX)


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
        for line in lines:
            self.read += 1
            try:
                entry, at = entry_of(line)
            except ValueError:
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
    """The lines about one call. ``add`` expects those of its user and cid."""

    __slots__ = ("_first", "_last", "_sid", "texts")

    def __init__(self, event: TraceEvent) -> None:
        self.texts: list[str] = []
        self._first = event["at"] - SKEW
        self._last = event["at"] + event["ms"] / 1e3 + SKEW
        self._sid = event["sid"]

    def add(self, entry: Mapping[str, Any], at: float) -> None:
        """Keep ``entry`` if its time fits, and its session if that is known."""
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
    traces: Iterable[TraceEvent],
    timeline: Timeline,
    log: ServerLog | None = None,
    number: int = SHOWN,
    *,
    pause: Callable[[], object] = no_pause,
) -> list[str]:
    """Return the lines that explain the slowest calls, slowest first; ``log`` was created with ``traces``.

    ``pause`` is called after each interval, for an event loop that must not be blocked.
    """
    events = list(traces)
    calls = [event for event in events if event["why"] == SLOW and event["kind"] != _WAITS_FOR_OTHERS]
    slowest = sorted(calls, key=lambda event: -total_ms(event))[:number]
    if not slowest:
        return ["no successful call was kept"]
    own, scrapes = _around(slowest, timeline, pause)
    lines = [f"the {len(slowest)} slowest calls of {len(calls):,} that were kept (pushes left out):"]
    for place, (event, rows) in enumerate(zip(slowest, own, strict=True), 1):
        lines += ["", *_explained(place, event, rows, timeline.started)]
        lines += [f"   {line}" for line in scrapes.lines(*_span(event))]
        if log is not None and event["cid"]:
            lines += [f"   server's log: {text}" for text in log.of(event) or ["nothing of this cid"]]
    if log is not None:
        lines += _joined(events, log)
    return lines


def part_of(event: TraceEvent, rows: Iterable[Interval]) -> str:
    """Return the part that took the most: ``GENERATOR``, ``READER``, ``SERVER_SIDE``, or "" if it is not known.

    If it is not known how long the answer waited, the longest stall of the generator in that time decides: one
    that is at least half as long as the call may be its cause. A stall longer than the call was at another
    moment, and hides any at this one.
    """
    half = _HALF * total_ms(event)
    unread = event.get("unread_ms", 0.0) >= half
    if event["waited_ms"] is not None:
        if event["waited_ms"] + event.get("woken_ms", 0.0) >= half:
            return READER if unread else GENERATOR
        if not event.get("bounds"):
            return SERVER_SIDE
    if unread:
        return READER
    stalls = [
        max(row["gauges"].get(name, 0.0) for name in (gauges.HUB_LAG_MAX, gauges.RECEIVE_WAIT_MAX))
        for row in rows
    ]
    if not stalls:
        return ""
    longest = max(stalls) * 1e3
    if longest > _LONGER * total_ms(event):
        return ""
    return GENERATOR if longest >= half else SERVER_SIDE


def _around(
    events: Sequence[TraceEvent], timeline: Timeline, pause: Callable[[], object]
) -> tuple[list[list[Interval]], Scrapes]:
    """Return the intervals of its own process that each event was in, and all scrapes.

    Others are not kept: the time line of a long run may be larger than memory.
    """
    spans = [(event.get("source", ""), *_span(event)) for event in events]
    own: list[list[Interval]] = [[] for _ in events]
    scraped: list[Interval] = []
    for row in timeline.in_order():
        pause()
        if row["source"] == SERVER:
            scraped.append(row)
            continue
        for kept, (source, first, last) in zip(own, spans, strict=True):
            if row["source"] == source and row["at"] <= last and row["at"] + row["seconds"] >= first:
                kept.append(row)
    return own, Scrapes(scraped, timeline.started)


def _span(event: TraceEvent) -> tuple[float, float]:
    """Return the start of a call and the read of its answer, in seconds since 1970."""
    return event["at"], event["at"] + total_ms(event) / 1e3


def _explained(place: int, event: TraceEvent, own: Sequence[Interval], started: float) -> list[str]:
    cid = f", cid {event['cid']}" if event["cid"] else ""
    who = f"player {event['player']}{cid} ({event['state']})"
    when = f"{total_ms(event):,.1f} ms at {event['at'] - started:,.1f} s"
    health = [
        f"{name.replace('_', ' ')} {GAUGES[name].show(max(values))}"
        for name in _HEALTH
        if (values := [row["gauges"][name] for row in own if name in row["gauges"]])
    ]
    return [
        f"{place}. {event['kind']} {event['name']}  {when}, {who}",
        f"   {_time(event)}  -> {part_of(event, own) or 'not known'}",
        f"   generator then: {', '.join(health) or 'not measured'}",
    ]


def _time(event: TraceEvent) -> str:
    if event["waited_ms"] is None:
        parts = [f"on the wire, in the server and waiting to be read {event['ms']:,.1f} ms"]
    else:
        most, least = ("at most ", "at least ") if event.get("bounds") else ("", "")
        parts = [
            f"on the wire and in the server {most}{event['ms']:,.1f} ms",
            f"waited in our process {least}{event['waited_ms']:,.1f} ms",
        ]
    if "woken_ms" in event:
        parts.append(f"woken late {event['woken_ms']:,.1f} ms")
    if event.get("unread_ms"):
        parts.append(f"the player did not read for {event['unread_ms']:,.1f} ms")
    return ", ".join(parts)


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
