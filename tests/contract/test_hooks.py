"""Hooks of a Lua module: the same file on the emulator and on a real server."""

from __future__ import annotations

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


def test_a_message_is_changed_before(connect: Connect) -> None:
    line = connect(status=True)
    line.socket.update_status("hook:change")
    event = line.take(
        "status_presence_event", lambda event: "hook" not in str(event) and "changed" in str(event)
    )
    assert event["joins"][0]["status"] == "changed in before"


def test_a_message_is_refused_before(connect: Connect) -> None:
    line = connect()
    with error_reply(7, "refused by a hook"):
        line.socket.update_status("hook:fail")
    with error_reply(7, "a fault of the hook"):
        line.socket.update_status("hook:error")


def test_a_message_is_seen_after(server: Server, connect: Connect) -> None:
    line = connect()
    line.socket.update_status("hook:after")
    until(lambda: bool(kept(server, line.session, "rt_after")))
    assert kept(server, line.session, "rt_after") == [{"mode": "after", "answered": True, "status": "seen"}]


def test_a_request_is_changed_before(server: Server) -> None:
    device = unique("contract") + "-hooked"
    session = server.client.authenticate_device(device, username=unique("asked"))
    assert session.username == f"hooked_{device}"
    assert session.vars == {"hook": "before"}


def test_a_request_is_refused_or_disabled_before(server: Server) -> None:
    with refused(403, 7, "refused by a hook"):
        server.client.authenticate_device(unique("contract-device") + "-refused")
    with refused(404, 5, "Requested resource was not found."):
        server.client.authenticate_device(unique("contract-device") + "-disabled")


def test_a_request_is_seen_after(server: Server, session: Session) -> None:
    asked = {"name": "account_update_id", "args": [session.user_id, None, None, "hook:after"], "count": 4}
    server.client.rpc(session, "contract_nk", asked)
    server.client.get_account(session)
    until(lambda: bool(kept(server, session, "req_after")))
    assert kept(server, session, "req_after") == [{"mode": "after", "wallet": "{}", "request": False}]


def test_the_matchmaker_asks_for_a_match(server: Server, connect: Connect) -> None:
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
