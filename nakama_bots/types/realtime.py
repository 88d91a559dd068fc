"""Every message of the realtime socket: requests, replies and pushes.

Source: rtapi of Nakama 3.40 and recordings of it. A key with its default value (false, 0, "", no entries) is
left out; what is ``Required`` is always there. ``op_code`` is an int64 and so a string, ``data`` is base64.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Required, TypedDict

from nakama_bots.types.common import JsonText
from nakama_bots.types.notifications import Notification


class UserPresence(TypedDict, total=False):
    """The presence of a user; ``persistence`` only in channels (left out when false), ``status`` in status
    events.
    """

    user_id: Required[str]
    session_id: Required[str]
    username: Required[str]
    persistence: bool
    status: str


class ChannelType(IntEnum):
    """What a chat channel's ``target`` names."""

    ROOM = 1
    DIRECT_MESSAGE = 2
    GROUP = 3


class ChannelJoin(TypedDict, total=False):
    """Join a chat channel; ``target`` is a room's name, a user's id or a group's id, as ``type`` says."""

    target: Required[str]
    type: int
    persistence: bool
    hidden: bool


class ChannelLeave(TypedDict):
    """Leave a chat channel."""

    channel_id: str


class ChannelMessageSend(TypedDict):
    """Send a chat message; ``content`` is the text of a JSON object."""

    channel_id: str
    content: str


class ChannelMessageUpdate(TypedDict):
    """Replace the content of an own chat message."""

    channel_id: str
    message_id: str
    content: str


class ChannelMessageRemove(TypedDict):
    """Remove an own chat message."""

    channel_id: str
    message_id: str


class _ChannelPlace(TypedDict, total=False):
    """A room has a name, a group an id, and a direct message two users."""

    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str


class Channel(_ChannelPlace, total=False):
    """Reply to ``channel_join``; a new joiner is not in ``presences``."""

    id: str
    presences: list[UserPresence]
    self: UserPresence


class ChannelMessageAck(_ChannelPlace, total=False):
    """Reply to ``channel_message_send``, ``_update`` and ``_remove``."""

    channel_id: Required[str]
    message_id: Required[str]
    code: Required[int]
    username: Required[str]
    create_time: Required[str]
    update_time: Required[str]
    persistent: Required[bool]


class ChannelMessage(_ChannelPlace, total=False):
    """A push: a message on a channel; ``content`` is a JSON text, ``code`` 0 is a chat message."""

    channel_id: Required[str]
    message_id: Required[str]
    code: Required[int]
    sender_id: Required[str]
    username: str
    content: Required[str]
    create_time: Required[str]
    update_time: Required[str]
    persistent: Required[bool]


class ChannelPresenceEvent(_ChannelPlace, total=False):
    """A push: users who joined and left a channel."""

    channel_id: Required[str]
    joins: list[UserPresence]
    leaves: list[UserPresence]


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


class PartyMatchmakerAdd(MatchmakerAdd, total=False):
    """Of the leader: the party joins the matchmaker's pool as one."""

    party_id: Required[str]


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


class StatusFollow(TypedDict, total=False):
    """Follow the status of these users."""

    user_ids: list[str]
    usernames: list[str]


class StatusUnfollow(TypedDict, total=False):
    """Stop following the status of these users."""

    user_ids: list[str]


class StatusUpdate(TypedDict, total=False):
    """Set the own status: a text (also an empty one) is online, absent is offline."""

    status: str


class Status(TypedDict, total=False):
    """Reply to ``status_follow``: presences that are online now."""

    presences: list[UserPresence]


class StatusPresenceEvent(TypedDict, total=False):
    """A push: who came online, changed status (in both lists) or went offline."""

    joins: list[UserPresence]
    leaves: list[UserPresence]


class Stream(TypedDict, total=False):
    """What names a stream; each part is left out when 0 or empty."""

    mode: int
    subject: str
    subcontext: str
    label: str


class StreamData(TypedDict, total=False):
    """A push: a text that the runtime sent to a stream; ``sender`` only if it named one."""

    stream: Required[Stream]
    sender: UserPresence
    data: str
    reliable: bool


class StreamPresenceEvent(TypedDict, total=False):
    """A push: who came to and left a stream; hidden members do neither."""

    stream: Required[Stream]
    joins: list[UserPresence]
    leaves: list[UserPresence]


class Error(TypedDict, total=False):
    """The answer to a request that failed; no ``code`` is 0, RUNTIME_EXCEPTION."""

    code: int
    message: Required[str]
    context: dict[str, str]


class Notifications(TypedDict):
    """A push: notifications, in practice one at a time; ``content`` is a JSON text."""

    notifications: list[Notification[JsonText]]


class Ping(TypedDict, total=False):
    """The application's ping, and nothing in it."""


class Pong(TypedDict, total=False):
    """The answer to a ping, and nothing in it."""


class RealtimeRpc(TypedDict, total=False):
    """A call of a function of the server's runtime, and its reply: the function's id and a text."""

    id: str
    payload: str
    http_key: str


class Envelope(TypedDict, total=False):
    """One frame: ``cid`` in a request and its answer, and one message (none in an empty acknowledgement)."""

    cid: str
    channel: Channel
    channel_join: ChannelJoin
    channel_leave: ChannelLeave
    channel_message: ChannelMessage
    channel_message_ack: ChannelMessageAck
    channel_message_send: ChannelMessageSend
    channel_message_update: ChannelMessageUpdate
    channel_message_remove: ChannelMessageRemove
    channel_presence_event: ChannelPresenceEvent
    error: Error
    match: RealtimeMatch
    match_create: MatchCreate
    match_data: MatchData
    match_data_send: MatchDataSend
    match_join: MatchJoin
    match_leave: MatchLeave
    match_presence_event: MatchPresenceEvent
    matchmaker_add: MatchmakerAdd
    matchmaker_matched: MatchmakerMatched
    matchmaker_remove: MatchmakerRemove
    matchmaker_ticket: MatchmakerTicket
    notifications: Notifications
    party: RealtimeParty
    party_accept: PartyAccept
    party_close: PartyClose
    party_create: PartyCreate
    party_data: PartyData
    party_data_send: PartyDataSend
    party_join: PartyJoin
    party_join_request: PartyJoinRequest
    party_join_request_list: PartyJoinRequestList
    party_leader: PartyLeader
    party_leave: PartyLeave
    party_matchmaker_add: PartyMatchmakerAdd
    party_matchmaker_remove: PartyMatchmakerRemove
    party_matchmaker_ticket: PartyMatchmakerTicket
    party_presence_event: PartyPresenceEvent
    party_promote: PartyPromote
    party_remove: PartyRemove
    party_update: PartyUpdate
    ping: Ping
    pong: Pong
    rpc: RealtimeRpc
    status: Status
    status_follow: StatusFollow
    status_presence_event: StatusPresenceEvent
    status_unfollow: StatusUnfollow
    status_update: StatusUpdate
    stream_data: StreamData
    stream_presence_event: StreamPresenceEvent
