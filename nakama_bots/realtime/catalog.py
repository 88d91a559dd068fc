"""Every realtime message of Nakama: its answer, and the server's pushes.

Source: rtapi's Envelope, and recordings of a 3.40 server for which acknowledgements are empty.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Reply(Enum):
    """How a message is acknowledged if not by an envelope with its own key."""

    EMPTY = 'the frame {"cid": ..} alone'
    NONE = "nothing, with or without a cid"


REPLIES: Final[dict[str, str | Reply]] = {
    "channel_join": "channel",
    "channel_leave": Reply.EMPTY,
    "channel_message_send": "channel_message_ack",
    "channel_message_update": "channel_message_ack",
    "channel_message_remove": "channel_message_ack",
    "match_create": "match",
    "match_join": "match",
    "match_leave": Reply.EMPTY,
    "match_data_send": Reply.NONE,
    "matchmaker_add": "matchmaker_ticket",
    "matchmaker_remove": Reply.EMPTY,
    "party_create": "party",
    "party_join": Reply.EMPTY,
    "party_leave": Reply.EMPTY,
    "party_promote": Reply.EMPTY,
    "party_accept": Reply.EMPTY,
    "party_remove": Reply.EMPTY,
    "party_close": Reply.EMPTY,
    "party_update": Reply.EMPTY,
    "party_join_request_list": "party_join_request",
    "party_matchmaker_add": "party_matchmaker_ticket",
    "party_matchmaker_remove": Reply.EMPTY,
    "party_data_send": Reply.EMPTY,
    "ping": "pong",
    "pong": Reply.NONE,
    "rpc": "rpc",
    "status_follow": "status",
    "status_unfollow": Reply.EMPTY,
    "status_update": Reply.EMPTY,
}
"""Message key -> key of its reply, or its acknowledgement."""

PUSHES: Final[frozenset[str]] = frozenset(
    {
        "channel_message",
        "channel_presence_event",
        "error",
        "match_data",
        "match_presence_event",
        "matchmaker_matched",
        "matchmaker_ticket",
        "notifications",
        "party",
        "party_close",
        "party_data",
        "party_join_request",
        "party_leader",
        "party_matchmaker_ticket",
        "party_presence_event",
        "party_update",
        "ping",
        "status_presence_event",
        "stream_data",
        "stream_presence_event",
    }
)
"""Keys of envelopes without a cid. ``error`` is an error the server could not match to a request."""
