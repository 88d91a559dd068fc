"""The typed realtime operations, named as in Nakama's clients; each is one message of the catalogue."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import orjson

from nakama_bots.types import realtime as types
from nakama_bots.types.realtime import ChannelType

__all__ = ["ChannelType", "RealtimeApi"]


def data_text(data: bytes | str) -> str:
    """Data as base64, as in a message; text is encoded as UTF-8."""
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def matchmaker_body(
    query: str,
    min_count: int,
    max_count: int,
    string_properties: Mapping[str, str] | None,
    numeric_properties: Mapping[str, float] | None,
    count_multiple: int | None,
) -> types.MatchmakerAdd:
    """The fields that player tickets and party tickets share."""
    body: types.MatchmakerAdd = {"query": query, "min_count": min_count, "max_count": max_count}
    if string_properties:
        body["string_properties"] = dict(string_properties)
    if numeric_properties:
        body["numeric_properties"] = dict(numeric_properties)
    if count_multiple is not None:
        body["count_multiple"] = count_multiple
    return body


class PartyApi(ABC):
    """Only the leader may accept, remove, promote, close, update, list join requests, and use the matchmaker.

    ``party_id`` identifies a party, and a ``presence`` from a push identifies a user.
    """

    @abstractmethod
    def request(self, key: str, body: Mapping[str, object], timeout: float | None = None) -> Any:
        """Send a message and return its reply's body."""

    def create_party(
        self,
        open: bool,
        max_size: int,
        label: str = "",
        *,
        hidden: bool = False,
    ) -> types.RealtimeParty:
        """Create a party of ``max_size`` (1 to 256) members and lead it.

        Any user may join an ``open`` party; otherwise the leader accepts members. ``label`` is JSON object text
        for searches, unless ``hidden``.
        """
        body: dict[str, object] = {"open": open, "max_size": max_size}
        if label:
            body["label"] = label
        if hidden:
            body["hidden"] = True
        reply: types.RealtimeParty = self.request("party_create", body)
        return reply

    def update_party(
        self, party_id: str, label: str = "", *, open: bool = False, hidden: bool = False
    ) -> None:  # fmt: skip
        """Set label, openness and listing; omitted values are reset."""
        self.request("party_update", {"party_id": party_id, "label": label, "open": open, "hidden": hidden})

    def join_party(self, party_id: str) -> None:
        """Join an open party, or ask to join; the push ``party`` confirms membership."""
        self.request("party_join", {"party_id": party_id})

    def leave_party(self, party_id: str) -> None:
        """Leave a party."""
        self.request("party_leave", {"party_id": party_id})

    def accept_party_member(self, party_id: str, presence: types.UserPresence) -> None:
        """Accept a user's join request."""
        self.request("party_accept", {"party_id": party_id, "presence": presence})

    def remove_party_member(self, party_id: str, member: types.UserPresence) -> None:
        """Remove a member, or refuse a join request."""
        self.request("party_remove", {"party_id": party_id, "presence": member})

    def promote_party_member(self, party_id: str, party_member: types.UserPresence) -> None:
        """Make another member the leader; all members get the push ``party_leader``."""
        self.request("party_promote", {"party_id": party_id, "presence": party_member})

    def close_party(self, party_id: str) -> None:
        """End a party; every member gets the push ``party_close``."""
        self.request("party_close", {"party_id": party_id})

    def list_party_join_requests(self, party_id: str) -> types.PartyJoinRequest:
        """List the join requests; without ``presences`` there are none."""
        reply: types.PartyJoinRequest = self.request("party_join_request_list", {"party_id": party_id})
        return reply

    def send_party_data(self, party_id: str, op_code: int, data: bytes | str) -> None:
        """Send data to the other members, and wait for the server's acknowledgement."""
        body = {"party_id": party_id, "op_code": str(op_code), "data": data_text(data)}
        self.request("party_data_send", body)

    def add_matchmaker_party(
        self,
        party_id: str,
        query: str = "*",
        min_count: int = 2,
        max_count: int = 2,
        string_properties: Mapping[str, str] | None = None,
        numeric_properties: Mapping[str, float] | None = None,
        count_multiple: int | None = None,
    ) -> types.PartyMatchmakerTicket:
        """Join the matchmaker's pool as a party; every member gets ``matchmaker_matched`` as a push."""
        ticket = matchmaker_body(
            query, min_count, max_count, string_properties, numeric_properties, count_multiple
        )
        reply: types.PartyMatchmakerTicket = self.request(
            "party_matchmaker_add", {"party_id": party_id, **ticket}
        )
        return reply

    def remove_matchmaker_party(self, party_id: str, ticket: str) -> None:
        """Leave the matchmaker's pool."""
        self.request("party_matchmaker_remove", {"party_id": party_id, "ticket": ticket})


class RealtimeApi(PartyApi):
    """Each raises what ``request`` raises: ``RealtimeError``, ``RequestTimeout`` or ``ConnectionClosed``."""

    @abstractmethod
    def send(self, key: str, body: Mapping[str, object]) -> None:
        """Send a message that is never answered."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def join_chat(
        self, target: str, channel_type: ChannelType = ChannelType.ROOM, persistence: bool = True,
        hidden: bool = False,
    ) -> types.Channel:  # fmt: skip
        """Join the room named ``target``, the chat with user ``target`` or the chat of group ``target``."""
        body = {"target": target, "type": int(channel_type), "persistence": persistence, "hidden": hidden}
        reply: types.Channel = self.request("channel_join", body)
        return reply

    def leave_chat(self, channel_id: str) -> None:
        """Leave a chat channel."""
        self.request("channel_leave", {"channel_id": channel_id})

    def write_chat_message(self, channel_id: str, content: Mapping[str, object]) -> types.ChannelMessageAck:
        """Send a chat message; ``content`` becomes the JSON object text that Nakama requires."""
        body = {"channel_id": channel_id, "content": orjson.dumps(content).decode()}
        reply: types.ChannelMessageAck = self.request("channel_message_send", body)
        return reply

    def update_chat_message(
        self, channel_id: str, message_id: str, content: Mapping[str, object]
    ) -> types.ChannelMessageAck:
        """Replace the content of a chat message of this user."""
        text = orjson.dumps(content).decode()
        body = {"channel_id": channel_id, "message_id": message_id, "content": text}
        reply: types.ChannelMessageAck = self.request("channel_message_update", body)
        return reply

    def remove_chat_message(self, channel_id: str, message_id: str) -> types.ChannelMessageAck:
        """Remove a chat message of this user."""
        body = {"channel_id": channel_id, "message_id": message_id}
        reply: types.ChannelMessageAck = self.request("channel_message_remove", body)
        return reply

    def create_match(self, name: str = "") -> types.RealtimeMatch:
        """Create a relayed match, or join it if ``name`` already exists."""
        reply: types.RealtimeMatch = self.request("match_create", {"name": name} if name else {})
        return reply

    def join_match(
        self, match_id: str = "", token: str = "", metadata: Mapping[str, str] | None = None
    ) -> types.RealtimeMatch:
        """Join a match by its id, or by the ``token`` of ``matchmaker_matched``."""
        body: dict[str, object] = {"token": token} if token else {"match_id": match_id}
        if metadata:
            body["metadata"] = dict(metadata)
        reply: types.RealtimeMatch = self.request("match_join", body)
        return reply

    def leave_match(self, match_id: str) -> None:
        """Leave a match."""
        self.request("match_leave", {"match_id": match_id})

    def send_match_state(
        self, match_id: str, op_code: int, data: bytes | str,
        presences: Sequence[types.UserPresence] = (), reliable: bool = False,
    ) -> None:  # fmt: skip
        """Send state to the match, or in a relayed match only to ``presences``. Nakama never answers it.

        Text is sent as UTF-8. ``reliable`` is passed on to the receivers and has no other effect.
        """
        body: dict[str, object] = {"match_id": match_id, "op_code": str(op_code), "data": data_text(data)}
        if presences:
            body["presences"] = list(presences)
        if reliable:
            body["reliable"] = True
        self.send("match_data_send", body)

    def add_matchmaker(
        self,
        query: str = "*",
        min_count: int = 2,
        max_count: int = 2,
        string_properties: Mapping[str, str] | None = None,
        numeric_properties: Mapping[str, float] | None = None,
        count_multiple: int | None = None,
    ) -> types.MatchmakerTicket:
        """Join the matchmaker's pool; ``matchmaker_matched`` comes as a push."""
        body = matchmaker_body(
            query, min_count, max_count, string_properties, numeric_properties, count_multiple
        )
        reply: types.MatchmakerTicket = self.request("matchmaker_add", dict(body))
        return reply

    def remove_matchmaker(self, ticket: str) -> None:
        """Leave the matchmaker's pool."""
        self.request("matchmaker_remove", {"ticket": ticket})

    def follow_users(self, user_ids: Sequence[str]) -> types.Status:
        """Follow these users' status; the reply has those online now."""
        reply: types.Status = self.request("status_follow", {"user_ids": list(user_ids)})
        return reply

    def unfollow_users(self, user_ids: Sequence[str]) -> None:
        """Stop following these users' status."""
        self.request("status_unfollow", {"user_ids": list(user_ids)})

    def update_status(self, status: str | None = None) -> None:
        """Set this user's status: a text (also an empty one) is online, None is offline."""
        self.request("status_update", {} if status is None else {"status": status})

    def rpc(self, id: str, payload: str = "", http_key: str = "") -> types.RealtimeRpc:
        """Call function ``id`` of the server's runtime with a text payload.

        Nakama 3.40 ignores ``http_key`` on a socket, whose user is known.
        """
        body = {"id": id}
        if payload:
            body["payload"] = payload
        if http_key:
            body["http_key"] = http_key
        reply: types.RealtimeRpc = self.request("rpc", body)
        return reply

    def ping_pong(self) -> None:
        """One application ping and its pong."""
        self.request("ping", {})
