"""Realtime parties: messages, replies and pushes.

``op_code`` is an int64 and so a string, left out when 0; ``data`` is base64, left out when empty.
"""

from __future__ import annotations

from typing import Required, TypedDict

from nakama_bots.types.realtime_common import UserPresence


class PartyCreate(TypedDict, total=False):
    """Create a party; ``label`` is the text of a JSON object, ``hidden`` keeps it out of the listing."""

    open: bool
    max_size: int
    label: str
    hidden: bool


class PartyUpdate(TypedDict, total=False):
    """Sent by the leader, and pushed to every member. Absent fields are reset: no label, closed, shown."""

    party_id: Required[str]
    label: str
    open: bool
    hidden: bool


class PartyJoin(TypedDict):
    """Join an open party, or ask the leader of a closed one."""

    party_id: str


class PartyLeave(TypedDict):
    """Leave a party."""

    party_id: str


class PartyPromote(TypedDict):
    """Of the leader: make another member the leader."""

    party_id: str
    presence: UserPresence


class PartyAccept(TypedDict):
    """Sent by the leader: accept a join request."""

    party_id: str
    presence: UserPresence


class PartyRemove(TypedDict):
    """Sent by the leader: remove a member, or refuse a join request."""

    party_id: str
    presence: UserPresence


class PartyClose(TypedDict):
    """Sent by the leader: end the party; also the push that notifies a member of the end."""

    party_id: str


class PartyJoinRequestList(TypedDict):
    """Of the leader: who asks to join."""

    party_id: str


class PartyMatchmakerAdd(TypedDict, total=False):
    """Of the leader: the party joins the matchmaker's pool as one."""

    party_id: Required[str]
    min_count: int
    max_count: int
    query: str
    string_properties: dict[str, str]
    numeric_properties: dict[str, float]
    count_multiple: int


class PartyMatchmakerRemove(TypedDict):
    """Of the leader: the party leaves the matchmaker's pool."""

    party_id: str
    ticket: str


class PartyDataSend(TypedDict, total=False):
    """Send data to the other members. Acknowledged, unlike state of a match."""

    party_id: Required[str]
    op_code: str
    data: str


class RealtimeParty(TypedDict, total=False):
    """Reply to ``party_create``, and a push to a user who joins, without ``label`` and ``hidden``."""

    party_id: Required[str]
    open: bool
    hidden: bool
    max_size: int
    self: Required[UserPresence]
    leader: Required[UserPresence]
    presences: Required[list[UserPresence]]
    label: str


class PartyLeader(TypedDict):
    """A push: the party has a new leader."""

    party_id: str
    presence: UserPresence


class PartyJoinRequest(TypedDict, total=False):
    """Reply to ``party_join_request_list``, and a push to the leader: who asks to join."""

    party_id: Required[str]
    presences: list[UserPresence]


class PartyMatchmakerTicket(TypedDict):
    """Reply to ``party_matchmaker_add``, and a push to the other members."""

    party_id: str
    ticket: str


class PartyData(TypedDict, total=False):
    """A push: data of another member."""

    party_id: Required[str]
    presence: Required[UserPresence]
    op_code: str
    data: str


class DecodedPartyData(TypedDict):
    """``PartyData`` as ``on_party_data`` gives it: ``op_code`` and ``data`` are read, and always there."""

    party_id: str
    presence: UserPresence
    op_code: int
    data: bytes


class PartyPresenceEvent(TypedDict, total=False):
    """A push: who came to and left a party."""

    party_id: Required[str]
    joins: list[UserPresence]
    leaves: list[UserPresence]
