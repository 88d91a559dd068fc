"""Bots in parties: they join open parties, create parties, and accept invitations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import orjson

from nakama_bots.errors import BadInput
from nakama_bots.fill.lobby import FoundLobby
from nakama_bots.fill.strategies import INVITATIONS, Strategy, listed_by
from nakama_bots.players.acts.party import Party, enter
from nakama_bots.players.place import Place
from nakama_bots.players.player import Player
from nakama_bots.types.common import JsonText
from nakama_bots.types.matches import PartyList
from nakama_bots.types.notifications import Notification
from nakama_bots.types.realtime import Notifications
from nakama_bots.types.realtime import RealtimeParty as PartyBody

CREATED: Final = "created-party-"
MOST_MEMBERS: Final = 256
_FOR_EVER: Final = 1e9
_ACCEPTED: Final = 60.0
"""Seconds within which a leader accepts a user that it has invited to a closed party."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """How to recognise an invitation; Nakama has no message for it, so games send a notification.

    The content has a ``party_id``; ``code`` and ``subject`` are chosen by the game, None matches any.
    """

    code: int | None = None
    subject: str | None = None

    def party_id(self, one: Notification[JsonText]) -> str | None:
        """Return the id of the party it invites to, None if it is not an invitation."""
        if self.code not in (None, one.get("code")) or self.subject not in (None, one.get("subject")):
            return None
        try:
            content = orjson.loads(one.get("content", ""))
        except orjson.JSONDecodeError:
            return None
        party_id = content.get("party_id") if isinstance(content, dict) else None
        return party_id if isinstance(party_id, str) else None


@dataclass(frozen=True, slots=True)
class PartyStrategy(Strategy):
    """Open parties by label query, ``create`` parties to keep, and ``invitable`` bots that wait to be invited.

    A created party is known by its number: the server drops an empty party, and a new one replaces it.
    """

    query: str | None = None
    create: int = 0
    label: str = ""
    max_size: int = 9
    invitable: int = 0
    invitation: Invitation = Invitation()
    created: dict[str, str] = field(default_factory=dict)
    """Ids of the created parties."""

    def find(self, scout: Player) -> list[FoundLobby]:
        def search(query: str | None) -> PartyList:
            return scout.client.list_parties(scout.session, limit=100, open=True, query=query)

        own = set(self.created.values())
        found = [
            FoundLobby(party["party_id"], -1, party.get("max_size") or None)
            for party in listed_by(self.query, search).get("parties", ())
            if party["party_id"] not in own
        ]
        found += [FoundLobby(f"{CREATED}{number}", -1, self.max_size) for number in range(1, self.create + 1)]
        if self.invitable:
            found.append(FoundLobby(INVITATIONS, 0, wanted=self.invitable))
        return found

    def join(self, player: Player, lobby_id: str) -> Place:
        if lobby_id == INVITATIONS:
            return Party(player, lambda _: self._invited(player))
        if lobby_id.startswith(CREATED):
            return Party(player, lambda _: self._created(player, lobby_id))
        return player.join_party(lobby_id)

    def _created(self, player: Player, lobby_id: str) -> PartyBody:
        """The created party with that number; created again if all members have left it."""
        if lobby_id in self.created:
            try:
                return enter(player, self.created[lobby_id])
            except BadInput as error:
                if "not found" not in error.message:
                    raise
        # Leave it, never close it: it may have other members.
        body = player.socket.create_party(open=True, max_size=self.max_size, label=self.label)
        self.created[lobby_id] = body["party_id"]
        return body

    def _invited(self, player: Player) -> PartyBody:
        def invites(body: Notifications) -> bool:
            return any(self.invitation.party_id(one) for one in body.get("notifications", ()))

        with player.socket.expect("notifications", invites) as expected:
            body: Notifications = expected.wait(_FOR_EVER)
        party_id = next(filter(None, map(self.invitation.party_id, body["notifications"])))
        return enter(player, party_id, _ACCEPTED)
