"""Relayed matches: create, join, presences, data, leave."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from .support import (
    RELAYED_MATCH_ID,
    SESSION_KEY,
    UNKNOWN_ID,
    Like,
    Line,
    error_reply,
    signed,
    unique,
)

Connect = Callable[..., Line]
NAMED_MATCH_ID = Like(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.")


def together(*lines: Line) -> tuple[str, list[dict[str, Any]]]:
    """Join all lines to a new match and take its events; return its id and the presences."""
    match_id = lines[0].socket.create_match()["match_id"]
    lines[0].take("match_presence_event")
    presences = []
    for number, line in enumerate(lines):
        if number:
            line.socket.join_match(match_id)
        presences.append(line.presence())
    for number, line in enumerate(lines):
        for later in lines[max(1, number) :]:
            event = line.take("match_presence_event")
            (presence,) = event["joins"]
            assert presence["user_id"] == later.user_id
            presences[lines.index(later)] = presence
    if len(lines) > 1:
        again = lines[0].socket.join_match(match_id)
        presences[0] = again["self"]
    return match_id, presences


def data(
    match_id: str, sender: dict[str, Any], payload: bytes = b"", op_code: int = 0, **more: object
) -> dict[str, Any]:
    """A ``match_data`` push; defaults are omitted."""
    push: dict[str, Any] = {"match_id": match_id, "presence": sender, **more}
    if payload:
        push["data"] = base64.b64encode(payload).decode()
    if op_code:
        push["op_code"] = str(op_code)
    return push


def test_create(connect: Connect) -> None:
    line = connect()

    match = line.socket.create_match()

    assert match == {"match_id": RELAYED_MATCH_ID, "size": 1, "self": line.presence()}
    event = {"match_id": match["match_id"], "joins": [match["self"]]}
    assert line.take("match_presence_event") == event
    assert line.socket.create_match()["match_id"] != match["match_id"]


def test_join_and_leave(connect: Connect) -> None:
    a, b = connect(), connect()
    first = a.socket.create_match()
    match_id = first["match_id"]
    a.take("match_presence_event")

    second = b.socket.join_match(match_id)

    # A new joiner is neither in the presences nor in the size.
    assert second == {
        "match_id": match_id,
        "size": 1,
        "presences": [first["self"]],
        "self": b.presence(),
    }
    joined = {"match_id": match_id, "joins": [second["self"]]}
    assert [line.take("match_presence_event") for line in (a, b)] == [joined, joined]
    again = b.socket.join_match(match_id)
    assert again["size"] == 2
    assert sorted(p["user_id"] for p in again["presences"]) == sorted([a.user_id, b.user_id])
    assert b.keys() == []

    b.socket.leave_match(match_id)
    assert a.take("match_presence_event") == {"match_id": match_id, "leaves": [second["self"]]}
    assert b.keys() == []
    b.socket.leave_match(match_id)
    a.socket.leave_match(match_id)
    # The match ended with its last member.
    with error_reply(4, "Match not found"):
        b.socket.join_match(match_id)


def test_named(connect: Connect) -> None:
    a, b, name = connect(), connect(), unique("match")

    first = a.socket.create_match(name)
    a.take("match_presence_event")
    second = b.socket.create_match(name)
    b.take("match_presence_event")
    third = b.socket.create_match(name)

    match_id = first["match_id"]
    assert first == {"match_id": NAMED_MATCH_ID, "size": 1, "self": a.presence()}
    assert second == {
        "match_id": match_id,
        "size": 2,
        "presences": [first["self"]],
        "self": b.presence(),
    }
    assert third["size"] == 2
    assert {p["session_id"] for p in third["presences"]} == {
        first["self"]["session_id"],
        second["self"]["session_id"],
    }
    assert a.take("match_presence_event") == {"match_id": match_id, "joins": [second["self"]]}
    assert a.keys() == b.keys() == []
    again = b.socket.join_match(match_id)
    assert (again["size"], again["self"]) == (2, third["self"])
    assert len(again["presences"]) == 2


def test_data_goes_to_other_members(connect: Connect) -> None:
    lines = [connect() for _ in range(3)]
    a, b, c = lines
    match_id, (sender, *_) = together(*lines)

    a.socket.send_match_state(match_id, 1, b"hello")

    expected = data(match_id, sender, b"hello", 1)
    assert [line.take("match_data") for line in (b, c)] == [expected, expected]
    assert a.keys() == []


def test_data_to_chosen_members(connect: Connect) -> None:
    lines = [connect() for _ in range(3)]
    a, b, c = lines
    match_id, (one, two, three) = together(*lines)

    a.socket.send_match_state(match_id, 1, b"to b", [two])
    a.socket.send_match_state(match_id, 2, b"to all")
    b.socket.send_match_state(match_id, 3, b"to me and c", [two, three])
    c.socket.send_match_state(match_id, 4, b"no such", [{**one, "session_id": UNKNOWN_ID}])
    c.socket.send_match_state(match_id, 5, b"without a session", [{"user_id": one["user_id"]}])
    # Only the session id counts.
    c.socket.send_match_state(match_id, 6, b"to a", [{**one, "user_id": UNKNOWN_ID}])

    # Data of different senders arrives in any order, including a sender's own echo.
    assert sorted(b.take("match_data")["op_code"] for _ in range(3)) == ["1", "2", "3"]
    assert sorted(c.take("match_data")["op_code"] for _ in range(2)) == ["2", "3"]
    assert a.take("match_data") == data(match_id, three, b"to a", 6)
    assert [line.keys() for line in lines] == [[], [], []]


@pytest.mark.parametrize(
    ("op_code", "payload"),
    [
        (0, b"a"),
        (-5, b"a"),
        (9223372036854775807, b"a"),
        (-9223372036854775808, b"a"),
        (1, b""),
        (0, b""),
        (1, bytes(range(256))),
        (1, b"\xfb\xff\xbf"),
        (1, b"x" * 2900),
    ],
)
def test_data_and_op_codes(connect: Connect, op_code: int, payload: bytes) -> None:
    a, b = connect(), connect()
    match_id, (sender, _) = together(a, b)

    a.socket.send_match_state(match_id, op_code, payload)

    assert b.take("match_data") == data(match_id, sender, payload, op_code)


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"op_code": 2}, {"op_code": "2"}),
        ({"op_code": 1e3}, {"op_code": "1000"}),
        ({"data": "-_-_"}, {"data": "+/+/"}),
        ({"data": "YQ"}, {"data": "YQ=="}),
        ({"reliable": True}, {"reliable": True}),
        ({"reliable": False}, {}),
    ],
)
def test_encodings(connect: Connect, sent: dict[str, object], received: dict[str, object]) -> None:
    a, b = connect(), connect()
    match_id, (sender, _) = together(a, b)

    a.socket.send("match_data_send", {"match_id": match_id, **sent})

    assert b.take("match_data") == {"match_id": match_id, "presence": sender, **received}


def test_data_of_one_sender_arrives_in_order(connect: Connect) -> None:
    a, b = connect(), connect()
    match_id, _ = together(a, b)
    # Fewer than the server's queue of 64.
    for number in range(1, 41):
        a.socket.send_match_state(match_id, number, b"")
    assert [b.take("match_data")["op_code"] for _ in range(40)] == [str(n) for n in range(1, 41)]


def test_data_of_non_members_is_dropped(connect: Connect) -> None:
    a, b, stranger = connect(), connect(), connect()
    match_id, (_, two) = together(a, b)
    stranger.socket.send_match_state(match_id, 1, b"not a member")
    stranger.socket.ping_pong()
    b.socket.leave_match(match_id)
    assert a.take("match_presence_event")["leaves"] == [two]
    b.socket.send_match_state(match_id, 2, b"gone")
    b.socket.send_match_state(f"{UNKNOWN_ID}.", 3, b"unknown match")
    assert b.keys() == []
    assert [line.keys() for line in (a, stranger)] == [[], []]


@pytest.mark.parametrize("match_id", ["nope", "", UNKNOWN_ID])
def test_data_to_a_malformed_id(connect: Connect, match_id: str) -> None:
    line = connect()
    line.socket.send_match_state(match_id, 1, b"")
    # The only message that is answered without its cid, even if it has one.
    assert line.take("error") == {"code": 3, "message": "Invalid match ID"}
    line.socket.ping_pong()


@pytest.mark.parametrize(
    ("key", "body", "code", "text"),
    [
        ("match_join", {"match_id": "nope"}, 3, "Invalid match ID"),
        ("match_join", {"match_id": "nope."}, 3, "Invalid match ID"),
        ("match_join", {"match_id": UNKNOWN_ID}, 3, "Invalid match ID"),
        ("match_join", {"match_id": ""}, 3, "Invalid match ID"),
        ("match_join", {"match_id": f"{UNKNOWN_ID}."}, 4, "Match not found"),
        ("match_join", {"match_id": f"{UNKNOWN_ID}.othernode"}, 4, "Match not found"),
        ("match_join", {}, 3, "No match ID or token found"),
        ("match_join", {"token": "garbage"}, 3, "Invalid match token"),
        (
            "match_join",
            {"token": signed({"mid": f"{UNKNOWN_ID}.", "exp": 1000000000}, SESSION_KEY)},
            3,
            "Invalid match token",
        ),
        (
            "match_join",
            {"token": signed({"mid": f"{UNKNOWN_ID}.", "exp": 4102444800}, "some other key")},
            3,
            "Invalid match token",
        ),
        ("match_leave", {"match_id": "nope"}, 3, "Invalid match ID"),
        ("match_leave", {}, 3, "Invalid match ID"),
    ],
)
def test_refused(connect: Connect, key: str, body: dict[str, str], code: int, text: str) -> None:
    line = connect()
    with error_reply(code, text):
        line.socket.request(key, body)
    assert line.keys() == []


def test_leave_of_an_unknown_match(connect: Connect) -> None:
    connect().socket.leave_match(f"{UNKNOWN_ID}.")


def test_match_exists_until_its_last_member_leaves(connect: Connect) -> None:
    a, b = connect(), connect()
    match_id, (one, _) = together(a, b)
    a.close()
    assert b.take("match_presence_event") == {"match_id": match_id, "leaves": [one]}
    c = connect()
    assert c.socket.join_match(match_id)["size"] == 1
    c.close()
    b.close()
    last = connect()
    with error_reply(4, "Match not found"):
        last.socket.join_match(match_id)
