"""The typed party operations, named as in Nakama's clients."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from nakama_bots.types import realtime as types


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
        open: bool,  # noqa: A002
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
        self, party_id: str, label: str = "", *, open: bool = False, hidden: bool = False  # noqa: A002
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
