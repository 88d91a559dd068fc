"""Every REST family with the typed client: successful calls, and refusals with the server's own texts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.types.friends import FriendState
from nakama_bots.types.groups import GroupState
from nakama_bots.types.storage import ReadPermission

from .support import ID, SECONDS, UNKNOWN_ID, Server, refused, unique, until


@pytest.fixture
def client(server: Server) -> Client:
    return server.client


@pytest.fixture
def other(server: Server) -> Session:
    return server.new_session()


PROVIDERS: list[tuple[str, dict[str, str], tuple[int, int, str]]] = [
    ("apple", {"token": "no-token"}, (400, 9, "Apple authentication is not configured.")),
    ("steam", {"token": "no-token"}, (400, 9, "Steam authentication is not configured.")),
    ("facebook", {"token": ""}, (400, 3, "Facebook access token is required.")),
    ("google", {"token": ""}, (400, 3, "Google access token is required.")),
]


@pytest.mark.parametrize(("provider", "arguments", "error"), PROVIDERS)
def test_unavailable_provider(
    client: Client, provider: str, arguments: dict[str, str], error: tuple[int, int, str]
) -> None:
    with refused(*error):
        getattr(client, f"authenticate_{provider}")(**arguments)


def test_link_and_unlink(client: Client, session: Session, other: Session) -> None:
    custom, email = unique("contract-custom"), f"{unique('contract')}@example.com"
    assert client.link_custom(session, {"id": custom}) == {}
    assert client.link_email(session, {"email": email, "password": "password-1"}) == {}
    assert client.authenticate_custom(custom, create=False).user_id == session.user_id
    account = client.get_account(session)
    assert (account["custom_id"], account["email"]) == (custom, email)
    with refused(409, 6, "Custom ID is already in use."):
        client.link_custom(other, {"id": custom})
    assert client.unlink_custom(session, {"id": custom}) == {}
    assert client.unlink_email(session, {"email": email, "password": "password-1"}) == {}
    device = account["devices"][0]
    with refused(403, 7, "Cannot unlink last account identifier. Check profile exists and is not last link."):
        client.unlink_device(session, device)


def test_users(client: Client, session: Session, other: Session) -> None:
    found = client.get_users(session, [other.user_id, UNKNOWN_ID], [session.username])["users"]
    assert {user["id"] for user in found} == {session.user_id, other.user_id}
    assert all(user["metadata"] == {} for user in found)
    assert client.get_users(session, [UNKNOWN_ID]) == {}
    with refused(400, 3, "ID 'x' is not a valid system ID."):
        client.get_users(session, ["x"])


def states(client: Client, session: Session) -> dict[str, int]:
    return {one["user"]["id"]: one["state"] for one in client.list_friends(session).get("friends", [])}


def test_friends(server: Server, client: Client, session: Session, other: Session) -> None:
    assert client.list_friends(session) == {}
    client.add_friends(session, usernames=[other.username])
    assert states(client, session) == {other.user_id: FriendState.INVITE_SENT}
    assert states(client, other) == {session.user_id: FriendState.INVITE_RECEIVED}
    client.add_friends(other, [session.user_id])
    assert states(client, other) == {session.user_id: FriendState.FRIEND}
    third = server.new_session()
    client.add_friends(third, [other.user_id])
    client.add_friends(other, [third.user_id])
    [beyond] = client.list_friends_of_friends(session)["friends_of_friends"]
    assert (beyond["referrer"], beyond["user"]["id"]) == (other.user_id, third.user_id)
    page = client.list_friends(other, limit=1)
    assert len(page["friends"]) == 1
    assert len(client.list_friends(other, FriendState.FRIEND, 1, page["cursor"])["friends"]) == 1
    client.delete_friends(session, [other.user_id])
    assert states(client, session) == {}
    client.block_friends(session, [third.user_id])
    assert states(client, session) == {third.user_id: FriendState.BLOCKED}


def test_friends_metadata(client: Client, session: Session, other: Session) -> None:
    client.add_friends(session, [other.user_id], metadata={"from": "lobby"})
    [friend] = client.list_friends(session)["friends"]
    assert friend["metadata"] == {"from": "lobby"}


def test_friends_refusals(client: Client, session: Session) -> None:
    with refused(400, 3, "Invalid limit - limit must be between 1 and 1000."):
        client.list_friends(session, limit=0)
    with refused(400, 3, "Invalid state - state must be between 0 and 3."):
        client.list_friends(session, state=9)
    with refused(400, 3, "Cursor is invalid."):
        client.list_friends_of_friends(session, cursor="!!!")
    assert client.add_friends(session, [UNKNOWN_ID]) == {}


def members(client: Client, session: Session, group: str) -> dict[str, int]:
    listed = client.list_group_users(session, group).get("group_users", [])
    return {one["user"]["id"]: one["state"] for one in listed}


def test_groups(client: Client, session: Session, other: Session) -> None:
    name = unique("Contract group")
    group = client.create_group(session, {"name": name, "lang_tag": "en"}, open=False, max_count=3)
    assert group == {
        "id": ID, "creator_id": session.user_id, "name": name, "lang_tag": "en", "metadata": {}, "open": False,
        "edge_count": 1, "max_count": 3, "create_time": SECONDS, "update_time": SECONDS,
    }  # fmt: skip
    with refused(409, 6, "Group name is in use."):
        client.create_group(session, name=name)
    client.join_group(other, group["id"])
    assert members(client, session, group["id"]) == {
        session.user_id: GroupState.SUPERADMIN, other.user_id: GroupState.JOIN_REQUEST,
    }  # fmt: skip
    client.add_group_users(session, group["id"], [other.user_id])
    client.promote_group_users(session, group["id"], [other.user_id])
    assert members(client, session, group["id"])[other.user_id] == GroupState.ADMIN
    client.demote_group_users(session, group["id"], [other.user_id])
    assert members(client, session, group["id"])[other.user_id] == GroupState.MEMBER
    [own] = client.list_user_groups(session, other.user_id)["user_groups"]
    assert (own["group"]["id"], own["state"]) == (group["id"], GroupState.MEMBER)
    client.kick_group_users(session, group["id"], [other.user_id])
    assert members(client, session, group["id"]) == {session.user_id: GroupState.SUPERADMIN}
    client.update_group(session, group["id"], description="new", open=True)
    [listed] = client.list_groups(session, name)["groups"]
    assert (listed["description"], listed["open"]) == ("new", True)
    client.join_group(other, group["id"])
    client.leave_group(other, group["id"])
    client.join_group(other, group["id"])
    client.ban_group_users(session, group["id"], [other.user_id])
    client.delete_group(session, group["id"])
    assert client.list_groups(session, name) == {}


def test_groups_refusals(client: Client, session: Session) -> None:
    with refused(400, 3, "Group name must be set."):
        client.create_group(session)
    with refused(400, 3, "name filter cannot be combined with any other filter"):
        client.list_groups(session, "%", open=True)
    with refused(400, 3, "Invalid limit - limit must be between 1 and 100."):
        client.list_groups(session, limit=101)


def test_storage(client: Client, session: Session, other: Session) -> None:
    collection = unique("contract")
    value = {"n": 1, "deep": {"text": "é"}}
    acks = client.write_storage_objects(
        session,
        [
            {"collection": collection, "key": "a", "value": value, "permission_read": ReadPermission.PUBLIC},
            {"collection": collection, "key": "b", "value": {}, "version": "*"},
        ],
    )["acks"]
    assert [ack["key"] for ack in acks] == ["a", "b"]
    assert acks[0]["version"] == hashlib.md5(orjson.dumps(value)).hexdigest()
    ids: Any = [{"collection": collection, "key": key, "user_id": session.user_id} for key in ("a", "b")]
    own = client.read_storage_objects(session, {"object_ids": ids})["objects"]
    assert {one["key"]: one["value"] for one in own} == {"a": value, "b": {}}
    [public] = client.read_storage_objects(other, {"object_ids": ids})["objects"]
    assert (public["key"], public["permission_read"]) == ("a", ReadPermission.PUBLIC)
    with refused(400, 3, "Storage write rejected - version check failed."):
        client.write_storage_objects(
            session, [{"collection": collection, "key": "a", "value": {}, "version": "*"}]
        )
    page = client.list_storage_objects(session, collection, session.user_id, 1)
    rest = client.list_storage_objects2(session, collection, session.user_id, 1, page["cursor"])
    assert {page["objects"][0]["key"], rest["objects"][0]["key"]} == {"a", "b"}
    assert [o["key"] for o in client.list_storage_objects(other, collection, limit=9)["objects"]] == ["a"]
    with refused(400, 3, "Storage delete rejected - not found, version check failed, or permission denied."):
        client.delete_storage_objects(
            session, {"object_ids": [{"collection": collection, "key": "a", "version": "0" * 32}]}
        )
    deleted: Any = [{"collection": collection, "key": key} for key in ("a", "b")]
    assert client.delete_storage_objects(session, {"object_ids": deleted}) == {}
    assert client.list_storage_objects(session, collection, session.user_id) == {}


def test_notifications(client: Client, session: Session, other: Session) -> None:
    empty = client.list_notifications(session)
    assert set(empty) == {"cacheable_cursor"}
    client.add_friends(other, [session.user_id])
    until(lambda: "notifications" in client.list_notifications(session, 10))
    page = client.list_notifications(session, 10)
    [invite] = page["notifications"]
    assert (invite["code"], invite["sender_id"]) == (-2, other.user_id)
    assert invite["content"] == {"username": other.username}
    assert "notifications" not in client.list_notifications(session, 10, page["cacheable_cursor"])
    assert client.delete_notifications(session, [invite["id"]]) == {}
    assert "notifications" not in client.list_notifications(session, 10)
    with refused(400, 3, "Invalid limit - limit must be between 1 and 100."):
        client.list_notifications(session, 0)


def test_events(client: Client, session: Session) -> None:
    event: Any = {"name": "level_up", "properties": {"level": "3"}, "timestamp": "2000-01-02T03:04:05Z"}
    assert client.emit_event(session, event) == {}
    assert client.event(session, {"name": "x"}) == {}


NOT_CONFIGURED = "{} IAP is not configured."


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("validate_purchase_apple", ("cg==",), NOT_CONFIGURED.format("Apple")),
        ("validate_purchase_google", ("{}",), NOT_CONFIGURED.format("Google")),
        ("validate_purchase_huawei", ("{}", "x"), NOT_CONFIGURED.format("Huawei")),
        ("validate_purchase_facebook_instant", ("x.y",), NOT_CONFIGURED.format("Facebook Instant")),
        ("validate_subscription_apple", ("cg==",), NOT_CONFIGURED.format("Apple")),
        ("validate_subscription_google", ("{}",), NOT_CONFIGURED.format("Google")),
    ],
)
def test_store_that_is_not_configured(
    client: Client, session: Session, name: str, arguments: tuple[str, ...], message: str
) -> None:
    with refused(400, 9, message):
        getattr(client, name)(session, *arguments)


def test_subscriptions(client: Client, session: Session) -> None:
    assert client.list_subscriptions(session) == {}
    with refused(404, 5, "subscription not found"):
        client.get_subscription(session, "nope")
    for limit in (0, 101):
        with refused(400, 3, "Invalid limit - limit must be between 1 and 1000."):
            client.list_subscriptions(session, limit=limit)
    with refused(400, 3, "Purchase ID cannot be empty."):
        client.validate_purchase_samsung(session)


def test_matchmaker_stats_and_parties(client: Client, session: Session) -> None:
    assert client.get_matchmaker_stats(session).keys() <= {
        "ticket_count", "oldest_ticket_create_time", "completions",
    }  # fmt: skip
    assert client.list_parties(session, 1).keys() <= {"parties", "cursor"}
    with refused(400, 3, "Invalid limit - limit must be between 1 and 100."):
        client.list_parties(session, 0)


UNKNOWN_BOARD: list[tuple[Callable[[Client, Session], object], tuple[int, int, str]]] = [
    (lambda c, s: c.list_leaderboard_records(s, "nope"), (404, 5, "Leaderboard not found.")),
    (
        lambda c, s: c.list_leaderboard_records_around_owner(s, "nope", s.user_id),
        (404, 5, "Leaderboard not found."),
    ),
    (lambda c, s: c.write_leaderboard_record(s, "nope", {"score": 1}), (404, 5, "Leaderboard not found.")),
    (lambda c, s: c.delete_leaderboard_record(s, "nope"), (404, 5, "Leaderboard not found.")),
    (lambda c, s: c.list_tournament_records(s, "nope"), (404, 5, "Tournament not found.")),
    (
        lambda c, s: c.list_tournament_records_around_owner(s, "nope", s.user_id),
        (404, 5, "Tournament not found."),
    ),
    (lambda c, s: c.write_tournament_record(s, "nope", {"score": 1}), (404, 5, "Tournament not found.")),
    (lambda c, s: c.write_tournament_record2(s, "nope", {"score": 1}), (404, 5, "Tournament not found.")),
    (lambda c, s: c.join_tournament(s, "nope"), (404, 5, "Tournament not found.")),
    (
        lambda c, s: c.delete_tournament_record(s, "nope"),
        (500, 13, "Error deleting score from tournament."),
    ),
    (lambda c, s: c.list_tournaments(s, limit=0), (400, 3, "Limit must be between 1 and 100.")),
    (
        lambda c, s: c.write_leaderboard_record(s, "nope", {"score": 1, "metadata": "nope"}),
        (400, 3, "Metadata value must be JSON, if provided."),
    ),
]


@pytest.mark.parametrize(("call", "error"), UNKNOWN_BOARD)
def test_unknown_board(
    client: Client, session: Session, call: Callable[[Client, Session], object], error: tuple[int, int, str]
) -> None:
    with refused(*error):
        call(client, session)
