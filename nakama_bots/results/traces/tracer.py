"""The story of some calls: the slowest and the failed ones of each name, and all of a few players. Pure.

Chosen when a call has ended ("tail sampling"), so that what is kept is what somebody will ask about. Memory has
a bound; ids are hashed, payloads and texts of the server are not kept.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final, NotRequired, TypedDict

from nakama_bots.errors import Abandoned
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import OTHER, CallKey, outcome_of

SCHEMA: Final = "nakama-bots/traces/1"
MOST: Final = 50_000
"""Events that a run keeps."""
MOST_NAMES: Final = 100
"""Names of which a process keeps the slowest calls; later ones share a row."""
PLAYERS: Final = 10
"""Players of a process that are kept whole, at most."""
STORY: Final = 2000
"""Events of a player that is kept whole: its first ones."""

SLOW: Final = "slow"
FAILED: Final = "failed"
PLAYER: Final = "player"


class TraceEvent(TypedDict):
    """A call, or a push or sample of a player that is kept whole.

    ``at`` is its begin in seconds since 1970, ``waited_ms`` how long its answer waited in the generator (null:
    not known). ``player`` names the track; ``uid`` and ``sid`` are hashes (``hashed``) of user and session id,
    "" where they were not known. ``cid`` is "" for what has none. ``why``: ``slow``, ``failed`` or ``player``.
    """

    source: NotRequired[str]
    at: float
    ms: float
    waited_ms: float | None
    kind: str
    name: str
    outcome: str
    error: str
    bytes: int
    player: str
    uid: str
    sid: str
    cid: str
    state: str
    why: str


class TraceHeader(TypedDict):
    """The first line of ``traces.jsonl.gz``; ``started`` in seconds since 1970."""

    schema: str
    started: float


def hashed(text: str) -> str:
    """What stands for an id: the same for the same id, in every run; "" for none."""
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest() if text else ""


def total_ms(event: TraceEvent) -> float:
    """From the send to the read."""
    return event["ms"] + (event["waited_ms"] or 0.0)


class Tracer:
    """One process's choice: of each name the ``limit`` slowest calls that went well and as many failed ones.

    Of the failed ones the first. ``offset`` makes seconds since 1970 of ``time.perf_counter``.
    """

    def __init__(self, limit: int, offset: float) -> None:
        self.offset = offset
        self._limit = limit
        self._number = count()
        self._slow: dict[CallKey, list[tuple[float, int, TraceEvent]]] = {}
        self._failed: dict[CallKey, list[TraceEvent]] = {}
        self._stories: list[list[TraceEvent]] = []

    def story(self) -> list[TraceEvent] | None:
        """Where the events of a further player go that is kept whole; None when there are enough."""
        if len(self._stories) >= min(PLAYERS, self._limit):
            return None
        self._stories.append([])
        return self._stories[-1]

    def wants(self, call: FinishedCall) -> str:
        """Return why a call is to be kept, or ""."""
        key = call.kind, call.name
        if call.error is not None:
            kept = self._failed.get(key, ())
            return FAILED if type(call.error) is not Abandoned and len(kept) < self._limit else ""
        slowest = self._slow.get(key)
        seconds = call.elapsed + (call.waited or 0.0)
        return SLOW if slowest is None or len(slowest) < self._limit or seconds > slowest[0][0] else ""

    def keep(self, event: TraceEvent) -> None:
        """Keep a call that ``wants`` has chosen."""
        key = event["kind"], event["name"]
        rows = self._failed if event["why"] == FAILED else self._slow
        if key not in rows and len(rows) >= MOST_NAMES:
            key = OTHER, OTHER
        if event["why"] == FAILED:
            kept = self._failed.setdefault(key, [])
            if len(kept) < self._limit:
                kept.append(event)
            return
        slowest = self._slow.setdefault(key, [])
        entry = total_ms(event) / 1e3, next(self._number), event
        if len(slowest) < self._limit:
            heapq.heappush(slowest, entry)
        else:
            heapq.heappushpop(slowest, entry)

    def take(self) -> list[TraceEvent]:
        """Everything, once: calls that are kept for two reasons are there once."""
        found: dict[int, TraceEvent] = {}
        for events in (
            (event for heap in self._slow.values() for _, _, event in heap),
            (event for kept in self._failed.values() for event in kept),
            (event for story in self._stories for event in story),
        ):
            for event in events:
                found[id(event)] = event
        self._slow.clear()
        self._failed.clear()
        for story in self._stories:
            story.clear()
        return sorted(found.values(), key=lambda event: event["at"])


def event_of(call: FinishedCall, offset: float) -> TraceEvent:
    """Return the event of a call, without its player; ``offset`` as for ``Tracer``."""
    return {
        "at": call.started + offset,
        "ms": round(call.elapsed * 1e3, 3),
        "waited_ms": None if call.waited is None else round(call.waited * 1e3, 3),
        "kind": call.kind,
        "name": call.name,
        "outcome": "ok" if call.error is None else outcome_of(call.error),
        # The class only: the text of a label may be the server's.
        "error": "" if call.error is None else type(call.error).__name__,
        "bytes": call.size,
        "player": "",
        "uid": "",
        "sid": "",
        "cid": call.cid,
        "state": "",
        "why": "",
    }


class TraceLog:
    """The events of all processes; beyond ``MOST`` nothing more is taken, and ``left_out`` counts it."""

    def __init__(self) -> None:
        self._events: list[TraceEvent] = []
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[TraceEvent]:
        return iter(sorted(self._events, key=lambda event: event["at"]))

    def add(self, source: str, events: Iterable[TraceEvent]) -> None:
        """Keep those of a process."""
        for event in events:
            if len(self._events) >= MOST:
                self.left_out += 1
                continue
            self._events.append({**event, "source": source})
