"""Rooms, direct messages, and their history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nakama_bots.realtime.api import ChannelType
from nakama_bots.session import Session

from .support import FRACTION, ID, UNKNOWN_ID, Line, Server, error_reply, refused, unique

Connect = Callable[..., Line]


def room_of(name: str) -> dict[str, Any]:
    return {"channel_id": f"2...{name}", "room_name": name}


def event(name: str, **changes: object) -> dict[str, Any]:
    return {**room_of(name), **changes}


def ack(name: str, line: Line, *, code: int = 0, persistent: bool = True, ident: object = ID) -> dict[str, Any]:
    return {
        **room_of(name),
        "message_id": ident,
        "code": code,
        "username": line.username,
        "create_time": FRACTION,
        "update_time": FRACTION,
        "persistent": persistent,
    }


def message(name: str, line: Line, content: str, **options: Any) -> dict[str, Any]:
    return {**ack(name, line, **options), "sender_id": line.user_id, "content": content}


def join(line: Line, name: str, **options: Any) -> dict[str, Any]:
    """Join and wait for the event, which may come before or after the ack."""
    channel = line.socket.join_chat(name, **options)
    if not options.get("hidden"):
        assert line.take("channel_presence_event")["joins"] == [channel["self"]]
    return dict(channel)


def test_join_and_leave(connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("room")

    first = join(a, name)
    second = join(b, name)

    me, other = a.presence(persistence=True), b.presence(persistence=True)
    assert first == {"id": f"2...{name}", "self": me, "room_name": name}
    assert second == {"id": f"2...{name}", "self": other, "room_name": name, "presences": [first["self"]]}
    assert a.take("channel_presence_event") == event(name, joins=[second["self"]])

    b.socket.leave_chat(second["id"])
    assert a.take("channel_presence_event") == event(name, leaves=[second["self"]])
    assert b.keys() == []  # the leaver receives no event
    b.socket.leave_chat(second["id"])
    with error_reply(3, "Must join channel before sending messages"):
        b.socket.write_chat_message(second["id"], {})


def test_join_again(connect: Connect) -> None:
    line, name = connect(), unique("room")
    first = join(line, name)

    again = line.socket.join_chat(name)

    assert again == {**first, "presences": [first["self"]]}
    assert line.keys() == []


def test_disconnect_leaves_the_room(connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("room")
    join(a, name)
    gone = join(b, name)["self"]
    a.take("channel_presence_event")

    b.close()

    assert a.take("channel_presence_event") == event(name, leaves=[gone])


def test_messages_come_before_their_acks(connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("room")
    channel = join(a, name)["id"]
    join(b, name)
    a.take("channel_presence_event")

    sent = a.socket.write_chat_message(channel, {"text": "hello"})
    # No wait: it had arrived before the ack.
    assert a.received == [("channel_message", message(name, a, '{"text":"hello"}', ident=sent["message_id"]))]
    assert sent == ack(name, a)
    updated = a.socket.update_chat_message(channel, sent["message_id"], {"text": "hello again"})
    assert len(a.received) == 2
    assert updated == ack(name, a, code=1, ident=sent["message_id"])
    removed = a.socket.remove_chat_message(channel, sent["message_id"])
    assert len(a.received) == 3
    assert removed == ack(name, a, code=2, ident=sent["message_id"])

    expected = [
        message(name, a, '{"text":"hello"}', ident=sent["message_id"]),
        message(name, a, '{"text":"hello again"}', code=1, ident=sent["message_id"]),
        message(name, a, "{}", code=2, ident=sent["message_id"]),
    ]
    assert [a.take("channel_message") for _ in range(3)] == expected
    assert [b.take("channel_message") for _ in range(3)] == expected
    with error_reply(3, "Could not find message to remove in channel history"):
        a.socket.remove_chat_message(channel, sent["message_id"])


def test_messages_of_other_users_cannot_be_changed(connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("room")
    channel = join(a, name)["id"]
    join(b, name)
    sent = a.socket.write_chat_message(channel, {})

    with error_reply(3, "Could not find message to update in channel history"):
        b.socket.update_chat_message(channel, sent["message_id"], {"text": "not mine"})
    with error_reply(3, "Could not find message to remove in channel history"):
        b.socket.remove_chat_message(channel, sent["message_id"])


def test_hidden_member(server: Server, connect: Connect) -> None:
    a, shadow, c, name = connect(), connect(), connect(), unique("room")
    first = join(a, name)["self"]
    hidden = join(shadow, name, hidden=True)
    assert hidden["self"] == shadow.presence(persistence=True)
    third = join(c, name)

    # The first event for the others is that of the next member.
    assert third["presences"] == [first]
    joined = event(name, joins=[third["self"]])
    assert [line.take("channel_presence_event") for line in (a, shadow)] == [joined, joined]
    shadow.socket.write_chat_message(hidden["id"], {"text": "from the shadows"})
    for line in (a, c, shadow):
        assert line.take("channel_message")["sender_id"] == shadow.user_id
    shadow.socket.leave_chat(hidden["id"])
    assert a.keys() == []


def test_persistence_off(server: Server, connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("room")
    channel = join(a, name, persistence=False)
    join(b, name)
    assert channel["self"] == a.presence()

    sent = a.socket.write_chat_message(channel["id"], {"text": "volatile"})
    changed = a.socket.update_chat_message(channel["id"], sent["message_id"], {"text": "v2"})
    removed = a.socket.remove_chat_message(channel["id"], sent["message_id"])

    ident = sent["message_id"]
    assert [sent, changed, removed] == [ack(name, a, code=n, persistent=False, ident=ident) for n in range(3)]
    assert [b.take("channel_message") for _ in range(3)] == [
        message(name, a, content, code=code, persistent=False, ident=ident)
        for code, content in enumerate(['{"text":"volatile"}', '{"text":"v2"}', "{}"])
    ]
    assert server.client.list_channel_messages(a.session, channel["id"], limit=10) == {}


class TestHistory:
    @pytest.fixture
    def line(self, connect: Connect) -> Line:
        return connect()

    @pytest.fixture
    def channel(self, line: Line) -> str:
        """A room with messages 1, 22 (was 2), 3 and 5; 4 was removed."""
        channel = str(join(line, unique("room"))["id"])
        ids = [line.socket.write_chat_message(channel, {"n": n})["message_id"] for n in range(1, 6)]
        line.socket.update_chat_message(channel, ids[1], {"n": 22})
        line.socket.remove_chat_message(channel, ids[3])
        return channel

    @staticmethod
    def numbers(page: Any) -> list[int]:
        return [json.loads(one["content"])["n"] for one in page["messages"]]

    def test_forward_and_back(self, server: Server, line: Line, channel: str) -> None:
        def page(cursor: str | None = None, **options: Any) -> Any:
            return server.api.list_channel_messages(
                line.session.token, channel, limit=2, cursor=cursor, **options
            )

        first = page()
        second = page(first["next_cursor"], forward=True)
        back = page(second["prev_cursor"])

        assert (self.numbers(first), self.numbers(second)) == ([1, 22], [3, 5])
        assert first.keys() == {"messages", "next_cursor", "cacheable_cursor"}
        assert second.keys() == {"messages", "prev_cursor", "cacheable_cursor"}
        assert back == first
        # A cursor is valid in its own direction only.
        with refused(400, 3, "Cursor is invalid or expired."):
            page(first["next_cursor"], forward=False)

    def test_backward(self, server: Server, line: Line, channel: str) -> None:
        def page(cursor: str | None = None) -> Any:
            return server.api.list_channel_messages(
                line.session.token, channel, limit=3, forward=False, cursor=cursor
            )

        first = page()
        second = page(first["next_cursor"])

        assert (self.numbers(first), self.numbers(second)) == ([5, 3, 22], [1])
        assert "next_cursor" not in second
        assert self.numbers(page(second["prev_cursor"])) == [5, 3, 22]

    def test_message(self, server: Server, line: Line, channel: str) -> None:
        page = server.api.list_channel_messages(line.session.token, channel, limit=100)

        name = channel.removeprefix("2...")
        # JSONB rewrote the contents; an updated message has code 0.
        assert page["messages"] == [message(name, line, f'{{"n": {n}}}') for n in (1, 22, 3, 5)]
        again = server.api.list_channel_messages(
            line.session.token, channel, limit=10, cursor=page["cacheable_cursor"]
        )
        assert again == {"cacheable_cursor": page["cacheable_cursor"]}

    def test_client_reads_the_contents(self, server: Server, line: Line, channel: str) -> None:
        page = server.client.list_channel_messages(line.session, channel, limit=100)
        assert [one["content"] for one in page["messages"]] == [{"n": n} for n in (1, 22, 3, 5)]

    def test_default_limit_is_one(self, server: Server, line: Line, channel: str) -> None:
        page = server.api.list_channel_messages(line.session.token, channel)
        assert self.numbers(page) == [1]
        assert page["next_cursor"] == page["cacheable_cursor"]

    def test_empty_room(self, server: Server, session: Session) -> None:
        assert server.client.list_channel_messages(session, f"2...{unique('room')}", limit=10) == {}

    @pytest.mark.parametrize(
        ("channel", "options", "text"),
        [
            ("2...room", {"limit": 0}, "Invalid limit - limit must be between 1 and 100."),
            ("2...room", {"limit": 101}, "Invalid limit - limit must be between 1 and 100."),
            ("2...room", {"cursor": "!!!"}, "Cursor is invalid or expired."),
            ("nope", {}, "Invalid channel ID."),
            ("9...x", {}, "Invalid channel ID."),
        ],
    )
    def test_bad_request(
        self, server: Server, session: Session, channel: str, options: dict[str, Any], text: str
    ) -> None:
        with refused(400, 3, text):
            server.client.list_channel_messages(session, channel, **options)


def test_direct_messages(server: Server, connect: Connect) -> None:
    a, b, stranger = connect(), connect(), connect()
    one, two = sorted((a.user_id, b.user_id))
    users = {"user_id_one": one, "user_id_two": two}
    ident = f"4.{one}.{two}."

    first = a.socket.join_chat(b.user_id, ChannelType.DIRECT_MESSAGE)
    assert first == {"id": ident, "self": a.presence(persistence=True), **users}
    assert a.take("channel_presence_event") == {"channel_id": ident, "joins": [first["self"]], **users}
    (notification,) = b.take("notifications")["notifications"]
    assert (notification["code"], notification["persistent"]) == (-1, True)
    assert notification["subject"] == f"{a.username} wants to chat"
    assert (notification["sender_id"], notification["id"]) == (a.user_id, ID)
    assert json.loads(notification["content"]) == {"username": a.username}

    second = b.socket.join_chat(a.user_id, ChannelType.DIRECT_MESSAGE)
    assert second["presences"] == [first["self"]]
    sent = b.socket.write_chat_message(ident, {"text": "hi"})
    assert sent.keys() >= {"user_id_one", "user_id_two"}
    assert "room_name" not in sent
    assert a.take("channel_message")["content"] == '{"text":"hi"}'
    (kept,) = server.api.list_channel_messages(a.session.token, ident, limit=10)["messages"]
    assert (kept["message_id"], kept["content"]) == (sent["message_id"], '{"text": "hi"}')
    with refused(400, 3, "Channel not found."):
        server.client.list_channel_messages(stranger.session, ident, limit=10)


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        ("", 1, "Invalid channel target"),
        ("x" * 65, 1, "Channel name is required and must be 1-64 chars: Invalid channel target"),
        ("bad\nname", 1, "Channel name must not contain control chars: Invalid channel target"),
        ("a\0b", 1, "Channel name must not contain control chars: Invalid channel target"),
        ("r", 4, "Invalid channel type"),
        ("r", -1, "Invalid channel type"),
        ("not-a-uuid", 2, "Invalid user ID in direct message join: Invalid channel target"),
        (UNKNOWN_ID, 2, "User ID not found: Invalid channel target"),
        ("not-a-uuid", 3, "Invalid group ID in group channel join: Invalid channel target"),
        (UNKNOWN_ID, 3, "Group not found: Invalid channel target"),
    ],
)
def test_bad_join(connect: Connect, target: str, kind: int, text: str) -> None:
    with error_reply(3, text):
        connect().socket.request("channel_join", {"target": target, "type": kind})


def test_join_without_type_is_a_room(connect: Connect) -> None:
    name = unique("untyped")
    assert connect().socket.request("channel_join", {"target": name})["room_name"] == name


_INVALID_CHANNEL = "Invalid channel identifier"
_INVALID_CONTENT = "Message content must be a valid JSON object"


@pytest.mark.parametrize(
    ("key", "body", "text"),
    [
        ("channel_message_send", {"channel_id": "nope", "content": "{}"}, _INVALID_CHANNEL),
        ("channel_message_send", {"content": "{}"}, _INVALID_CHANNEL),
        (
            "channel_message_send",
            {"channel_id": "2...other", "content": "{}"},
            "Must join channel before sending messages",
        ),
        ("channel_message_send", {"content": "nope"}, _INVALID_CONTENT),
        ("channel_message_send", {"content": "[1]"}, _INVALID_CONTENT),
        ("channel_message_send", {"content": '"text"'}, _INVALID_CONTENT),
        ("channel_message_send", {"content": "5"}, _INVALID_CONTENT),
        ("channel_message_send", {"content": ""}, _INVALID_CONTENT),
        ("channel_message_update", {"message_id": "nope", "content": "{}"}, "Invalid message identifier"),
        (
            "channel_message_update",
            {"channel_id": "nope", "message_id": UNKNOWN_ID, "content": "{}"},
            _INVALID_CHANNEL,
        ),
        ("channel_message_update", {"message_id": UNKNOWN_ID, "content": "nope"}, _INVALID_CONTENT),
        (
            "channel_message_update",
            {"message_id": UNKNOWN_ID, "content": "{}"},
            "Could not find message to update in channel history",
        ),
        (
            "channel_message_update",
            {"channel_id": "2...other", "message_id": UNKNOWN_ID, "content": "{}"},
            "Must join channel before updating messages",
        ),
        ("channel_message_remove", {"message_id": "nope"}, "Invalid message identifier"),
        ("channel_message_remove", {"channel_id": "nope", "message_id": UNKNOWN_ID}, _INVALID_CHANNEL),
        (
            "channel_message_remove",
            {"message_id": UNKNOWN_ID},
            "Could not find message to remove in channel history",
        ),
        (
            "channel_message_remove",
            {"channel_id": "2...other", "message_id": UNKNOWN_ID},
            "Must join channel before removing messages",
        ),
        ("channel_leave", {"channel_id": "nope"}, _INVALID_CHANNEL),
        ("channel_leave", {"channel_id": ""}, _INVALID_CHANNEL),
    ],
)
def test_bad_message(connect: Connect, key: str, body: dict[str, str], text: str) -> None:
    line = connect()
    joined = join(line, unique("room"))["id"]
    explicit = "channel_id" in body or (body == {"content": "{}"})

    with error_reply(3, text):
        line.socket.request(key, body if explicit else {"channel_id": joined, **body})
    assert line.keys() == []


def test_live_content_is_kept_verbatim(connect: Connect) -> None:
    line = connect()
    channel = join(line, unique("room"))["id"]
    line.socket.request("channel_message_send", {"channel_id": channel, "content": ' {"a":1} '})
    assert line.take("channel_message")["content"] == ' {"a":1} '
