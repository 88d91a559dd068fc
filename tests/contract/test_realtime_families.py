"""Parties, streams, pushed notifications and the binary adapter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult

from nakama_bots.errors import ConnectionClosed
from nakama_bots.realtime.protobuf import ProtobufAdapter
from nakama_bots.realtime.socket import Socket
from nakama_bots.types.notifications import NotificationCode

from .support import ID, PUSH_TIMEOUT, SECONDS, SESSION_ID, UNKNOWN_ID, Like, Line, Server, error_reply, unique

Connect = Callable[..., Line]
SOMEBODY = {"user_id": UNKNOWN_ID, "session_id": UNKNOWN_ID, "username": "x"}
PARTY_ID = Like(r"[0-9a-f-]{36}\..+")
STREAMS = Path(__file__).parent / "modules" / "streams.lua"


def create(leader: Line, *, is_open: bool = True, max_size: int = 4, **more: Any) -> dict[str, Any]:
    """Create a party and take its two pushes, which may come before or after the ack."""
    party = dict(leader.socket.create_party(is_open, max_size, **more))
    named = {key: value for key, value in party.items() if key not in ("label", "hidden")}
    assert leader.take("party") == named
    joined = {"party_id": party["party_id"], "joins": [party["self"]]}
    assert leader.take("party_presence_event") == joined
    return party


def join(line: Line, party_id: str, *others: Line) -> dict[str, Any]:
    """Join an open party and take the pushes of all members."""
    line.socket.join_party(party_id)
    party = dict(line.take("party"))
    for one in (line, *others):
        assert one.take("party_presence_event") == {"party_id": party_id, "joins": [party["self"]]}
    return party


def test_open_party(connect: Connect) -> None:
    a, b, c = connect(), connect(), connect()
    party = create(a, max_size=3, label='{"mode":"raid"}')
    party_id, leader = party["party_id"], party["leader"]
    assert party == {
        "party_id": PARTY_ID,
        "open": True,
        "max_size": 3,
        "self": a.presence(),
        "leader": a.presence(),
        "presences": [a.presence()],
        "label": '{"mode":"raid"}',
    }
    second = join(b, party_id, a)
    assert second["leader"] == leader
    assert second["presences"] == [leader, second["self"]]
    third = join(c, party_id, a, b)

    a.socket.send_party_data(party_id, 1, b"hello party")
    sent = {"party_id": party_id, "presence": leader, "op_code": "1", "data": "aGVsbG8gcGFydHk="}
    assert [line.take("party_data") for line in (b, c)] == [sent, sent]
    b.socket.send_party_data(party_id, 0, "")
    empty = {"party_id": party_id, "presence": second["self"]}
    assert [line.take("party_data") for line in (a, c)] == [empty, empty]

    a.socket.promote_party_member(party_id, second["self"])
    promoted = {"party_id": party_id, "presence": second["self"]}
    assert [line.take("party_leader") for line in (a, b, c)] == [promoted] * 3
    b.socket.leave_party(party_id)
    # The oldest member is the new leader; that push comes before the leave.
    for line in (a, c):
        assert line.take("party_leader") == {"party_id": party_id, "presence": leader}
        assert line.take("party_presence_event") == {"party_id": party_id, "leaves": [second["self"]]}
    b.socket.leave_party(party_id)
    a.close()
    assert c.take("party_leader") == {"party_id": party_id, "presence": third["self"]}
    assert c.take("party_presence_event") == {"party_id": party_id, "leaves": [leader]}
    c.socket.leave_party(party_id)
    with error_reply(3, "Error joining party: party not found"):
        c.socket.join_party(party_id)
    assert b.keys() == c.keys() == []


def test_closed_party(connect: Connect) -> None:
    a, b, c = connect(), connect(), connect()
    party_id = create(a, is_open=False)["party_id"]
    assert a.socket.list_party_join_requests(party_id) == {"party_id": party_id}
    asking = []
    for line in (b, c):
        line.socket.join_party(party_id)
        asked = a.take("party_join_request")
        assert asked == {"party_id": party_id, "presences": [line.presence()]}
        asking.append(asked["presences"][0])
    assert a.socket.list_party_join_requests(party_id) == {"party_id": party_id, "presences": asking}
    with error_reply(3, "Error joining party: party join request duplicate"):
        b.socket.join_party(party_id)
    with error_reply(3, "Error accepting party join request: party leader only"):
        b.socket.accept_party_member(party_id, asking[0])
    with error_reply(3, "Error listing party join requests: party leader only"):
        b.socket.list_party_join_requests(party_id)

    a.socket.accept_party_member(party_id, asking[0])
    assert b.take("party")["self"] == asking[0]
    joined = {"party_id": party_id, "joins": [asking[0]]}
    assert [line.take("party_presence_event") for line in (a, b)] == [joined, joined]
    with error_reply(3, "Error accepting party join request: party join request not found"):
        a.socket.accept_party_member(party_id, asking[0])
    a.socket.remove_party_member(party_id, asking[1])
    assert a.socket.list_party_join_requests(party_id) == {"party_id": party_id}

    a.socket.close_party(party_id)
    assert [line.take("party_close") for line in (a, b)] == [{"party_id": party_id}] * 2
    assert a.keys() == b.keys() == c.keys() == []


def test_remove_a_member(connect: Connect) -> None:
    a, b = connect(), connect()
    party_id = create(a)["party_id"]
    member = join(b, party_id, a)["self"]
    with error_reply(3, "Error removing party member or join request: party leader only"):
        b.socket.remove_party_member(party_id, member)
    a.socket.remove_party_member(party_id, member)
    assert b.take("party_close") == {"party_id": party_id}
    assert a.take("party_presence_event") == {"party_id": party_id, "leaves": [member]}
    with error_reply(3, "Error removing party member or join request: party member not found"):
        a.socket.remove_party_member(party_id, member)
    with error_reply(3, "Error sending party data: party member not found"):
        b.socket.send_party_data(party_id, 1, b"")
    assert a.keys() == b.keys() == []


def test_update_a_party(connect: Connect) -> None:
    a, b = connect(), connect()
    party_id = create(a, label='{"a":1}')["party_id"]
    join(b, party_id, a)
    with error_reply(3, "Error updating party: party leader only"):
        b.socket.update_party(party_id)
    for changes in ({"label": '{"b":2}', "open": True}, {"open": True, "hidden": True}):
        a.socket.update_party(party_id, **changes)
        update = {"party_id": party_id, **changes}
        assert [line.take("party_update") for line in (a, b)] == [update, update]
    with error_reply(3, "Error updating party: party is hidden and label is not empty, invalid operation"):
        a.socket.update_party(party_id, '{"a":1}', hidden=True)
    a.socket.update_party(party_id)
    assert [line.take("party_update") for line in (a, b)] == [{"party_id": party_id}] * 2


def test_party_in_the_matchmaker(connect: Connect) -> None:
    a, b = connect(), connect()
    party_id = create(a)["party_id"]
    join(b, party_id, a)
    ticket = a.socket.add_matchmaker_party(party_id, "+properties.none:x", 2, 2, {"mode": "duo"}, {"rank": 1.5})
    assert ticket == {"party_id": party_id, "ticket": ID}
    assert b.take("party_matchmaker_ticket") == ticket
    a.socket.remove_matchmaker_party(party_id, ticket["ticket"])
    with error_reply(3, "Error closing party: matchmaker ticket not found"):
        a.socket.remove_matchmaker_party(party_id, ticket["ticket"])
    with error_reply(3, "Error adding party to matchmaker: party leader only"):
        b.socket.add_matchmaker_party(party_id)
    assert a.keys() == b.keys() == []


def test_two_parties_are_matched(server: Server, connect: Connect) -> None:
    lines, pool = [connect() for _ in range(4)], unique("pool")
    for leader, member in (lines[:2], lines[2:]):
        party_id = create(leader)["party_id"]
        join(member, party_id, leader)
        leader.socket.add_matchmaker_party(party_id, f"+properties.pool:{pool}", 4, 4, {"pool": pool})
        member.take("party_matchmaker_ticket")
    tokens = set()
    for line in lines:
        matched = line.take("matchmaker_matched", timeout=server.matchmaker_wait)
        assert sorted(user["presence"]["user_id"] for user in matched["users"]) == sorted(
            one.user_id for one in lines
        )
        assert matched["self"] == {
            "presence": line.presence(), "party_id": PARTY_ID, "string_properties": {"pool": pool}
        }  # fmt: skip
        tokens.add(matched["token"])
    assert len(tokens) == 1


@pytest.mark.parametrize(
    ("key", "body", "text"),
    [
        ("party_create", {"open": True, "max_size": 257}, "Invalid party max size, must be 1-256"),
        ("party_join", {"party_id": "nope"}, "Invalid party ID"),
        ("party_leave", {"party_id": "nope"}, "Invalid party ID"),
        ("party_promote", {"party_id": "nope", "presence": SOMEBODY}, "Invalid party ID"),
        ("party_accept", {"party_id": "nope", "presence": SOMEBODY}, "Invalid party ID"),
        ("party_remove", {"party_id": "nope", "presence": SOMEBODY}, "Invalid party ID"),
        ("party_close", {"party_id": "nope"}, "Invalid party ID"),
        ("party_update", {"party_id": "nope"}, "Invalid party ID"),
        ("party_join_request_list", {"party_id": "nope"}, "Invalid party ID"),
        ("party_data_send", {"party_id": "nope", "op_code": "1"}, "Invalid party ID"),
        ("party_matchmaker_add", {"party_id": "nope", "min_count": 2, "max_count": 2}, "Invalid party ID"),
        ("party_matchmaker_remove", {"party_id": "nope", "ticket": UNKNOWN_ID}, "Invalid party ID"),
    ],
)
def test_refused_party_messages(connect: Connect, key: str, body: dict[str, Any], text: str) -> None:
    with error_reply(3, text):
        connect().socket.request(key, body)


@pytest.fixture(scope="module")
def streams(server: Server) -> Server:
    """A server with functions for streams."""
    server.function("contract_stream_join")
    return server


@pytest.fixture
def stream_line(streams: Server) -> Iterator[Callable[[], Line]]:
    lines: list[Line] = []

    def connect() -> Line:
        lines.append(Line(streams, streams.new_session()))
        return lines[-1]

    yield connect
    for line in lines:
        line.close()


def call(line: Line, name: str, **payload: Any) -> None:
    reply = line.socket.rpc(f"contract_stream_{name}", json.dumps(payload))
    assert json.loads(reply["payload"]) == {"ok": True}


def test_stream(stream_line: Callable[[], Line]) -> None:
    a, b, label = stream_line(), stream_line(), unique("stream")
    stream = {"mode": 123, "label": label}
    call(a, "join", label=label)
    assert a.take("stream_presence_event") == {"stream": stream, "joins": [a.presence()]}
    call(b, "join", label=label)
    joined = {"stream": stream, "joins": [b.presence()]}
    assert [line.take("stream_presence_event") for line in (a, b)] == [joined, joined]

    call(a, "send", label=label, data='{"tick":1}', reliable=True)
    data = {"stream": stream, "data": '{"tick":1}', "reliable": True}
    assert [line.take("stream_data") for line in (a, b)] == [data, data]
    call(b, "send", label=label, data="plain text", reliable=False)
    data = {"stream": stream, "data": "plain text"}
    assert [line.take("stream_data") for line in (a, b)] == [data, data]

    call(b, "leave", label=label)
    assert a.take("stream_presence_event") == {"stream": stream, "leaves": [b.presence()]}
    call(a, "close", label=label)
    call(a, "send", label=label, data="nobody", reliable=True)
    assert a.keys() == b.keys() == []


def test_hidden_member_of_a_stream(stream_line: Callable[[], Line]) -> None:
    a, b, label = stream_line(), stream_line(), unique("stream")
    call(a, "join", label=label)
    a.take("stream_presence_event")
    call(b, "join", label=label, hidden=True)
    call(a, "send", label=label, data="x", reliable=True)
    assert b.take("stream_data")["data"] == "x"
    a.take("stream_data")
    b.close()
    assert a.keys() == b.received == []


def test_notification_is_pushed_and_listed(server: Server, connect: Connect) -> None:
    a, b = connect(), connect()
    read: AsyncResult[Any] = AsyncResult()
    a.socket.on_notification(read.set)
    server.client.add_friends(b.session, [a.user_id])
    notification = read.get(timeout=PUSH_TIMEOUT)
    assert notification == {
        "id": ID,
        "subject": f"{b.username} wants to add you as a friend",
        "content": {"username": b.username},
        "code": NotificationCode.FRIEND_REQUEST,
        "sender_id": b.user_id,
        "create_time": SECONDS,
        "persistent": True,
    }
    pushed = a.take("notifications")["notifications"]
    assert [one["id"] for one in pushed] == [notification["id"]]


@pytest.fixture
def binary(server: Server) -> Iterator[Socket]:
    """A socket that speaks protobuf."""
    socket = Socket(
        server.target, timeouts=server.timeouts, network=server.settings.network, adapter=ProtobufAdapter()
    )
    with closing(socket):
        session = server.new_session()
        socket.connect(session, create_status=True)
        yield socket
    assert socket.ledger.sent == socket.ledger.ended
    assert (socket.ledger.late, socket.ledger.unmatched) == (0, 0)


def test_both_adapters_receive_the_same(binary: Socket, connect: Connect) -> None:
    text, room = connect(), unique("room")
    binary.ping_pong()
    ours, theirs = binary.join_chat(room), text.socket.join_chat(room)
    assert theirs["presences"] == [ours["self"]]
    with binary.expect("channel_message") as received:
        ack = text.socket.write_chat_message(ours["id"], {"text": "hi"})
        assert received.wait() == text.take("channel_message") == {
            **ack, "sender_id": text.user_id, "content": '{"text":"hi"}'
        }  # fmt: skip
    history = binary.write_chat_message(ours["id"], {"n": 1})
    assert text.take("channel_message")["message_id"] == history["message_id"]
    assert history.keys() == ack.keys()

    match = binary.create_match()
    joined = text.socket.join_match(match["match_id"])
    assert (match["size"], joined["presences"]) == (1, [match["self"]])
    with binary.expect("match_data") as received:
        text.socket.send_match_state(match["match_id"], -7, b"from json")
        assert received.wait() == {
            "match_id": match["match_id"], "presence": joined["self"], "op_code": "-7", "data": "ZnJvbSBqc29u"
        }  # fmt: skip
    binary.send_match_state(match["match_id"], 2**62, "from protobuf", [joined["self"]], reliable=True)
    assert text.take("match_data") == {
        "match_id": match["match_id"], "presence": match["self"], "op_code": str(2**62),
        "data": "ZnJvbSBwcm90b2J1Zg==", "reliable": True,
    }  # fmt: skip


def test_other_messages_in_protobuf(binary: Socket, connect: Connect) -> None:
    text = connect()
    text.socket.follow_users([binary.join_chat(unique("me"))["self"]["user_id"]])
    with binary.expect("status_presence_event") as received:
        binary.update_status("")
        assert received.wait()["joins"][0]["status"] == ""
    assert text.take("status_presence_event", lambda body: "joins" in body)["joins"][0]["status"] == ""
    assert binary.follow_users([text.user_id]) == {}
    binary.unfollow_users([text.user_id])

    with binary.expect("party") as received:
        party = binary.create_party(open=True, max_size=4, label='{"a":1}', hidden=True)
        assert received.wait() == {k: v for k, v in party.items() if k not in ("label", "hidden")}
    assert (party["label"], party["hidden"]) == ('{"a":1}', True)
    text.socket.join_party(party["party_id"])
    with binary.expect("party_data") as received:
        text.socket.send_party_data(party["party_id"], 0, b"\xff")
        body = received.wait()
        assert body == {"party_id": party["party_id"], "presence": text.presence(SESSION_ID), "data": "/w=="}
    ticket = binary.add_matchmaker_party(
        party["party_id"], "+properties.none:x", 2, 4, {"a": "b"}, {"x": 1.5}, count_multiple=2
    )
    assert text.take("party_matchmaker_ticket") == ticket
    binary.remove_matchmaker_party(party["party_id"], ticket["ticket"])
    single = binary.add_matchmaker("+properties.none:x", 2, 2, {"a": "b"}, {"x": 1.5})
    binary.remove_matchmaker(single["ticket"])
    with error_reply(3, "Invalid match ID"):
        binary.join_match("nope", metadata={"level": "1"})
    with error_reply(6, "RPC function not found"):
        binary.rpc("no_such_rpc", "x")


class Garbage(ProtobufAdapter):
    """A message that encodes to a malformed envelope."""

    def encode(self, envelope: dict[str, object], /) -> bytes:
        return b"\xff\xff\xff"


def test_malformed_envelope_closes_a_binary_socket(binary: Socket, server: Server) -> None:
    binary.ping_pong()
    socket = Socket(server.target, timeouts=server.timeouts, network=server.settings.network, adapter=Garbage())
    with closing(socket):
        socket.connect(server.new_session())
        with pytest.raises(ConnectionClosed, match="received malformed payload"):
            socket.ping_pong()
