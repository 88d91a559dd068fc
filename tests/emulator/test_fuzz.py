"""Hostile input over the socket and over the routes: answered or closed, with no effect on other clients."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nakama_bots.emulator import handlers
from nakama_bots.emulator.server.process import EmulatorProcess

from .support import TIMEOUT, RawSocket, login

MODULE = ("--module", str(Path(__file__).parent / "wire_module.py"))
SETTINGS = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CLOSES = {
    (1000, "received malformed payload"),
    (1000, "error processing message"),
    (1000, "session outgoing queue full"),
    (1009, ""),
}
UUID = "11111111-1111-4111-8111-111111111111"
WORDS = st.sampled_from(
    [
        "",
        "x",
        "*",
        UUID,
        f"{UUID}.",
        f"{UUID}.emulator",
        "2...room",
        f"3.{UUID}..",
        "+label.a:/(/",
        "\x00",
        "é" * 200,
    ]
)
NUMBERS = st.sampled_from(
    [0, 1, 2, 3, -1, 255, 256, 2**31 - 1, 2**31, 2**63, -(2**63), 10**40, 1.5, 1e308, "7", "1e3"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = {row.key: sorted(row.schema._names) for row in handlers.MESSAGES}


def bodies(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) if names else WORDS, VALUES, max_size=5)


MESSAGES = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda key: st.fixed_dictionaries({key: bodies(FIELDS[key])}, optional={"cid": WORDS})
)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.05, extra=("--token-expiry", "7200", *MODULE)) as process:
        yield process
        assert process.alive, "the emulator did not survive"
    assert process.exit_code == 0
    # A fault of the emulator itself is logged with its traceback.
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture(scope="module")
def token(fuzzed: EmulatorProcess) -> str:
    return str(login(fuzzed.url, "device-of-the-fuzzer")["token"])


@pytest.fixture(scope="module")
def bystander(fuzzed: EmulatorProcess) -> Iterator[RawSocket]:
    other = str(login(fuzzed.url, "device-of-the-bystander")["token"])
    with RawSocket(fuzzed.url, other) as client:
        yield client


def unharmed(bystander: RawSocket) -> None:
    bystander.send({"cid": "still here", "ping": {}})
    while True:
        opcode, payload = bystander.receive()
        assert opcode != 8, payload
        if opcode == 9:
            bystander.send(payload, opcode=10)
        elif json.loads(payload) == {"cid": "still here", "pong": {}}:
            return


def answered_or_closed(client: RawSocket) -> None:
    while True:
        opcode, payload = client.receive()
        if opcode == 8:
            assert (int.from_bytes(payload[:2], "big"), payload[2:].decode()) in CLOSES
            return
        if opcode == 1 and json.loads(payload) == {"cid": "the end", "pong": {}}:
            return


@SETTINGS
@given(st.lists(MESSAGES, max_size=12))
def test_any_messages(fuzzed: EmulatorProcess, token: str, bystander: RawSocket, messages: list[Any]) -> None:
    with RawSocket(fuzzed.url, token) as client:
        # In one write: after a bad message the server may close before the next.
        everything = [*messages, {"cid": "the end", "ping": {}}]
        client.socket.sendall(b"".join(RawSocket.frame(json.dumps(message).encode()) for message in everything))
        answered_or_closed(client)
    unharmed(bystander)


@SETTINGS
@given(st.binary(max_size=200), st.integers(0, 15))
def test_any_frame(
    fuzzed: EmulatorProcess, token: str, bystander: RawSocket, payload: bytes, opcode: int
) -> None:
    with RawSocket(fuzzed.url, token) as client:
        client.send(payload[:120], opcode=opcode)
        client.socket.shutdown(socket.SHUT_WR)
        client.receive_all()
    unharmed(bystander)


@SETTINGS
@given(st.binary(max_size=200))
def test_any_bytes_on_the_port(fuzzed: EmulatorProcess, bystander: RawSocket, content: bytes) -> None:
    host, port = fuzzed.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as raw:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
    unharmed(bystander)


def test_half_a_handshake(fuzzed: EmulatorProcess, bystander: RawSocket) -> None:
    host, port = fuzzed.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as raw:
        raw.sendall(b"GET /ws?token=x HTTP/1.1\r\nHost: x\r\nUpgra")
        unharmed(bystander)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /ws?token=x HTTP/1.1\r\nHost: x\r\nUpgra",
        b"POST /v2/account/authenticate/device HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_incomplete_request_is_closed(sent: bytes) -> None:
    with EmulatorProcess.start(extra=("--read-timeout", "0.2", "--idle-timeout", "30")) as process:
        host, port = process.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), TIMEOUT) as raw:
            raw.sendall(sent)
            assert raw.recv(1000) == b""


def test_idle_connection_is_closed() -> None:
    with EmulatorProcess.start(extra=("--idle-timeout", "0.2")) as process:
        host, port = process.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), TIMEOUT) as raw:
            raw.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
            assert raw.recv(1000) == b""


ROUTES = sorted({(route.method, route.template) for route in handlers.ROUTES if "ws" not in route.template})
QUERY_NAMES = sorted({name for route in handlers.ROUTES for name in route.query})
BODY_NAMES = sorted({n for route in handlers.ROUTES if route.body is not None for n in route.body._names})


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes]:
    method, template = draw(st.sampled_from(ROUTES))
    while "{" in template:
        start, end = template.index("{"), template.index("}")
        template = template[:start] + quote(draw(WORDS) or "x", safe="") + template[end + 1 :]
    query = draw(st.dictionaries(st.sampled_from(QUERY_NAMES), WORDS | NUMBERS.map(str), max_size=4))
    body = draw(VALUES | bodies(BODY_NAMES) | st.binary(max_size=60))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return method, f"{template}?{urlencode(query)}" if query else template, content


@settings(SETTINGS, max_examples=400)
@given(requests(), st.booleans())
def test_any_request(
    fuzzed: EmulatorProcess, token: str, bystander: RawSocket, request_: tuple[str, str, bytes], signed: bool
) -> None:
    method, path, content = request_
    if (method, path.partition("?")[0]) == ("DELETE", "/v2/account"):
        signed = False  # the fuzzer needs its account
    headers = {"Authorization": f"Bearer {token}"} if signed else {"Authorization": "Basic ZGVmYXVsdGtleTo="}
    connection = http.client.HTTPConnection(fuzzed.url.removeprefix("http://"), timeout=TIMEOUT)
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 600
        assert b"the emulator failed" not in text, (request_, text)
    finally:
        connection.close()
    unharmed(bystander)
