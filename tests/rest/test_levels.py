"""Differences between the two levels of client. test_exchanges checks both against recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nakama_bots.errors import Unauthenticated
from nakama_bots.rest.client import Client, NakamaApi
from nakama_bots.rest.transports.transport import Response
from nakama_bots.settings.target import Target

from .support import NOW, FakeTransport, Recorder, Rig, ok, token
from .test_client import SERVER_KEY, fresh

TOKENS = {"token": token(), "refresh_token": token(NOW + 7200)}
GAME_CENTER = {"bundle_id": "b", "player_id": "p", "public_key_url": "u", "salt": "s", "signature": "x"}


@pytest.mark.parametrize(
    ("provider", "arguments", "body"),
    [
        ("apple", {"token": "t"}, {"token": "t"}),
        ("custom", {"id": "i"}, {"id": "i"}),
        ("device", {"id": "i"}, {"id": "i"}),
        ("email", {"email": "e", "password": "p"}, {"email": "e", "password": "p"}),
        ("facebook", {"token": "t"}, {"token": "t"}),
        ("facebook_instant_game", {"signed_player_info": "s"}, {"signed_player_info": "s"}),
        ("game_center", {**GAME_CENTER, "timestamp": 17}, {**GAME_CENTER, "timestamp_seconds": 17}),
        ("google", {"token": "t"}, {"token": "t"}),
        ("steam", {"token": "t"}, {"token": "t"}),
    ],
)
def test_authentication_on_both_levels(provider: str, arguments: dict[str, Any], body: dict[str, Any]) -> None:
    rig = Rig(ok(TOKENS), ok(TOKENS), ok(TOKENS))
    name = f"authenticate_{provider}"
    more = {"sync": True} if provider in ("facebook", "steam") else {}
    session = getattr(rig.client, name)(**arguments, create=False, username="neo", vars={"k": "v"}, **more)
    getattr(rig.client, name)(**arguments)
    account = {**body, "vars": {"k": "v"}}
    raw = getattr(rig.client.api_client, name)(
        "server-key-1", "", account, create=False, username="neo", **more
    )
    assert (session.token, session.refresh_token) == (TOKENS["token"], TOKENS["refresh_token"])
    assert raw == TOKENS
    typed, plain, wire = rig.transport.sent
    path = f"/v2/account/authenticate/{provider.replace('_', '')}?create="
    assert (plain.path, plain.body) == (path + "true", body)
    assert (typed.method, typed.path, typed.body, typed.headers) == (
        wire.method, wire.path, wire.body, wire.headers,
    )  # fmt: skip
    assert typed.path == path + "false&username=neo" + ("&sync=true" if more else "")
    assert typed.body == account
    assert typed.headers["Authorization"] == SERVER_KEY


PURCHASES: list[tuple[str, tuple[str, ...], str, dict[str, str]]] = [
    ("validate_purchase_apple", ("r",), "purchase/apple", {"receipt": "r"}),
    ("validate_purchase_facebook_instant", ("s",), "purchase/facebookinstant", {"signed_request": "s"}),
    ("validate_purchase_google", ("p",), "purchase/google", {"purchase": "p"}),
    ("validate_purchase_huawei", ("p", "s"), "purchase/huawei", {"purchase": "p", "signature": "s"}),
    ("validate_purchase_samsung", ("i",), "purchase/samsung", {"purchase_id": "i"}),
    ("validate_subscription_apple", ("r",), "subscription/apple", {"receipt": "r"}),
    ("validate_subscription_google", ("r",), "subscription/google", {"receipt": "r"}),
]


@pytest.mark.parametrize(("name", "arguments", "path", "body"), PURCHASES)
def test_purchase_validation_on_both_levels(
    name: str, arguments: tuple[str, ...], path: str, body: dict[str, str]
) -> None:
    rig = Rig()
    session = fresh()
    getattr(rig.client, name)(session, *arguments)
    getattr(rig.client, name)(session, *arguments, persist=False)
    getattr(rig.client.api_client, name)(session.token, {**body, "persist": False})
    sent = [(one.method, one.path, one.body) for one in rig.transport.sent]
    assert sent == [
        ("POST", f"/v2/iap/{path}", body),
        ("POST", f"/v2/iap/{path}", {**body, "persist": False}),
        ("POST", f"/v2/iap/{path}", {**body, "persist": False}),
    ]


def test_subscriptions_and_sessions() -> None:
    rig = Rig(ok({}), ok({}), ok(TOKENS))
    session = fresh()
    client, api = rig.client, rig.client.api_client
    client.list_subscriptions(session, "c", 5)
    client.list_subscriptions(session)
    assert api.session_refresh("server-key-1", "", {"token": "r"}) == TOKENS
    api.session_logout("t", {"token": "t"})
    assert [one.body for one in rig.transport.sent] == [
        {"limit": 5, "cursor": "c"}, {}, {"token": "r"}, {"token": "t"},
    ]  # fmt: skip
    assert [one.headers["Authorization"] for one in rig.transport.sent[2:]] == [SERVER_KEY, "Bearer t"]


def test_fields_as_an_object_or_by_name() -> None:
    rig = Rig()
    session = fresh()
    rig.client.update_account(session, {"username": "neo", "location": "Here"}, location="There")
    rig.client.create_group(session, name="g", open=False)
    rig.client.update_group(session, "g-1", {"name": "h"}, description="")
    assert [one.body for one in rig.transport.sent] == [
        {"username": "neo", "location": "There"},
        {"name": "g", "open": False},
        {"name": "h", "description": ""},
    ]


def test_raw_level_does_not_decode_or_refresh() -> None:
    expired = token(NOW - 1)
    transport = FakeTransport([
        ok({"objects": [{"value": '{"a":1}'}]}),
        Response(401, {}, b'{"code":16,"message":"Auth token invalid"}'),
    ])  # fmt: skip
    observer = Recorder()
    api = NakamaApi(Target("game.test"), transport=transport, observer=observer)
    assert api.read_storage_objects(expired, {"object_ids": []}) == {"objects": [{"value": '{"a":1}'}]}
    with pytest.raises(Unauthenticated):
        api.get_account(expired)
    assert len(transport.sent) == len(observer.calls) == 2


@pytest.mark.parametrize("bad_token", ["t\r\nX: y", "t\x00", "té", "t\n"])
def test_token_with_bad_characters_is_refused_and_not_shown(bad_token: str) -> None:
    rig = Rig()
    with pytest.raises(ValueError, match="the bearer token holds a character") as caught:
        rig.client.api_client.get_account(bad_token)
    assert bad_token not in str(caught.value)
    assert rig.transport.sent == []


RPC_CALLS: list[tuple[Callable[[Client, Any], Any], str, str, Any]] = [
    (lambda client, s: client.rpc(s, "f", {"a": 1}), "POST", "/v2/rpc/f", '{"a":1}'),
    (lambda client, s: client.rpc_func(s, "f", "text"), "POST", "/v2/rpc/f", "text"),
    (lambda client, s: client.rpc_func(s, "f", "text", "key"), "POST", "/v2/rpc/f", "text"),
    (lambda client, s: client.rpc_func2(s, "f", "a b"), "GET", "/v2/rpc/f?payload=a%20b", None),
    (lambda client, s: client.rpc_func2(s, "f", http_key="key"), "GET", "/v2/rpc/f", None),
    (lambda client, s: client.rpc_http_key("key", "f"), "POST", "/v2/rpc/f", None),
]


@pytest.mark.parametrize(("call", "method", "path", "body"), RPC_CALLS)
def test_rpc_by_session_and_by_http_key(
    call: Callable[[Client, Any], Any], method: str, path: str, body: Any
) -> None:
    rig = Rig(ok({"payload": '{"a":[1]}'}))
    assert call(rig.client, fresh()) == {"payload": {"a": [1]}}
    [sent] = rig.transport.sent
    assert (sent.method, sent.path, sent.body) == (method, path, body)
    assert "key" not in sent.path
    [(_, name, *_)] = rig.observer.calls
    assert name == "/v2/rpc/{id}"
