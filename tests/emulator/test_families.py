"""REST families such as friends, groups and storage: cases that the recordings do not cover."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher
from nakama_bots.emulator.dispatch.rest import Request, Router
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import go_json, is_object, storable
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.handlers.authentication import issue
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.store.accounts import Accounts, StoredAccount
from nakama_bots.emulator.store.boards import Score
from nakama_bots.emulator.store.core import DISCONNECTED
from nakama_bots.emulator.store.groups import GroupFilter, Groups, GroupUserNotFound
from nakama_bots.emulator.store.notifications import FRIEND_JOIN_GAME
from nakama_bots.emulator.store.purchases import InvalidSignature, Subscription, signed_payload
from nakama_bots.emulator.store.storage import ObjectKey, StorageWrite
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

from .inprocess import signed_player
from .support import Clock, Recorder, make_core

UNKNOWN = "11111111-1111-4111-8111-111111111111"


class World:
    """A core with users who can send requests."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.core = make_core(self.clock, Options(**options))
        self.router = Router(self.core, handlers.ROUTES)
        self.ids: dict[str, str] = {}
        for name in ("ann", "bob", "cid"):
            account = StoredAccount(self.core.new_id(), name, self.core.now(), self.core.now())
            account.identities.append(("device", f"device-of-{name}"))
            self.core.accounts.add(account)
            self.ids[name] = account.id

    def account(self, name: str) -> StoredAccount:
        account = self.core.accounts.get(self.ids[name])
        assert account is not None
        return account

    def ask(
        self, name: str, method: str, path: str, body: Any = None, **query: str | list[str]
    ) -> tuple[int, Any]:
        """Return the status and body of an answer; name "" authenticates with the server key."""
        headers = {"authorization": "Basic ZGVmYXVsdGtleTo="}
        if name:
            claims = SessionClaims(self.core.new_id(), self.ids[name], name, self.core.seconds(), 0)
            headers = {"authorization": f"Bearer {issue(self.core, self.account(name), claims)['token']}"}
        parameters = {key: [value] if isinstance(value, str) else value for key, value in query.items()}
        content = b"" if body is None else json.dumps(body).encode()
        answer = asyncio.run(self.router.answer(Request(method, path, parameters, headers, content)))
        return answer.status, json.loads(answer.body)

    def ok(self, *args: Any, **query: Any) -> Any:
        status, body = self.ask(*args, **query)
        assert status == 200, body
        return body

    def socket(self, name: str) -> Recorder:
        return Recorder(self.core, self.ids[name], name)


def test_deleted_account_leaves_no_data() -> None:
    world = World()
    core, ann, bob = world.core, world.ids["ann"], world.ids["bob"]
    core.friends.add(ann, [bob])
    core.friends.add(bob, [ann])
    alone = core.groups.create(ann, "alone")
    led = core.groups.create(ann, "led", open=True)
    joined = core.groups.create(bob, "joined", open=True)
    shared = core.groups.create(ann, "shared", open=True)
    for group, user in ((led, bob), (joined, ann), (shared, bob)):
        core.groups.join(group.id, user)
    core.groups.promote(shared.id, "", [bob])
    core.groups.promote(shared.id, "", [bob])
    core.storage.write([StorageWrite(ObjectKey("c", "k", ann), "{}", permission_read=2)])
    board = core.leaderboards.create("b")
    core.leaderboards.write(board, Score(ann, "ann", 5))
    core.purchases.subscribe(Subscription(ann, "p", "t", 0, 1, 1, 1, 1, 2))
    core.notify(bob, "hi", "{}", 1, ann)
    socket = world.socket("ann")

    world.ok("ann", "DELETE", "/v2/account")

    assert socket.closed == (1000, DISCONNECTED)
    assert core.friends.page(bob, 10) == ([], "")
    assert core.groups.get(alone.id) is None
    assert core.groups.get(led.id) is None
    assert joined.edge_count == 1
    assert [user["user"]["username"] for user in _users(world, shared.id)] == ["bob"]
    assert core.storage.page("", "c", None, 10) == ([], "")
    assert core.leaderboards.page(board, 10, "", ()).wire() == {}
    assert core.purchases.subscription(ann, "p") is None
    assert len(core.notifications.page(bob, 10)["notifications"]) == 1
    core.notify(ann, "gone", "{}", 1)
    assert "notifications" not in core.notifications.page(ann, 10)


def _users(world: World, group_id: str) -> list[Any]:
    return list(world.ok("bob", "GET", f"/v2/group/{group_id}/user")["group_users"])


def test_ban_ends_tokens_and_sockets() -> None:
    world = World()
    socket = world.socket("ann")
    claims = SessionClaims("t", world.ids["ann"], "ann", world.core.seconds() - 1, world.core.seconds() + 9)
    assert world.core.session_cache.session_valid(claims)
    world.core.ban(world.account("ann"))
    (frame,) = socket.frames
    (notification,) = frame["notifications"]["notifications"]
    assert (notification["code"], "sender_id" in notification) == (-8, False)
    assert socket.closed == (1000, DISCONNECTED)
    assert not world.core.session_cache.session_valid(claims)
    assert world.ask("", "POST", "/v2/account/authenticate/device", {"id": "device-of-ann"}) == (
        403,
        {"code": 7, "message": "User account banned."},
    )


def test_notifications_reach_every_socket_of_a_user() -> None:
    world = World()
    sockets = [world.socket("ann"), world.socket("ann"), world.socket("bob")]
    world.core.notify(world.ids["ann"], "s", '{"a":1}', FRIEND_JOIN_GAME, persistent=False)
    assert [len(socket.frames) for socket in sockets] == [1, 1, 0]
    assert "notifications" not in world.ok("ann", "GET", "/v2/notification")


def test_group_is_deleted_with_its_last_member() -> None:
    world = World()
    group = world.ok("ann", "POST", "/v2/group", {"name": "g"})
    stream = PresenceStream(Mode.GROUP, group["id"])
    socket = world.socket("ann")
    dispatcher = MessageDispatcher(world.core, handlers.MESSAGES)
    dispatcher.dispatch(socket, json.dumps({"channel_join": {"target": group["id"], "type": 3}}).encode())
    assert world.core.tracker.count(stream) == 1
    world.ok("ann", "POST", f"/v2/group/{group['id']}/leave")
    assert world.ok("ann", "GET", "/v2/group", limit="10") == {}
    assert world.core.tracker.count(stream) == 0
    # The name is free again.
    world.ok("bob", "POST", "/v2/group", {"name": "g"})


def test_leaving_a_group_leaves_its_chat() -> None:
    world = World()
    group = world.ok("ann", "POST", "/v2/group", {"name": "g", "open": True})["id"]
    world.ok("bob", "POST", f"/v2/group/{group}/join")
    sockets = {name: world.socket(name) for name in ("ann", "bob")}
    dispatcher = MessageDispatcher(world.core, handlers.MESSAGES)
    for socket in sockets.values():
        dispatcher.dispatch(socket, json.dumps({"channel_join": {"target": group, "type": 3}}).encode())
        socket.frames.clear()
    sockets["ann"].frames.clear()
    world.ok("bob", "POST", f"/v2/group/{group}/leave")
    message, event = sockets["ann"].frames
    assert message["channel_message"]["code"] == 5
    assert [leave["username"] for leave in event["channel_presence_event"]["leaves"]] == ["bob"]
    assert len(sockets["bob"].frames) == 1
    status, body = world.ask("bob", "GET", f"/v2/channel/3.{group}..")
    assert (status, body["message"]) == (400, "Group not found.")


def test_last_superadmin_stays() -> None:
    world = World()
    groups, ann = world.core.groups, world.ids["ann"]
    group = groups.create(ann, "g")
    assert groups.demote(group.id, "", [ann]) == []
    assert groups.kick(group.id, "", [ann]) == []
    assert groups.add(group.id, "", [world.ids["bob"], world.ids["bob"]]) == [world.ids["bob"]]
    groups.promote(group.id, "", [world.ids["bob"]])
    groups.promote(group.id, "", [world.ids["bob"]])
    assert groups.demote(group.id, "", [ann]) == [ann]


def test_adding_users_is_all_or_nothing() -> None:
    world = World()
    core, ann, bob = world.core, world.ids["ann"], world.ids["bob"]
    group = core.groups.create(ann, "g")
    with pytest.raises(GroupUserNotFound):
        core.groups.add(group.id, ann, [bob, UNKNOWN])
    assert group.edge_count == 1
    assert core.groups.add(group.id, "", [bob]) == [bob]


ORDERS = [
    (GroupFilter(), ["small", "fr", "big", "shut"]),
    (GroupFilter(name="%"), ["small", "fr", "big", "shut"]),
    (GroupFilter(name="s%"), ["shut", "small"]),
    (GroupFilter(name="_IG"), ["big"]),
    (GroupFilter(open=True), ["small", "fr", "big"]),
    (GroupFilter(lang_tag="en"), ["shut", "small", "big"]),
    (GroupFilter(members=1), ["shut", "fr", "small"]),
    (GroupFilter(open=True, members=9), ["big", "fr", "small"]),
    (GroupFilter(lang_tag="en", members=9), ["big", "small", "shut"]),
    (GroupFilter(open=True, lang_tag="en", members=9), ["big", "small"]),
]


@pytest.fixture(scope="module")
def four_groups() -> Groups:
    """Created one second apart; the last change, a second member, is in the third."""
    clock, ids = Clock(), iter(("3", "2", "4", "1"))
    groups = Groups(Accounts(clock()), clock, lambda: next(ids))
    for name, options in (
        ("small", {"open": True}),
        ("fr", {"open": True, "lang_tag": "fr"}),
        ("big", {"open": True}),
        ("shut", {}),
    ):
        clock.seconds += 1
        group = groups.create("ann", name, **options)  # type: ignore[arg-type]
        if name == "big":
            groups.join(group.id, "bob")
    return groups


@pytest.mark.parametrize(("wanted", "expected"), ORDERS)
def test_lists_of_groups_are_ordered_by_their_filter(
    wanted: GroupFilter, expected: list[str], four_groups: Groups
) -> None:
    assert [group.name for group in four_groups.page(wanted, 10)[0]] == expected
    paged: list[str] = []
    cursor = ""
    while not paged or cursor:
        page, cursor = four_groups.page(wanted, 1, cursor)
        paged += [group.name for group in page]
    assert paged == expected


def test_second_page_of_open_groups_of_a_language_as_on_the_server(four_groups: Groups) -> None:
    wanted = GroupFilter(open=True, lang_tag="en")
    page, cursor = four_groups.page(wanted, 1)
    assert [group.name for group in page] == ["big"]
    # The server looks for greater values after a cursor, though the order is descending.
    assert four_groups.page(wanted, 1, cursor) == ([], "")


@pytest.mark.parametrize("text", ["x", "!!!", "e30=", "WyJfUGxhY2UiXQ==", "WyJfUGxhY2UiLCJ4IiwxXQ=="])
def test_invalid_cursors(text: str) -> None:
    world = World()
    for path in ("/v2/friend", f"/v2/group/{UNKNOWN}/user", f"/v2/user/{UNKNOWN}/group"):
        assert world.ask("ann", "GET", path, cursor=text)[1]["message"] == "Cursor is invalid."
    with pytest.raises(InvalidCursor):
        world.core.notifications.page("u", 1, text)


def test_cursor_is_bound_to_its_state() -> None:
    world = World()
    world.core.friends.add(world.ids["ann"], [world.ids["bob"], world.ids["cid"]])
    cursor = world.ok("ann", "GET", "/v2/friend", limit="1")["cursor"]
    assert world.ask("ann", "GET", "/v2/friend", state="0", cursor=cursor)[0] == 400
    assert len(world.ok("ann", "GET", "/v2/friend", state="1", cursor=cursor)["friends"]) == 1


def test_metadata_of_a_friendship_is_merged() -> None:
    world = World()
    core, ann, bob, cid = (world.core, *(world.ids[name] for name in ("ann", "bob", "cid")))
    core.friends.add(ann, [bob, cid])
    core.friends.add(bob, [ann], '{"b":1}')
    core.friends.add(cid, [ann], "[1]")
    for user, metadata in ((bob, '{"b": 1}'), (cid, "[{}, 1]")):
        edge = core.friends.edge(user, ann)
        assert edge is not None
        assert edge.metadata == metadata


def test_blocking_ends_the_direct_channel() -> None:
    world = World()
    sockets = {name: world.socket(name) for name in ("ann", "bob")}
    dispatcher = MessageDispatcher(world.core, handlers.MESSAGES)
    target = json.dumps({"channel_join": {"target": world.ids["ann"], "type": 2}}).encode()
    dispatcher.dispatch(sockets["bob"], target)
    stream = PresenceStream(Mode.DM, *sorted((world.ids["ann"], world.ids["bob"])))
    assert world.core.tracker.count(stream) == 1
    sockets["bob"].frames.clear()
    world.ok("ann", "POST", "/v2/friend/block", ids=world.ids["bob"])
    assert world.core.tracker.count(stream) == 0
    assert sockets["bob"].frames == []
    world.core.friends.delete(world.ids["ann"], [world.ids["bob"]])
    dispatcher.dispatch(sockets["bob"], target)
    assert "channel" in sockets["bob"].frames[0]


@pytest.mark.parametrize(("path", "status"), [("/v2/friend", 400), ("/v2/friend/block", 400)])
def test_unknown_names(path: str, status: int) -> None:
    assert World().ask("ann", "POST", path, usernames="nobody")[0] == status


@pytest.mark.parametrize(("key", "value"), [("k" * 129, "{}"), ("k", r'{"a":"\u0000"}')])
def test_values_that_the_database_does_not_store(key: str, value: str) -> None:
    world = World()
    objects = [
        {"collection": "c", "key": "first", "value": "{}"},
        {"collection": "c", "key": key, "value": value},
    ]
    status, body = world.ask("ann", "PUT", "/v2/storage", {"objects": objects})
    assert (status, body["message"]) == (500, "Error writing storage objects.")
    assert world.ok("ann", "GET", "/v2/storage/c", user_id=world.ids["ann"]) == {}


def test_pages_of_friends_of_friends() -> None:
    world = World()
    core = world.core
    others = [StoredAccount(f"0000000{n}-0000-4000-8000-000000000000", f"o{n}", 1, 1) for n in range(3)]
    ann, bob = world.ids["ann"], world.ids["bob"]
    for account in others:
        core.accounts.add(account)
        core.friends.add(bob, [account.id])
        core.friends.add(account.id, [bob])
    core.friends.add(ann, [bob])
    core.friends.add(bob, [ann])
    first = world.ok("ann", "GET", "/v2/friend/friends", limit="2")
    second = world.ok("ann", "GET", "/v2/friend/friends", limit="2", cursor=first["cursor"])
    names = [one["user"]["username"] for page in (first, second) for one in page["friends_of_friends"]]
    assert names == ["o0", "o1", "o2"]
    assert "cursor" not in second


def _subscription(world: World, number: int) -> Subscription:
    return Subscription(world.ids["ann"], f"p{number}", f"t{number}", 0, 1, number, 0, 0, 2**31)


def test_subscriptions_backwards() -> None:
    world = World()
    for number in range(1, 6):
        world.core.purchases.subscribe(_subscription(world, number))

    def page(cursor: str = "") -> tuple[list[str], Any]:
        body = world.ok("ann", "POST", "/v2/iap/subscription", {"limit": 2, "cursor": cursor})
        return [one["product_id"] for one in body["validated_subscriptions"]], body

    first, body = page()
    # Recorded: the subscription that a cursor names is on no page.
    second, body = page(body["cursor"])
    assert (first, second) == (["p5", "p4"], ["p2", "p1"])
    back, body = page(body["prev_cursor"])
    assert back == ["p3", "p2"]
    assert {"cursor", "prev_cursor"} <= body.keys()
    status, body = world.ask("bob", "POST", "/v2/iap/subscription", {"cursor": body["cursor"]})
    assert (status, body["message"]) == (500, "subscriptions list cursor invalid")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("x", "invalid signedRequest format"),
        ("a.b.c", "invalid signedRequest format"),
        ("!.!", "signedRequest verification failed"),
        (signed_player("p", "other"), "signedRequest verification failed"),
    ],
)
def test_bad_facebook_signature(document: str, message: str) -> None:
    with pytest.raises(InvalidSignature, match=message):
        signed_payload(document, "secret")


def test_facebook_signature() -> None:
    assert signed_payload(signed_player("p", "secret"), "secret")["player_id"] == "p"


@pytest.mark.parametrize(
    ("text", "an_object", "kept"),
    [
        ("{}", True, True),
        (' {"a":1}', True, True),
        ("[1]", False, True),
        ("nope", False, False),
        ("", False, False),
        ('{"a":NaN}', False, False),
        (r'{"a":"\ud800"}', True, False),
        (r'{"a":"\u0000"}', True, False),
        (r'{"a":"\\u0000"}', True, True),
        ("[" * 100_000, False, False),
    ],
)
def test_documents(text: str, an_object: bool, kept: bool) -> None:
    assert (is_object(text), storable(text)) == (an_object, kept)


def test_json_is_written_as_by_go() -> None:
    assert go_json({"b": "<&>", "a": "é"}) == '{"a":"é","b":"\\u003c\\u0026\\u003e"}'


@pytest.mark.parametrize(
    ("stamp", "status"),
    [
        ("2000-01-02T03:04:05Z", 200),
        ("2000-01-02T03:04:05.123456789+02:00", 200),
        ("2000-13-02T03:04:05Z", 400),
        ("2000-01-02", 400),
    ],
)
def test_event_stamps(stamp: str, status: int) -> None:
    assert World().ask("ann", "POST", "/v2/event", {"timestamp": stamp})[0] == status


def test_leaderboard_operator_names() -> None:
    world = World()
    world.core.leaderboards.create("b")
    path = "/v2/leaderboard/b"
    world.ok("ann", "POST", path, {"score": 5, "operator": "INCREMENT"})
    assert world.ok("ann", "POST", path, {"score": 5, "operator": "INCREMENT"})["score"] == "10"
    assert world.ok("ann", "POST", path, {"score": 3, "operator": "nothing"})["score"] == "10"
    assert world.ask("ann", "POST", path, {"operator": []})[0] == 400
    for metadata in (r'{"a":"\u0000"}', r'{"a":"\ud800"}'):
        assert world.ask("ann", "POST", path, {"metadata": metadata})[0] == 500
    message = "Error querying records from leaderboard."
    around = f"{path}/owner/{world.ids['ann']}"
    assert world.ask("ann", "GET", around, cursor="x") == (500, {"code": 13, "message": message})


def test_tournaments_that_end() -> None:
    world = World()
    now = world.core.seconds()
    for name, end in (("a", 0), ("b", now + 10), ("c", now + 20)):
        world.core.leaderboards.create_tournament(name, duration=100, end_time=end)
    path = "/v2/tournament"

    def listed(**query: str) -> list[str]:
        return [one["id"] for one in world.ok("ann", "GET", path, **query).get("tournaments", ())]

    assert listed() == ["c", "b", "a"]
    assert listed(end_time=str(now + 15)) == ["b"]
    assert listed(start_time="0", end_time="0") == ["a"]
    cursor = world.ok("ann", "GET", path, limit="1")["cursor"]
    world.clock.seconds += 15
    assert listed() == ["c", "a"]
    assert listed(cursor=cursor) == ["a"]
    assert listed(category_start="1") == []
    status, body = world.ask("ann", "POST", f"{path}/b", {"score": 1})
    assert (status, body["message"]) == (404, "Tournament not found or has ended.")
    status, body = world.ask("ann", "GET", f"{path}/b")
    assert (status, body["message"]) == (404, "Tournament has ended.")
    assert world.ok("ann", "GET", f"{path}/b", expiry=str(now + 10)) == {}
    status, body = world.ask("ann", "GET", f"{path}/a/owner/{world.ids['ann']}", cursor="x")
    assert (status, body["message"]) == (500, "Error querying records from leaderboard.")
    assert world.ask("ann", "GET", path, start_time="-1")[0] == 400


def test_tournament_writes_that_fail() -> None:
    world = World()
    boards = world.core.leaderboards
    boards.create_tournament("t", duration=100, authoritative=False, max_size=1)
    path = "/v2/tournament/t"
    assert world.ask("ann", "POST", path, {"score": -1})[0] == 500
    assert world.ask("ann", "POST", path, {"metadata": r'{"a":"\u0000"}'})[0] == 500
    world.ok("ann", "POST", path, {"score": 1})
    assert world.ask("bob", "POST", path, {"score": 1})[1]["message"] == "Tournament has reached max size."
    boards.create_tournament("joined", duration=10, join_required=True)
    world.clock.seconds += 10
    status, body = world.ask("ann", "POST", "/v2/tournament/joined/join")
    assert (status, body["message"]) == (400, "Tournament is not active and cannot accept new joins.")


@pytest.mark.parametrize("body", [{"name": "n" * 256}, {"name": "n", "description": "d" * 256}])
def test_groups_too_long_for_the_database(body: dict[str, str]) -> None:
    world = World()
    assert world.ask("ann", "POST", "/v2/group", body)[0] == 500
    group = world.ok("ann", "POST", "/v2/group", {"name": "g"})
    assert world.ask("ann", "PUT", f"/v2/group/{group['id']}", body)[0] == 500


def test_close_and_open_a_group() -> None:
    world = World()
    group = world.ok("ann", "POST", "/v2/group", {"name": "g"})["id"]
    world.ok("ann", "PUT", f"/v2/group/{group}", {"open": True})
    world.ok("bob", "POST", f"/v2/group/{group}/join")
    assert [user["state"] for user in _users(world, group)] == [0, 2]


def test_unlinking_one_of_many_devices() -> None:
    world = World()
    world.ok("ann", "POST", "/v2/account/link/device", {"id": "another-device"})
    world.ok("ann", "POST", "/v2/account/unlink/device", {"id": "device-of-ann"})
    login = {"id": "device-of-ann"}
    status, _ = world.ask("", "POST", "/v2/account/authenticate/device", login, create="false")
    assert status == 404


def test_instant_game_without_a_player() -> None:
    world = World()
    path = "/v2/account/authenticate/facebookinstantgame"
    created = world.ok("", "POST", path, {"signed_player_info": signed_player("p")}, username="gamer")
    assert created["created"] is True
    status, _ = world.ask("", "POST", path, {"signed_player_info": signed_player("p", "secret")})
    assert status == 500


def test_cursor_of_another_list() -> None:
    world = World()
    core = world.core
    core.friends.add(world.ids["ann"], [world.ids["bob"], world.ids["cid"]])
    _, cursor = core.friends.page(world.ids["ann"], 1)
    with pytest.raises(InvalidCursor):
        core.storage.page("", "c", None, 1, cursor)
