"""Hooks of a Lua module: the same file on the emulator and on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from nakama_bots.session import Session

from .support import Like, Line, Server, error_reply, refused, unique, until

Connect = Callable[..., Line]


@pytest.fixture(scope="module", autouse=True)
def hooked(server: Server) -> None:
    server.function("contract_nk")


def kept(server: Server, session: Session, key: str) -> list[object]:
    named = {"collection": "contract_hooks", "key": key, "user_id": session.user_id}
    asked = {"name": "storage_read", "args": [[named]], "count": 1}
    found = server.client.rpc(session, "contract_nk", asked)["payload"]["values"][0]
    return [one["value"] for one in found]


def test_before_hook_changes_a_message(connect: Connect) -> None:
    line = connect(status=True)
    line.socket.update_status("hook:change")
    event = line.take(
        "status_presence_event", lambda event: "hook" not in str(event) and "changed" in str(event)
    )
    assert event["joins"][0]["status"] == "changed in before"


def test_before_hook_refuses_a_message(connect: Connect) -> None:
    line = connect()
    with error_reply(7, "refused by a hook"):
        line.socket.update_status("hook:fail")
    with error_reply(7, "a fault of the hook"):
        line.socket.update_status("hook:error")


def test_after_hook_of_a_message(server: Server, connect: Connect) -> None:
    line = connect()
    line.socket.update_status("hook:after")
    until(lambda: bool(kept(server, line.session, "rt_after")))
    assert kept(server, line.session, "rt_after") == [{"mode": "after", "answered": True, "status": "seen"}]


def test_before_hook_changes_a_request(server: Server) -> None:
    device = unique("contract") + "-hooked"
    session = server.client.authenticate_device(device, username=unique("asked"))
    assert session.username == f"hooked_{device}"
    assert session.vars == {"hook": "before"}


def test_before_hook_refuses_or_disables_a_request(server: Server) -> None:
    with refused(403, 7, "refused by a hook"):
        server.client.authenticate_device(unique("contract-device") + "-refused")
    with refused(404, 5, "Requested resource was not found."):
        server.client.authenticate_device(unique("contract-device") + "-disabled")


def test_after_hook_of_a_request(server: Server, session: Session) -> None:
    asked = {"name": "account_update_id", "args": [session.user_id, None, None, "hook:after"], "count": 4}
    server.client.rpc(session, "contract_nk", asked)
    server.client.get_account(session)
    until(lambda: bool(kept(server, session, "req_after")))
    assert kept(server, session, "req_after") == [{"mode": "after", "wallet": "{}", "request": False}]


def test_arguments_of_a_before_hook_of_a_message(server: Server, connect: Connect) -> None:
    line = connect()
    match_id = line.socket.create_match()["match_id"]
    line.socket.send_match_state(match_id, 1077, b"data", reliable=False)
    until(lambda: bool(kept(server, line.session, "rt_envelope")))
    [envelope] = kept(server, line.session, "rt_envelope")
    assert isinstance(envelope, dict)
    envelope.pop("cid", None)
    assert envelope == {"match_data_send": {"match_id": match_id, "op_code": "1077", "data": "ZGF0YQ=="}}


def test_arguments_of_an_after_hook_of_a_message(server: Server, connect: Connect) -> None:
    line = connect()
    line.socket.join_chat("hook:after", persistence=False)
    until(lambda: bool(kept(server, line.session, "rt_answer")))
    [seen] = kept(server, line.session, "rt_answer")
    assert isinstance(seen, dict)
    into, out = seen["into"], seen["out"]
    join = {"target": "hook:after", "type": 1, "persistence": False, "hidden": False}
    assert into == {"cid": Like(r"\d+"), "channel_join": join}
    assert (out["cid"], out["channel"]["room_name"]) == (into["cid"], "hook:after")


def test_arguments_of_a_before_hook_of_a_request(server: Server, session: Session) -> None:
    event = {"name": "hook:event", "properties": {"a": "b"}, "external": True}
    server.client.emit_event(session, {**event})
    assert kept(server, session, "req_event") == [event]
    board = unique("board")
    server.client.rpc(session, "contract_boards", {"id": board})
    server.api.write_leaderboard_record(
        session.token, board, {"score": "5", "subscore": "0", "metadata": '{"hook":1}'}
    )
    record = {"score": "5", "metadata": '{"hook":1}'}
    assert kept(server, session, "req_record") == [{"leaderboard_id": board, "record": record}]


def test_arguments_of_an_after_hook_of_a_login(server: Server) -> None:
    custom, name = unique("contract-custom"), unique("hooked")
    session = server.client.authenticate_custom(custom, username=name)
    until(lambda: bool(kept(server, session, "req_login")))
    request = {"account": {"id": custom}, "create": True, "username": name}
    assert kept(server, session, "req_login") == [
        {"username": name, "expiry": "number", "created": True, "token": "string", "request": request}
    ]


def test_matchmaker_matched_hook_creates_a_match(server: Server, connect: Connect) -> None:
    one, other = connect(), connect()
    mark = unique("hooked").replace("-", "")
    for line in (one, other):
        properties = {"contract": "hook", "mark": mark}
        line.socket.add_matchmaker(
            query=f"+properties.mark:{mark}", min_count=2, max_count=2, string_properties=properties
        )
    for line in (one, other):
        matched = line.take("matchmaker_matched", timeout=server.matchmaker_wait)
        assert matched["match_id"] == Like(r"[0-9a-f-]{36}\.[\w-]+")
        assert "token" not in matched


def test_reasons_of_joins_and_leaves(server: Server, connect: Connect) -> None:
    leaver, kicked, closed, ended, watcher = (connect() for _ in range(5))
    created = json.loads(watcher.socket.rpc("create_match", '{"module":"reasons"}')["payload"])
    match_id = created["match_id"]
    selves = [line.socket.join_match(match_id)["self"] for line in (leaver, kicked, closed, ended)]

    def reason(line: Line) -> int:
        named = {"collection": "contract_reasons", "key": line.user_id}
        asked = {"name": "storage_read", "args": [[named]], "count": 1}
        found = server.client.rpc(watcher.session, "contract_nk", asked)["payload"]["values"][0]
        return int(found[0]["value"]["reason"]) if found else -1

    until(lambda: [reason(line) for line in (leaver, kicked, closed, ended)] == [0, 0, 0, 0])
    leaver.socket.leave_match(match_id)
    kicked.socket.send_match_state(match_id, 1, b"")
    closed.close()
    disconnect = {"name": "session_disconnect", "args": [selves[3]["session_id"], 2], "count": 2}
    server.client.rpc(watcher.session, "contract_nk", disconnect)
    until(lambda: [reason(line) for line in (leaver, kicked, closed, ended)] == [3, 3, 4, 2])


def test_kicked_member_gets_broadcasts_of_the_same_function(connect: Connect) -> None:
    kicked, watcher = connect(), connect()
    match_id = json.loads(watcher.socket.rpc("create_match", '{"module":"reasons"}')["payload"])["match_id"]
    for line in (kicked, watcher):
        line.socket.join_match(match_id)
    kicked.socket.send_match_state(match_id, 1, b"")
    for line in (kicked, watcher):
        assert line.take("match_data")["op_code"] == "9"
    watcher.take("match_presence_event", lambda event: bool(event.get("leaves")))


def test_join_attempt_that_ends_the_match_has_no_reason(connect: Connect) -> None:
    line = connect()
    match_id = json.loads(line.socket.rpc("create_match", '{"module":"reasons"}')["payload"])["match_id"]
    with error_reply(5, "Match join rejected"):
        line.socket.join_match(match_id, metadata={"over": "1"})
    with error_reply(4, "Match not found"):
        line.socket.join_match(match_id)
