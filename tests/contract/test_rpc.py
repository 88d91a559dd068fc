"""Runtime functions by session, by http key and on the socket, and the health check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nakama_bots.session import Session

from .support import UNKNOWN_ID, Line, Server, error_reply, refused, signed


@pytest.mark.parametrize("value", [{"a": 1, "b": "x"}, "text", [1, 2], 5, "é中😀 <&>"])
def test_by_session(server: Server, session: Session, echo: str, value: object) -> None:
    assert server.client.rpc(session, echo, value) == {"payload": value}


def test_without_payload(server: Server, session: Session, echo: str) -> None:
    assert server.client.rpc(session, echo) == {"payload": ""}


@pytest.mark.parametrize("text", ["hello", '{"a":1,"b":"x"}', "", "é中😀 <&>"])
def test_texts(server: Server, session: Session, echo: str, text: str) -> None:
    assert server.api.rpc_func(session.token, echo, text) == {"payload": text}


def test_by_http_key(server: Server, echo: str) -> None:
    key = server.settings.credentials.http_key
    assert server.client.rpc_http_key(key, echo, {"a": 1}) == {"payload": {"a": 1}}


def test_ids_are_case_insensitive(server: Server, session: Session, echo: str) -> None:
    assert server.client.rpc(session, echo.upper(), 1) == {"payload": 1}


def test_wrong_http_key(server: Server) -> None:
    with refused(401, 16, "HTTP key invalid"):
        server.client.rpc_http_key("not-the-key", "echo", 1)


def test_server_key_is_not_an_http_key(server: Server) -> None:
    with refused(401, 16, "HTTP key invalid"):
        server.client.rpc_http_key(server.settings.credentials.server_key, "echo", 1)


def test_bad_token(server: Server) -> None:
    bad = Session(signed({"uid": UNKNOWN_ID, "exp": 4102444800}, "some other key"))
    with refused(401, 16, "Auth token invalid"):
        server.client.rpc(bad, "echo", 1)


def test_unknown_function(server: Server, session: Session) -> None:
    with refused(404, 5, "RPC function not found"):
        server.client.rpc(session, "no_such_rpc", 1)
    with refused(404, 5, "RPC function not found"):
        server.client.rpc_http_key(server.settings.credentials.http_key, "no_such_rpc", 1)


@pytest.mark.parametrize("payload", ["hello", '{"a":1}', "é中😀 <&>"])
def test_on_the_socket(connect: Callable[..., Line], echo: str, payload: str) -> None:
    assert connect().socket.rpc(echo, payload) == {"id": echo, "payload": payload}


def test_on_the_socket_without_payload(connect: Callable[..., Line], echo: str) -> None:
    socket = connect().socket
    assert socket.rpc(echo) == {"id": echo}
    # The id is returned as it was sent.
    assert socket.rpc(echo.upper(), "x") == {"id": echo.upper(), "payload": "x"}


def test_unknown_function_on_the_socket(connect: Callable[..., Line]) -> None:
    socket = connect().socket
    with error_reply(6, "RPC function not found"):
        socket.rpc("no_such_rpc", "x")
    with error_reply(3, "RPC ID must be set"):
        socket.rpc("", "x")
    socket.ping_pong()


def test_healthcheck(server: Server) -> None:
    assert server.client.healthcheck() == {}
    assert server.other_client(server_key="not-the-key").healthcheck() == {}


def test_function_without_an_envelope(server: Server, echo: str) -> None:
    session = server.new_session()
    value = {"deep": ["value", 1, None]}
    assert server.client.rpc(session, echo, value, unwrap=True) == value
    assert server.client.call(session, "POST", f"/v2/rpc/{echo}?unwrap", value) == value
    assert server.client.call(session, "POST", f"/v2/rpc/{echo}?unwrap", b"plain text") == "plain text"
    assert server.client.call(session, "POST", f"/v2/rpc/{echo}", '"x"') == {"payload": '"x"'}
    with refused(404, 5, "RPC function not found"):
        server.client.rpc(session, "no_such_function", value, unwrap=True)
