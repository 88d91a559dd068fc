"""Parties: leaders, members, join requests, and the list of parties.

Follows ``server/party_handler.go``: members are kept apart from the presences of the party's stream, because a
party with ``max_size`` 0 has a leader and no member. ``handlers/party.py`` sends the events.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import orjson

from nakama_bots.emulator.formats.go_syntax import END, syntax_error
from nakama_bots.emulator.formats.query import document
from nakama_bots.emulator.store.labels import LONGEST, LabelIndex, Labelled
from nakama_bots.emulator.store.limits import UNBOUNDED, Full
from nakama_bots.emulator.store.tracker import Mode, OnlineSession, PresenceStream

LARGEST: Final = 256


class PartyError(Exception):
    """A refusal of a party; the text is the server's."""


def party_id(stream: PresenceStream) -> str:
    """``<uuid>.<node>``."""
    return f"{stream.subject}.{stream.label}"


@dataclass(slots=True, eq=False)
class OpenParty:
    """One party. ``create_time`` in Unix nanoseconds; members and requests by session id, oldest first."""

    stream: PresenceStream
    open: bool
    max_size: int
    create_time: int
    leader: OnlineSession | None
    members: dict[str, OnlineSession] = field(default_factory=dict)
    requests: dict[str, OnlineSession] = field(default_factory=dict)
    # Whether the party was empty at the last check.
    idle: bool = False

    @property
    def id(self) -> str:
        """The party's id."""
        return party_id(self.stream)

    def check_leader(self, session: OnlineSession) -> None:
        """Raise ``PartyError`` for any session but the leader's."""
        if self.leader is None or self.leader.id != session.id:
            msg = "party leader only"
            raise PartyError(msg)

    def add(self, session: OnlineSession) -> bool:
        """Add a session as a member; False if there is no room."""
        if session.id not in self.members and len(self.members) >= self.max_size:
            return False
        self.members[session.id] = session
        return True

    def ask(self, session: OnlineSession) -> bool:
        """Handle a join request: True if the session joins at once, False if the leader has to decide."""
        if len(self.members) >= self.max_size:
            msg = "party full"
            raise PartyError(msg)
        if self.open:
            return self.add(session)
        if len(self.requests) >= self.max_size:
            msg = "party join requests full"
            raise PartyError(msg)
        # Recorded: a member may request again; the server looks up its user among sessions.
        if any(other.user_id == session.user_id for other in self.requests.values()):
            msg = "party join request duplicate"
            raise PartyError(msg)
        self.requests[session.id] = session
        return False

    @staticmethod
    def find(sessions: dict[str, OnlineSession], presence: tuple[str, str, str]) -> OnlineSession | None:
        """Return the session with exactly that user id, session id and username."""
        user_id, session_id, username = presence
        session = sessions.get(session_id)
        fits = session is not None and (session.user_id, session.username) == (user_id, username)
        return session if fits else None


@dataclass(frozen=True, slots=True)
class ListedParty(Labelled):
    """A party in the list."""

    open: bool
    max_size: int


class PartyRegistry:
    """All parties, and the list of them."""

    def __init__(
        self, now: Callable[[], int], interval: float, node: str, most: int = UNBOUNDED.parties
    ) -> None:
        self._most = most
        self._now = now
        self._node = node
        self._parties: dict[PresenceStream, OpenParty] = {}
        self.index: LabelIndex[ListedParty] = LabelIndex(now, interval)

    def __len__(self) -> int:
        return len(self._parties)

    def create(
        self, identifier: str, leader: OnlineSession, *, open_: bool, hidden: bool, max_size: int, label: str
    ) -> OpenParty:
        """Create a party with its leader as its first member, if it has room for one. ``Full``."""
        if len(self._parties) >= self._most:
            raise Full("parties", self._most)
        stream = PresenceStream(Mode.PARTY, identifier, label=self._node)
        party = OpenParty(stream, open_, max_size, self._now(), leader)
        self.list(party, open_=open_, hidden=hidden, label=label)
        party.add(leader)
        self._parties[stream] = party
        return party

    def get(self, stream: PresenceStream) -> OpenParty | None:
        """Return the party of a stream."""
        return self._parties.get(stream)

    def all(self) -> list[OpenParty]:
        """The parties, oldest first."""
        return list(self._parties.values())

    def remove(self, party: OpenParty) -> None:
        """Remove a party."""
        self._parties.pop(party.stream, None)
        self.index.put(party.id, None)

    def list(self, party: OpenParty, *, open_: bool, hidden: bool, label: str) -> None:
        """Set a party's entry in the list; ``PartyError`` for an invalid label."""
        label = label or "{}"
        if len(label.encode()) > LONGEST:
            msg = "party label too long"
            raise PartyError(msg)
        fields = _label(label)
        shown = document(
            {"node": self._node, "open": open_, "hidden": hidden, "max_size": party.max_size, "label": fields}
        )
        self.index.put(party.id, ListedParty(label, party.create_time, shown, open_, party.max_size))


_GO_KINDS: Final = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}


class _Huge(str):
    """A number beyond a double."""

    __slots__ = ()


def _number(text: str) -> object:
    return _Huge(text) if math.isinf(float(text)) else float(text)


def _no_constant(text: str) -> object:
    raise json.JSONDecodeError(text, text, 0)


def _huge(value: object, path: str = "") -> str | None:
    """Return the first number beyond a double and where it is, in the words of Go; None: there is none."""
    if isinstance(value, _Huge):
        return f"number {value} into {path}"
    named = isinstance(value, dict)
    pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, part in pairs:
        inner = f"{path.removeprefix('Go struct field ')}.{key}"
        found = _huge(part, f"Go struct field {inner}" if named else inner)
        if found is not None:
            return found
    return None


def _read(label: str) -> object:
    """Parse what orjson refuses: Go accepts half a surrogate pair, and has other words for huge numbers."""
    try:
        fields = json.loads(label, parse_float=_number, parse_int=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        msg = f"failed to unmarshal party label: {syntax_error(label.encode()) or END}"
        raise PartyError(msg) from None
    huge = _huge(fields) if isinstance(fields, dict) else None
    if huge is not None:
        msg = f"failed to unmarshal party label: json: cannot unmarshal {huge} of type float64"
        raise PartyError(msg)
    return 0 if isinstance(fields, _Huge) else fields


def _label(label: str) -> dict[str, object]:
    try:
        fields = orjson.loads(label)
    except orjson.JSONDecodeError:
        fields = _read(label)
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        kind = _GO_KINDS[type(fields)]
        msg = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        raise PartyError(f"failed to unmarshal party label: {msg}")
    return fields
