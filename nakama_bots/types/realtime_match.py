"""Realtime matches and the matchmaker: messages, replies and pushes.

``op_code`` is an int64 and so a string, left out when 0; ``data`` is base64, left out when empty.
"""

from __future__ import annotations

from typing import Required, TypedDict

from nakama_bots.types.realtime_common import UserPresence


class MatchCreate(TypedDict, total=False):
    """Create a relayed match; one of that ``name`` that exists already is joined."""

    name: str


class MatchJoin(TypedDict, total=False):
    """Join a match by its id or by a token of ``matchmaker_matched``; a match handler sees ``metadata``."""

    match_id: str
    token: str
    metadata: dict[str, str]


class MatchLeave(TypedDict):
    """Leave a match."""

    match_id: str


class MatchDataSend(TypedDict, total=False):
    """Send state; in a relayed match ``presences`` names who gets it. Never answered."""

    match_id: Required[str]
    op_code: str
    data: str
    presences: list[UserPresence]
    reliable: bool


class RealtimeMatch(TypedDict, total=False):
    """Reply to ``match_create`` and ``match_join``; a new joiner is not in ``presences``."""

    match_id: Required[str]
    authoritative: bool
    label: str
    size: int
    presences: list[UserPresence]
    self: Required[UserPresence]


class MatchData(TypedDict, total=False):
    """A push: state from ``presence``, or from the match itself when that is absent."""

    match_id: Required[str]
    presence: UserPresence
    op_code: str
    data: str
    reliable: bool


class DecodedMatchData(TypedDict, total=False):
    """``MatchData`` as ``on_match_data`` gives it: ``op_code`` and ``data`` are read, and always there."""

    match_id: Required[str]
    presence: UserPresence
    op_code: Required[int]
    data: Required[bytes]
    reliable: bool


class MatchPresenceEvent(TypedDict, total=False):
    """A push: who came to and left a match."""

    match_id: Required[str]
    joins: list[UserPresence]
    leaves: list[UserPresence]


class MatchmakerAdd(TypedDict, total=False):
    """Join the matchmaker's pool; an empty ``query`` is ``*``."""

    min_count: int
    max_count: int
    query: str
    string_properties: dict[str, str]
    numeric_properties: dict[str, float]
    count_multiple: int


class MatchmakerRemove(TypedDict):
    """Leave the matchmaker's pool."""

    ticket: str


class MatchmakerTicket(TypedDict):
    """Reply to ``matchmaker_add``."""

    ticket: str


class MatchmakerUser(TypedDict, total=False):
    """One of the matched users with the properties of the ticket."""

    presence: Required[UserPresence]
    party_id: str
    string_properties: dict[str, str]
    numeric_properties: dict[str, float]


class MatchmakerMatched(TypedDict, total=False):
    """A push: the ticket was matched; join with ``token`` (30 s valid) or, from a server hook, ``match_id``."""

    ticket: Required[str]
    match_id: str
    token: str
    users: Required[list[MatchmakerUser]]
    self: Required[MatchmakerUser]
