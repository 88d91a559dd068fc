"""Calls to custom routes, and RPCs without their envelope."""

from __future__ import annotations

from typing import Any

import pytest

from nakama_bots.errors import NotFound, RestError
from nakama_bots.rest.families.custom import template_of
from nakama_bots.rest.transports.transport import Response

from .support import Rig, ok
from .test_client import fresh

USER = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/rpc/x?unwrap", "/v2/rpc/x"),
        ("/shop/items?user=7", "/shop/items"),
        (f"/shop/{USER}/items/42", "/shop/{id}/items/{id}"),
        (f"/match/{USER}.node1", "/match/{id}"),
        ("/sessions/0123456789abcdef0123", "/sessions/{id}"),
        ("/t/" + "eyJhbGciOiJIUzI1NiJ9" * 3, "/t/{id}"),
        ("/", "/"),
    ],
)
def test_default_name_contains_no_id(path: str, name: str) -> None:
    assert template_of(path) == name


def test_custom_call_is_sent_and_reported() -> None:
    rig = Rig(ok({"gold": 7}))
    session = fresh()
    assert rig.client.call(session, "POST", f"/shop/{USER}?a=1", {"n": 1}, {"b": ["x y", "z"]}) == {"gold": 7}
    [sent] = rig.transport.sent
    assert (sent.method, sent.path, sent.body) == ("POST", f"/shop/{USER}?a=1&b=x%20y&b=z", {"n": 1})
    assert sent.headers["Authorization"] == f"Bearer {session.token}"
    assert rig.observer.outcomes() == [("POST", "/shop/{id}", None)]


def test_custom_name_and_typed_failures() -> None:
    rig = Rig(
        Response(404, {}, b'{"code":5,"message":"no such item"}'), Response(502, {}, b"<html>bad gateway")
    )
    with pytest.raises(NotFound, match="no such item"):
        rig.client.call(fresh(), "GET", "/shop/sword", name="/shop/{item}")
    with pytest.raises(RestError, match="bad gateway"):
        rig.client.call(fresh(), "GET", "/shop/sword", name="/shop/{item}")
    assert [name for _, name, _ in rig.observer.outcomes()] == ["/shop/{item}"] * 2


def test_custom_call_without_session_and_with_http_key() -> None:
    rig = Rig()
    rig.client.call(None, "GET", "/status")
    rig.client.call(None, "GET", "/status", http_key="hk")
    rig.client.api_client.call("the.raw.token", "DELETE", "/status")
    assert [sent.headers.get("Authorization") for sent in rig.transport.sent] == [
        None, "Basic aGs6", "Bearer the.raw.token",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "value"),
    [(b"[1, 2]", [1, 2]), (b'"x"', "x"), (b"plain", "plain"), (b"", None), (b"\xff", "\ufffd")],
)
def test_answer_is_a_json_value_or_text(answer: bytes, value: Any) -> None:
    rig = Rig(Response(200, {}, answer), Response(200, {}, answer), Response(200, {}, answer))
    assert rig.client.call(fresh(), "GET", "/x") == value
    assert rig.client.rpc(fresh(), "f", {"a": 1}, unwrap=True) == value
    assert rig.client.rpc_http_key("hk", "f", {"a": 1}, unwrap=True) == value
    _, rpc, by_key = rig.transport.sent
    assert (rpc.path, rpc.body) == (by_key.path, by_key.body) == ("/v2/rpc/f?unwrap=", {"a": 1})
    assert [name for _, name, _ in rig.observer.outcomes()] == ["/x", "/v2/rpc/{id}", "/v2/rpc/{id}"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/x"), ("GET /x", "/x"), ("", "/x"), ("GET", "x"), ("GET", ""), ("GET", "/a b"),
        ("GET", "/x\r\nX: y"), ("GET", "/x#part"), ("GET", "http://elsewhere/"), ("GET", "/\u00e4"),
    ],
)  # fmt: skip
def test_bad_method_or_path(method: str, path: str) -> None:
    rig = Rig()
    with pytest.raises(ValueError, match=r"method must be|path must begin"):
        rig.client.call(fresh(), method, path)
    assert rig.transport.sent == []
