"""The handshake, status on connect, ping, close, and two sockets of one user."""

from __future__ import annotations

from collections.abc import Callable

from nakama_bots.session import Session

from .support import Line, Raw, Server


def test_no_push_without_status(connect: Callable[..., Line]) -> None:
    assert connect().keys() == []


def test_with_status(connect: Callable[..., Line]) -> None:
    line = connect(status=True)
    assert line.take("status_presence_event") == {"joins": [line.presence(status="")]}
    assert line.keys() == []


def test_online(server: Server, connect: Callable[..., Line]) -> None:
    hidden, visible = connect(), connect(status=True)
    visible.take("status_presence_event")

    assert "online" not in server.client.get_account(hidden.session)["user"]
    assert server.client.get_account(visible.session)["user"]["online"] is True


def test_many_pings_are_each_answered(connect: Callable[..., Line]) -> None:
    line = connect()
    for _ in range(50):
        line.socket.ping_pong()
    line.close()
    assert (line.socket.ledger.sent, line.socket.ledger.ok) == (50, 50)


def test_two_sockets_of_one_user(session: Session, connect: Callable[..., Line]) -> None:
    a, b = connect(session), connect(session)

    first, second = a.socket.create_match()["self"], b.socket.create_match()["self"]

    assert first == a.presence()
    assert second == b.presence()
    assert first["session_id"] != second["session_id"]


def test_close_is_reported_to_other_members(connect: Callable[..., Line]) -> None:
    stays, leaves = connect(), connect()
    match_id = stays.socket.create_match()["match_id"]
    stays.take("match_presence_event")
    leaver = leaves.socket.join_match(match_id)["self"]
    stays.take("match_presence_event", lambda event: event.get("joins") == [leaver])

    leaves.close()

    assert stays.take("match_presence_event") == {"match_id": match_id, "leaves": [leaver]}


def test_close_codes_are_echoed(server: Server, session: Session) -> None:
    for code in (1000, 1001, 4001):
        with Raw(server, session.token) as raw:
            raw.send(code.to_bytes(2, "big") + b"bye", 8)
            assert raw.received_close() == (code, "")
    with Raw(server, session.token) as raw:
        raw.send(b"", 8)
        assert raw.received_close() == (None, "")
