"""Presences in Nakama's streams, and the events of their joins and leaves."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import orjson

from nakama_bots.emulator.formats.protojson import JsonObject

_LOG = logging.getLogger(__name__)


class Mode(enum.IntEnum):
    """Stream modes, with the server's numbers (``server/tracker.go``)."""

    NOTIFICATIONS = 0
    STATUS = 1
    CHANNEL = 2
    GROUP = 3
    DM = 4
    MATCH_AUTHORITATIVE = 5
    MATCH_RELAYED = 6
    PARTY = 7


@dataclass(frozen=True, slots=True)
class PresenceStream:
    """The name of one stream; ``subject`` and ``subcontext`` are ids, "" without one."""

    mode: int
    subject: str = ""
    subcontext: str = ""
    label: str = ""


class OnlineSession(Protocol):
    """A realtime session as handlers see it. None of its methods waits."""

    id: str
    user_id: str
    username: str
    vars: dict[str, str]
    lang: str

    @property
    def ended(self) -> bool:
        """True once the session is being closed."""

    def reply(self, envelope: JsonObject) -> None:
        """Queue an answer to a message of this session."""

    def push(self, frame: bytes) -> None:
        """Queue an encoded envelope that is not an answer."""

    def disconnect(self, code: int, reason: str) -> None:
        """Close the session from the server's side."""


@dataclass(frozen=True, slots=True)
class Presence:
    """One session in one stream. ``status`` None: streams without a status."""

    session: OnlineSession
    hidden: bool = False
    persistence: bool = False
    status: str | None = None

    def wire(self) -> JsonObject:
        """Return Nakama's ``UserPresence`` without unset fields."""
        shape: JsonObject = {
            "user_id": self.session.user_id,
            "session_id": self.session.id,
            "username": self.session.username,
        }
        if self.persistence:
            shape["persistence"] = True
        if self.status is not None:
            shape["status"] = self.status
        return shape


def user_presence(session: OnlineSession) -> JsonObject:
    """Return Nakama's ``UserPresence`` of a session, in any stream."""
    return {"user_id": session.user_id, "session_id": session.id, "username": session.username}


# Builds the envelope of an event in a stream: (stream, joins and leaves in wire form).
PresenceEvent = Callable[[PresenceStream, JsonObject], JsonObject]
# Returns the receivers of a change besides the presences of the stream.
Audience = Callable[[PresenceStream], Iterable[OnlineSession]]
# Called on a change: (stream, joined, left).
Listener = Callable[[PresenceStream, "Presence | None", "Presence | None"], None]


@dataclass(frozen=True, slots=True)
class EventRule:
    """How joins and leaves of one mode are announced. ``audience`` None: to the presences of the stream.

    ``before`` and ``after`` are called before and after the others receive a change.
    """

    event: PresenceEvent
    audience: Audience | None = None
    before: Listener | None = None
    after: Listener | None = None


class Tracker:
    """All presences, by stream and by session. ``rules``: one row per mode whose changes cause events.

    ``other``: the rule of all modes that Nakama does not define.
    """

    def __init__(self, queue_size: int = 1024) -> None:
        self.rules: dict[int, EventRule] = {}
        self.other: EventRule | None = None
        self.total = 0
        """The number of presences."""
        self._queue_size = queue_size
        # Events since the last ``begin``.
        self._events = 0
        self._streams: dict[PresenceStream, dict[str, Presence]] = {}
        self._sessions: dict[str, set[PresenceStream]] = {}

    def begin(self) -> None:
        """Called before each message, request, tick and end of a session: the queue of events is empty."""
        self._events = 0

    def _queued(self) -> bool:
        """Count an event; False if it is lost, because the queue is full."""
        self._events += 1
        if self._events == self._queue_size + 1:
            _LOG.warning("presence event queue is full (%d), events are lost", self._queue_size)
        return self._events <= self._queue_size

    def get(self, stream: PresenceStream, session: OnlineSession) -> Presence | None:
        """Return the presence of a session in a stream."""
        return self._streams.get(stream, {}).get(session.id)

    def presences(self, stream: PresenceStream, *, hidden: bool = False) -> list[Presence]:
        """Return the presences of a stream, oldest first; hidden ones only on request."""
        return [p for p in self._streams.get(stream, {}).values() if hidden or not p.hidden]

    def count(self, stream: PresenceStream) -> int:
        """Return the number of presences of a stream, including hidden ones."""
        return len(self._streams.get(stream, ()))

    def streams(self, mode: int) -> list[PresenceStream]:
        """The streams of a mode that have presences, oldest first."""
        return [stream for stream in self._streams if stream.mode == mode]

    def track(self, stream: PresenceStream, presence: Presence) -> bool:
        """Add a presence and announce it; False, without a change, if the session was already present."""
        members = self._streams.setdefault(stream, {})
        if presence.session.id in members:
            return False
        members[presence.session.id] = presence
        self.total += 1
        self._sessions.setdefault(presence.session.id, set()).add(stream)
        if presence.hidden or self._queued():
            self._tell(stream, joins=presence)
        return True

    def update(self, stream: PresenceStream, presence: Presence) -> None:
        """Add or replace a presence; the same event announces a replaced one as having left."""
        members = self._streams.setdefault(stream, {})
        before = members.get(presence.session.id)
        self.total += before is None
        members[presence.session.id] = presence
        self._sessions.setdefault(presence.session.id, set()).add(stream)
        if self._queued():
            self._tell(stream, joins=presence, leaves=before)

    def untrack(self, stream: PresenceStream, session: OnlineSession) -> bool:
        """Remove a presence and announce it; False if there was none."""
        presence = self._remove(stream, session)
        if presence is not None and (presence.hidden or self._queued()):
            self._tell(stream, leaves=presence)
        return presence is not None

    def _remove(self, stream: PresenceStream, session: OnlineSession) -> Presence | None:
        members = self._streams.get(stream, {})
        presence = members.pop(session.id, None)
        if presence is not None:
            self.total -= 1
            self._sessions[session.id].discard(stream)
            if not members:
                del self._streams[stream]
        return presence

    def untrack_all(self, session: OnlineSession) -> None:
        """Remove every presence of a session that ended, in one event."""
        announced = self._queued()
        for stream in sorted(self._sessions.get(session.id, ()), key=lambda s: (s.mode, s.subject, s.label)):
            presence = self._remove(stream, session)
            if presence is not None and announced:
                self._tell(stream, leaves=presence)
        self._sessions.pop(session.id, None)

    def drop(self, stream: PresenceStream) -> None:
        """Empty a stream without events."""
        members = self._streams.pop(stream, {})
        self.total -= len(members)
        for session_id in members:
            self._sessions[session_id].discard(stream)

    def leave_others(self, session: OnlineSession, modes: Iterable[int], kept: PresenceStream) -> None:
        """Untrack a session from all streams of these modes but one (``session.single_match`` and the like)."""
        wanted = frozenset(modes)
        for stream in [s for s in self._sessions.get(session.id, ()) if s.mode in wanted and s != kept]:
            self.untrack(stream, session)

    def send(
        self, stream: PresenceStream, envelope: JsonObject, *, without: OnlineSession | None = None
    ) -> None:
        """Send an envelope to all presences of a stream, including hidden ones; encoded once."""
        members = self._streams.get(stream, {})
        self.send_to([p.session for p in members.values() if p.session is not without], envelope)

    @staticmethod
    def send_to(sessions: Iterable[OnlineSession], envelope: JsonObject) -> None:
        """Send an envelope to these sessions; encoded once. A push may end a session, so pass a copy."""
        frame = orjson.dumps(envelope)
        for session in sessions:
            session.push(frame)

    def _tell(
        self, stream: PresenceStream, *, joins: Presence | None = None, leaves: Presence | None = None
    ) -> None:
        rule = self.rules.get(stream.mode) or (self.other if stream.mode > Mode.PARTY else None)
        if rule is None:
            return
        if rule.before is not None:
            rule.before(stream, joins, leaves)
        self._send_event(rule, stream, joins, leaves)
        if rule.after is not None:
            rule.after(stream, joins, leaves)

    def _send_event(
        self, rule: EventRule, stream: PresenceStream, joins: Presence | None, leaves: Presence | None
    ) -> None:
        changes: JsonObject = {}
        if joins and not joins.hidden:
            changes["joins"] = [joins.wire()]
        if leaves and not leaves.hidden:
            changes["leaves"] = [leaves.wire()]
        if not changes:
            return
        envelope = rule.event(stream, changes)
        if rule.audience is None:
            self.send(stream, envelope)
            return
        self.send_to(list(rule.audience(stream)), envelope)
