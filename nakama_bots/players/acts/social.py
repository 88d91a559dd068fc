"""Friends and groups as a bot has them: found by name, befriended, gathered, parted from."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from nakama_bots.errors import AlreadyExists
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player

MEMBERS = 100
GROUP_EXISTS = "group_exists"


def user_ids(player: Player, identities: Iterable[Identity]) -> list[str]:
    """The ids of those who have an account, without the player's own."""
    names = [identity.username for identity in identities]
    found = player.client.get_users(player.session, usernames=names) if names else {}
    return [user["id"] for user in found.get("users", ()) if user["id"] != player.session.user_id]


def befriend(player: Player, user_id: str) -> int | None:
    """Invite, or accept an invite; the ``FriendState`` that came of it, None when they are nothing."""
    player.client.add_friends(player.session, ids=[user_id])
    friends = player.client.list_friends(player.session, limit=MEMBERS).get("friends", ())
    return next((friend["state"] for friend in friends if friend["user"]["id"] == user_id), None)


def part(player: Player, user_id: str) -> None:
    """Friends, invited or blocked: no longer."""
    player.client.delete_friends(player.session, ids=[user_id])


def found_group(player: Player) -> str:
    """A group of a name that nobody has, open to all; its id."""
    name = f"{player.identity.username}-{secrets.token_hex(4)}"
    return player.client.create_group(player.session, name=name, open=True, max_count=MEMBERS)["id"]


def shared_group(player: Player, name: str) -> str:
    """Be in the group ``name``, whoever founded it; its id.

    Two may find none and found it at once: the loser's ``AlreadyExists`` is counted as
    ``provoked.group_exists``, and no failure.
    """
    client, session = player.client, player.session
    for listed in client.list_user_groups(session, session.user_id, limit=MEMBERS).get("user_groups", ()):
        if listed["group"]["name"] == name:
            return listed["group"]["id"]
    found = client.list_groups(session, name=name, limit=1).get("groups", ())
    if not found:
        with player.calls.provoking(GROUP_EXISTS, AlreadyExists):
            try:
                return client.create_group(session, name=name, open=True, max_count=MEMBERS)["id"]
            except AlreadyExists:
                found = client.list_groups(session, name=name, limit=1)["groups"]
    client.join_group(session, found[0]["id"])
    return found[0]["id"]
