"""Our own Lua modules behave the same on the emulator and on a real server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from nakama_bots.session import Session

from .support import Like, Line, Server, error_reply, refused

Connect = Callable[..., Line]
MATCH_ID = Like(r"[0-9a-f-]{36}\.[\w-]+")
LABEL = '{"workload":"benchmark"}'
MOST_PLAYERS = 10
ECHO, BROADCAST = 1, 2


@pytest.fixture(scope="module", autouse=True)
def modules(server: Server) -> None:
    server.function("create_match")


def create(line: Line, payload: str = "") -> str:
    answer = json.loads(line.socket.rpc("create_match", payload)["payload"])
    assert answer == {"match_id": MATCH_ID}
    return str(answer["match_id"])


def test_empty_payload_creates_the_benchmark_match(connect: Connect) -> None:
    line = connect()
    match_id = create(line)
    match = line.socket.join_match(match_id)
    assert match["match_id"] == match_id
    assert match["authoritative"] is True
    assert match["label"] == LABEL
    assert "presences" not in match


def test_payload_with_a_module_name(connect: Connect) -> None:
    line = connect()
    match_id = create(line, '{"module":"benchmark_match","params":{}}')
    assert line.socket.join_match(match_id)["label"] == LABEL


def test_unknown_match_module(connect: Connect) -> None:
    line = connect()
    with error_reply(7, "error creating match: error creating match: not found"):
        line.socket.rpc("create_match", '{"module":"no_such_match"}')


@pytest.mark.parametrize("payload", ["x", 1, True])
def test_payload_that_is_not_an_object(server: Server, session: Session, payload: object) -> None:
    with refused(400, 3, "the payload must be a JSON object"):
        server.client.rpc(session, "create_match", payload)


def test_echo_and_broadcast(connect: Connect) -> None:
    one, other = connect(), connect()
    match_id = create(one)
    for line in (one, other):
        line.socket.join_match(match_id)
    one.socket.send_match_state(match_id, ECHO, b"to myself")
    one.socket.send_match_state(match_id, BROADCAST, b"to all")

    def data(op_code: int, payload: bytes) -> dict[str, object]:
        content = base64.b64encode(payload).decode()
        return {"match_id": match_id, "op_code": str(op_code), "data": content, "reliable": True}

    assert one.take("match_data") == data(ECHO, b"to myself")
    assert one.take("match_data") == data(BROADCAST, b"to all")
    assert other.take("match_data") == data(BROADCAST, b"to all")
    assert "match_data" not in other.keys()  # noqa: SIM118 - not a dictionary


def test_full_match(connect: Connect) -> None:
    lines = [connect() for _ in range(MOST_PLAYERS + 1)]
    match_id = create(lines[0])
    for line in lines[:MOST_PLAYERS]:
        line.socket.join_match(match_id)
    with error_reply(5, "match full"):
        lines[-1].socket.join_match(match_id)
    lines[0].socket.leave_match(match_id)
    lines[1].take("match_presence_event", lambda event: "leaves" in event)
    assert lines[-1].socket.join_match(match_id)["size"] == MOST_PLAYERS - 1


def test_find_benchmark_match(connect: Connect) -> None:
    line = connect()
    found = json.loads(line.socket.rpc("find_benchmark_match")["payload"])
    assert found == {"match_id": MATCH_ID}
    assert line.socket.join_match(found["match_id"])["label"] == LABEL
