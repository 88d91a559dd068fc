"""Every message of the realtime socket. The families have modules of their own, all names are also here.

Source: rtapi of Nakama 3.40 and recordings of it. A key with its default value (false, 0, "", no entries) is
left out; what is ``Required`` is always there.
"""

from __future__ import annotations

from typing import Required, TypedDict

from nakama_bots.types.common import JsonText
from nakama_bots.types.notifications import Notification
from nakama_bots.types.realtime_chat import (
    Channel,
    ChannelJoin,
    ChannelLeave,
    ChannelMessage,
    ChannelMessageAck,
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
    ChannelPresenceEvent,
    ChannelType,
)
from nakama_bots.types.realtime_common import UserPresence
from nakama_bots.types.realtime_match import (
    DecodedMatchData,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchLeave,
    MatchmakerAdd,
    MatchmakerMatched,
    MatchmakerRemove,
    MatchmakerTicket,
    MatchmakerUser,
    MatchPresenceEvent,
    RealtimeMatch,
)
from nakama_bots.types.realtime_party import (
    DecodedPartyData,
    PartyAccept,
    PartyClose,
    PartyCreate,
    PartyData,
    PartyDataSend,
    PartyJoin,
    PartyJoinRequest,
    PartyJoinRequestList,
    PartyLeader,
    PartyLeave,
    PartyMatchmakerAdd,
    PartyMatchmakerRemove,
    PartyMatchmakerTicket,
    PartyPresenceEvent,
    PartyPromote,
    PartyRemove,
    PartyUpdate,
    RealtimeParty,
)
from nakama_bots.types.realtime_status import (
    Status,
    StatusFollow,
    StatusPresenceEvent,
    StatusUnfollow,
    StatusUpdate,
    Stream,
    StreamData,
    StreamPresenceEvent,
)  # fmt: skip

__all__ = [
    "Channel", "ChannelJoin", "ChannelLeave", "ChannelMessage", "ChannelMessageAck", "ChannelMessageRemove",
    "ChannelMessageSend", "ChannelMessageUpdate", "ChannelPresenceEvent", "ChannelType", "DecodedMatchData",
    "DecodedPartyData", "Envelope", "Error", "MatchCreate", "MatchData", "MatchDataSend", "MatchJoin",
    "MatchLeave", "MatchPresenceEvent", "MatchmakerAdd", "MatchmakerMatched", "MatchmakerRemove",
    "MatchmakerTicket", "MatchmakerUser", "Notifications", "PartyAccept", "PartyClose", "PartyCreate",
    "PartyData", "PartyDataSend", "PartyJoin", "PartyJoinRequest", "PartyJoinRequestList", "PartyLeader",
    "PartyLeave", "PartyMatchmakerAdd", "PartyMatchmakerRemove", "PartyMatchmakerTicket", "PartyPresenceEvent",
    "PartyPromote", "PartyRemove", "PartyUpdate", "Ping", "Pong", "RealtimeMatch", "RealtimeParty",
    "RealtimeRpc", "Status", "StatusFollow",
    "StatusPresenceEvent", "StatusUnfollow", "StatusUpdate", "Stream", "StreamData", "StreamPresenceEvent",
    "UserPresence",
]  # fmt: skip


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
