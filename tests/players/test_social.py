from __future__ import annotations

from nakama_bots.errors import ConfigError
from nakama_bots.types.friends import FriendState

from .conftest import MakePlayer
from .support import failure


def test_friends(player: MakePlayer) -> None:
    (a, _), (b, _) = player(), player()
    to_b = a.identity.number ^ b.identity.number
    assert a.neighbours(to_b, 0, 1 << 19) == [b.user_id], "neither itself nor a player that does not exist"
    assert a.neighbours() == []
    assert a.befriend(b.user_id) == FriendState.INVITE_SENT
    assert b.befriend(a.user_id) == FriendState.FRIEND
    a.api.delete_friends(ids=[b.user_id])
    assert a.api.list_friends().get("friends", []) == []


def test_groups(player: MakePlayer) -> None:
    (a, recorder), (b, _) = player(), player()
    assert "inside its with block" in str(failure(ConfigError, lambda: a.chat(group=a.group("not joined").id)))
    with a.group() as own, a.group() as another:
        assert own.id != another.id
        name = f"shared {own.id}"
        with a.group(name) as shared, b.group(name) as same, a.group(name) as again:
            assert shared.id == same.id == again.id
        members = a.api.list_group_users(shared.id)["group_users"]
        assert {member["user"]["id"] for member in members} == {a.user_id, b.user_id}
        same.leave()
        assert len(a.api.list_group_users(shared.id)["group_users"]) == 1
    listed = a.api.list_user_groups(a.user_id)["user_groups"]
    assert [one["group"]["name"] for one in listed] == [name]
    assert not any(call.error for call in recorder.calls)
