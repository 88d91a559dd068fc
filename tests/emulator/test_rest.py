"""REST: HTTP itself, over a real socket; expiry, with a clock that the test sets."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import socket
from typing import Any

import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.rest import Request, Router
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.emulator.store.core import Core

from .support import TIMEOUT, Clock, login, make_core

BASIC = {"authorization": "Basic ZGVmYXVsdGtleTo="}


def exchange(
    emulator: EmulatorProcess, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=TIMEOUT)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("packed", [False, True])
def test_body_over_the_limit(emulator: EmulatorProcess, *, packed: bool) -> None:
    body = b'{"location":"' + b"x" * 262144 + b'"}'
    headers = {"Content_Encoding": "gzip"} if packed else {}
    response, answer = exchange(
        emulator, "PUT", "/v2/account", gzip.compress(body) if packed else body, **headers
    )
    assert response.status == 400
    assert json.loads(answer) == {"code": 3, "message": "http: request body too large"}


def test_body_that_does_not_match_its_headers(emulator: EmulatorProcess) -> None:
    # A body that is not gzip counts as empty, and a truncated body is malformed.
    response, _ = exchange(emulator, "PUT", "/v2/account", b"not gzip", Content_Encoding="gzip")
    assert response.status == 401
    broken = gzip.compress(b'{"location":"x"}')[:-12]
    response, _ = exchange(emulator, "PUT", "/v2/account", broken, Content_Encoding="gzip")
    assert response.status == 400


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v2/rpc/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
)
def test_malformed_http(emulator: EmulatorProcess, request_bytes: bytes) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as client:
        client.sendall(request_bytes)
        assert client.recv(4096).split(b"\r\n")[0].split(b" ")[1] == b"400"
    assert exchange(emulator, "GET", "/healthcheck")[0].status == 200


def test_token_that_is_not_text(emulator: EmulatorProcess) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as client:
        client.sendall(b"GET /v2/account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff.\xfe.\x80\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_headers_over_the_limit(emulator: EmulatorProcess) -> None:
    response, answer = exchange(emulator, "GET", "/healthcheck", X_Large="x" * 10000)
    assert response.status == 431
    assert answer == b"431 Request Header Fields Too Large"


def test_compressed_answers_on_request(emulator: EmulatorProcess) -> None:
    response, answer = exchange(emulator, "GET", "/v2/nope", Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer)) == {"code": 5, "message": "Not Found"}


def test_listed_matches(emulator: EmulatorProcess) -> None:
    token = login(emulator.url, "device-of-a-lister")["token"]
    response, answer = exchange(
        emulator, "GET", "/v2/match?query=%2Blabel.x%3A%3E", Authorization=f"Bearer {token}"
    )
    assert (response.status, json.loads(answer)["message"]) == (500, "Error listing matches.")


class Api:
    """The router without a server, so that the test controls time."""

    def __init__(self, options: Options | None = None) -> None:
        self.clock = Clock()
        self.core: Core = make_core(self.clock, options)
        self.router = Router(self.core, handlers.ROUTES)

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        parameters: dict[str, list[str]] = {}
        for name, _, value in (pair.partition("=") for pair in query.split("&") if pair):
            parameters.setdefault(name, []).append(value)
        content = b"" if body is None else json.dumps(body).encode()
        answer = asyncio.run(self.router.answer(Request(method, path, parameters, headers, content)))
        try:
            return answer.status, json.loads(answer.body) if answer.body else None
        except ValueError:
            return answer.status, answer.body.decode()

    def login(self, device: str = "device-0000000001", **body: object) -> dict[str, Any]:
        status, session = self("POST", "/v2/account/authenticate/device", {"id": device, **body}, **BASIC)
        assert status == 200
        return dict(session)

    def account(self, token: str) -> int:
        return self("GET", "/v2/account", authorization=f"Bearer {token}")[0]


def test_token_expiry_and_refresh() -> None:
    api = Api(Options(token_expiry=60, refresh_token_expiry=300))
    session = api.login(vars={"build": "7"})
    api.clock.seconds += 59
    assert api.account(session["token"]) == 200
    api.clock.seconds += 1
    assert api.account(session["token"]) == 401
    refresh = {"token": session["refresh_token"]}
    status, fresh = api("POST", "/v2/account/session/refresh", refresh, **BASIC)
    assert (status, api.account(fresh["token"])) == (200, 200)
    claims = api.core.session_claims(fresh["token"])
    assert claims is not None
    assert claims.vars == {"build": "7"}
    assert claims.issued_at == claims.expires_at - 120  # the time of the login, not of the refresh
    api.clock.seconds += 300
    status, answer = api("POST", "/v2/account/session/refresh", refresh, **BASIC)
    assert (status, answer["message"]) == (401, "Refresh token invalid or expired.")


def test_full_logout_ends_tokens_of_earlier_seconds() -> None:
    api = Api(Options(token_expiry=7200))
    first = api.login()
    api.clock.seconds += 1
    second = api.login()
    bearer = {"authorization": f"Bearer {second['token']}"}
    assert api("POST", "/v2/session/logout", {}, **bearer) == (200, {})
    assert api.account(first["token"]) == 401
    assert api.account(second["token"]) == 200  # from the same second
    api.clock.seconds += 1
    assert api("POST", "/v2/session/logout", {}, **bearer) == (200, {})
    assert api.account(second["token"]) == 401
    assert api("POST", "/v2/account/session/refresh", {"token": second["refresh_token"]}, **BASIC)[0] == 401
    assert api.account(api.login()["token"]) == 200


def test_banned_user_cannot_log_in() -> None:
    api = Api()
    session = api.login(device="device-0000000009")
    account = api.core.accounts.identified("device", "device-0000000009")
    assert account is not None
    account.disabled = True
    body = {"id": "device-0000000009"}
    refused = (403, {"code": 7, "message": "User account banned."})
    assert api("POST", "/v2/account/authenticate/device", body, **BASIC) == refused
    refresh = {"token": session["refresh_token"]}
    assert api("POST", "/v2/account/session/refresh", refresh, **BASIC) == refused


def test_deleted_account_frees_its_name_and_device() -> None:
    api = Api()
    session = api.login()
    bearer = {"authorization": f"Bearer {session['token']}"}
    assert api("DELETE", "/v2/account", **bearer) == (200, {})
    assert api.login()["created"] is True


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Invalid limit - limit must be between 1 and 100."),
        ("limit=101", "Invalid limit - limit must be between 1 and 100."),
        (
            "limit=2147483648",
            'parsing field "limit": strconv.ParseInt: parsing "2147483648": value out of range',
        ),
        ("limit=1&limit=2", 'too many values for field "limit": 1, 2'),
        ("min_size=-1", "Minimum size must be 0 or above."),
        ("maxSize=-1", "Maximum size must be 0 or above."),
        (
            "min_size=3&max_size=2",
            "Maximum size must be greater than or equal to minimum size when both are specified.",
        ),
        ("authoritative=false&label=x", "Label filtering is not supported for non-authoritative matches."),
        ("authoritative=false&query=x", "Query filtering is not supported for non-authoritative matches."),
        (
            "authoritative=yes",
            'parsing field "authoritative": strconv.ParseBool: parsing "yes": invalid syntax',
        ),
    ],
)
def test_match_listing_refuses(query: str, message: str) -> None:
    api = Api()
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    assert api("GET", f"/v2/match?{query}", **bearer) == (400, {"code": 3, "message": message})


def test_match_listing_without_matches() -> None:
    api = Api()
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    assert api("GET", "/v2/match?limit=10&authoritative=true", **bearer) == (200, {})
    assert api("GET", "/v2/match?label=x", **bearer) == (200, {})
    assert api("GET", "/v2/match", **bearer) == (200, {})


def test_slow_function() -> None:
    api = Api()

    async def later(_: RpcContext, payload: str) -> str:
        await asyncio.sleep(0)
        if payload == "fail":
            msg = "too late"
            raise RuntimeFunctionError(msg, 42)
        return payload.upper()

    api.core.functions["later"] = later
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    assert api("POST", "/v2/rpc/later", "abc", **bearer) == (200, {"payload": "ABC"})
    assert api("POST", "/v2/rpc/later", "fail", **bearer) == (
        500,
        {"code": 13, "error": {}, "message": "too late"},
    )


def test_history_of_a_missing_group() -> None:
    api = Api()
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    unknown = "11111111-1111-4111-8111-111111111111"
    assert api("GET", f"/v2/channel/3.{unknown}..", **bearer) == (
        400,
        {"code": 3, "message": "Group not found."},
    )
    dm = f"4.{unknown}.{unknown}."
    assert api("GET", f"/v2/channel/{dm}", **bearer) == (400, {"code": 3, "message": "Channel not found."})


def test_account_update_without_an_account() -> None:
    api = Api()
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    account = api.core.accounts.identified("device", "device-0000000001")
    assert account is not None
    api.core.accounts.remove(account)
    body = {"location": "x"}
    assert api("PUT", "/v2/account", body, **bearer) == (404, {"code": 5, "message": "Account not found."})


def test_account_field_that_is_too_long() -> None:
    api = Api()
    bearer = {"authorization": f"Bearer {api.login()['token']}"}
    status, answer = api("PUT", "/v2/account", {"location": "x" * 256}, **bearer)
    assert (status, answer["message"]) == (500, "Error while trying to update account.")
