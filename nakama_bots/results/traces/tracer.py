"""Keeps some calls: the slowest and the failed ones of each name, and all of a few players. Pure.

Chosen when a call has ended ("tail sampling"), so that what is kept is what a user will ask about. Memory has
a bound; ids are hashed, payloads and texts of the server are not kept.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import count
from typing import Final, NotRequired, TypedDict, cast

from nakama_bots.errors import Abandoned
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import OTHER, CallKey
from nakama_bots.results.record.request_samples import SampledRequest, sampled

SCHEMA: Final = "nakama-bots/traces/1"
MOST: Final = 50_000
"""Events that a run keeps."""
MOST_NAMES: Final = 100
"""Names of which a process keeps the slowest calls; later ones share a row."""
PLAYERS: Final = 10
"""Players of a process that are kept whole, at most."""
STORY: Final = 2000
"""Events of a player that is kept whole: its first ones."""
LONGEST: Final = 86_400.0
"""Seconds of an event at most. Any finite number is a valid duration, and not every one fits the files."""

_LATEST: Final = 2.0**33

SLOW: Final = "slow"
FAILED: Final = "failed"
PLAYER: Final = "player"


class TraceEvent(SampledRequest):
    """A call, or a push or sample of a player that is kept whole.

    ``player`` names the track; ``uid`` and ``sid`` are hashes (``hashed``) of user and session id,
    "" where they were not known. ``cid`` is "" for what has none. ``why``: ``slow``, ``failed`` or ``player``.
    ``woken_ms``: from the read of a socket's answer until it was handled. ``unread_ms``: how long of the call
    the player left its socket unread on purpose; left out if it did not. ``bounds``: the answer may have
    arrived earlier, so that ``ms`` is at most that, and ``waited_ms`` at least.
    """

    source: NotRequired[str]
    woken_ms: NotRequired[float]
    unread_ms: NotRequired[float]
    bounds: NotRequired[bool]
    error: str
    player: str
    uid: str
    sid: str
    cid: str
    state: str
    why: str


Who = tuple[str, str, str]
"""``player``, ``uid`` and ``sid`` of an event."""
Note = tuple[str, str, float, float, int, str, Who]
"""A push or sample: kind, name, begin (``perf_counter``), seconds, bytes, state, player.

A plain tuple, which becomes an event at the end of the run: a player in a match has a hundred per second.
"""
Story = list["TraceEvent | Note"]
"""The events of a player that is kept whole."""


class TraceHeader(TypedDict):
    """The first line of ``traces.jsonl.gz``; ``started`` in seconds since 1970."""

    schema: str
    started: float


def hashed(text: str) -> str:
    """Return the hash that replaces an id: the same for the same id, in every run; "" for none."""
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest() if text else ""


def total_ms(event: TraceEvent) -> float:
    """From the send to the read."""
    return event["ms"] + (event["waited_ms"] or 0.0)


class Tracer:
    """Keeps the calls of one process: the ``limit`` slowest and the first ``limit`` failed calls of each name.

    ``offset`` converts ``time.perf_counter`` to seconds since 1970.
    """

    def __init__(self, limit: int, offset: float) -> None:
        self.offset = offset
        self._limit = limit
        self._number = count()
        self._slow: dict[CallKey, list[tuple[float, int, TraceEvent]]] = {}
        self._failed: dict[CallKey, list[TraceEvent]] = {}
        self._stories: list[Story] = []

    def story(self) -> Story | None:
        """Return a list for the events of one more player that is kept whole; None if there are enough."""
        if len(self._stories) >= min(PLAYERS, self._limit):
            return None
        self._stories.append([])
        return self._stories[-1]

    def wants(self, call: FinishedCall) -> str:
        """Return why a call is to be kept, or ""."""
        if call.error is not None:
            kept = self._failed.get(_key(self._failed, call.kind, call.name), ())
            return FAILED if type(call.error) is not Abandoned and len(kept) < self._limit else ""
        slowest = self._slow.get(_key(self._slow, call.kind, call.name))
        seconds = call.elapsed + (call.waited or 0.0)
        return SLOW if slowest is None or len(slowest) < self._limit or seconds > slowest[0][0] else ""

    def keep(self, event: TraceEvent) -> None:
        """Keep a call that ``wants`` has chosen."""
        if event["why"] == FAILED:
            self._failed.setdefault(_key(self._failed, event["kind"], event["name"]), []).append(event)
            return
        slowest = self._slow.setdefault(_key(self._slow, event["kind"], event["name"]), [])
        entry = total_ms(event) / 1e3, next(self._number), event
        if len(slowest) < self._limit:
            heapq.heappush(slowest, entry)
        else:
            # It may still be in a story.
            heapq.heappushpop(slowest, entry)[2]["why"] = PLAYER

    def take(self) -> list[TraceEvent]:
        """Return everything and forget it; a call that is kept for two reasons is in it once. Not sorted."""
        found: dict[int, TraceEvent] = {}
        for events in (
            (event for heap in self._slow.values() for _, _, event in heap),
            (event for kept in self._failed.values() for event in kept),
            (self._event(entry) for story in self._stories for entry in story),
        ):
            for event in events:
                found[id(event)] = event  # kept there, so that no other object has its id
        self._slow.clear()
        self._failed.clear()
        for story in self._stories:
            story.clear()
        return list(found.values())

    def _event(self, entry: TraceEvent | Note) -> TraceEvent:
        if not isinstance(entry, tuple):
            return entry
        kind, name, started, elapsed, size, state, who = entry
        event = event_of(FinishedCall(kind, name, started, elapsed, size, None), self.offset)
        event["player"], event["uid"], event["sid"] = who
        event["state"], event["why"] = state, PLAYER
        return event


def _key(rows: Mapping[CallKey, Sized], kind: str, name: str) -> CallKey:
    """Return the row of a call: names beyond ``MOST_NAMES`` share one."""
    key = kind, name
    return key if key in rows or len(rows) < MOST_NAMES else (OTHER, OTHER)


def event_of(call: FinishedCall, offset: float) -> TraceEvent:
    """Return the event of a call, without its player; ``offset`` as for ``Tracer``."""
    event = sampled(call, offset)
    waited, longest_ms = event["waited_ms"], LONGEST * 1e3
    kept = {
        **event,
        "at": _within(event["at"], _LATEST),
        "ms": _within(event["ms"], longest_ms),
        "waited_ms": None if waited is None else _within(waited, longest_ms),
        # The class only: the text of a label may be the server's.
        "error": "" if call.error is None else type(call.error).__name__,
        "player": "",
        "uid": "",
        "sid": "",
        "cid": call.cid,
        "state": "",
        "why": "",
    }
    return cast("TraceEvent", kept)


def _within(value: float, most: float) -> float:
    """Return ``value`` as at least 0, which NaN becomes too, and at most ``most``."""
    return max(0.0, min(value, most))


class TraceLog:
    """The events of all processes, in the order of their start; ``left_out`` counts those beyond ``MOST``."""

    def __init__(self) -> None:
        self._events: list[TraceEvent] = []
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[TraceEvent]:
        return iter(sorted(self._events, key=lambda event: event["at"]))

    def add(self, source: str, events: Iterable[TraceEvent]) -> None:
        """Add the events of a process."""
        for event in events:
            if len(self._events) >= MOST:
                self.left_out += 1
                continue
            self._events.append({**event, "source": source})
