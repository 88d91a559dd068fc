from __future__ import annotations

from nakama_bots.players.acts.social import befriend, found_group, part, shared_group, user_ids
from nakama_bots.types.friends import FriendState

from .conftest import MakePlayer


def test_friends(player: MakePlayer) -> None:
    (a, _), (b, _) = player(), player()
    assert user_ids(a, [b.identity, a.identity, a.identity.stranger()]) == [b.session.user_id]
    assert user_ids(a, []) == []
    assert befriend(a, b.session.user_id) == FriendState.INVITE_SENT
    assert befriend(b, a.session.user_id) == FriendState.FRIEND
    part(a, b.session.user_id)
    assert a.client.list_friends(a.session).get("friends", []) == []


def test_groups(player: MakePlayer) -> None:
    (a, heard), (b, _) = player(), player()
    own = found_group(a)
    assert found_group(a) != own
    name = f"shared {own}"
    shared = shared_group(a, name)
    assert shared_group(b, name) == shared_group(a, name) == shared
    members = a.client.list_group_users(a.session, shared)["group_users"]
    assert {member["user"]["id"] for member in members} == {a.session.user_id, b.session.user_id}
    assert not any(call.error for call in heard.calls)
