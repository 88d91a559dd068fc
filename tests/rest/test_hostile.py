"""Servers that send without pause or end: deadlines and limits hold, and the event loop keeps running."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

import gevent
import pytest
from hostile import HTTP, flooding, never_longer

from nakama_bots.errors import AnswerTooLarge, CallError, ProtocolError, RequestTimeout
from nakama_bots.rest.transports.transport import GeventTransport, RequestsTransport, Response, Transport
from nakama_bots.settings.network import Limits, Network
from nakama_bots.settings.target import Target, Timeouts

from .scripted import answer_bytes, closing, serving
from .support import Make, send

BOUNDLESS = Network(limits=Limits(headers=2**30, body=2**30))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with flooding() as number:
        yield number


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    with never_longer(60):
        yield


def get(transport: Transport, port: int, name: str, seconds: float = 30.0) -> Response:
    timeouts = Timeouts(connect=seconds, request=seconds)
    return transport.send(Target("127.0.0.1", port), "GET", f"/http-{name}/", {}, None, timeouts)


@pytest.mark.parametrize("name", HTTP)
def test_endless_answer_reaches_a_limit(make: Make, port: int, name: str) -> None:
    transport = make(Network(limits=Limits(body=200_000)))
    with pytest.raises(ProtocolError) as caught:
        get(transport, port, name)
    if isinstance(caught.value, AnswerTooLarge):
        assert str(caught.value.limit) in str(caught.value).replace(",", "")
        assert caught.value.setting in str(caught.value)
    else:
        assert isinstance(transport, RequestsTransport)
        # Limits of http.client and urllib3.
        assert re.search("got more than|exceeded maximum", str(caught.value))


@pytest.mark.parametrize("name", HTTP)
def test_deadline_and_other_greenlets_while_a_server_never_pauses(port: int, name: str) -> None:
    ticks: list[float] = []

    def tick() -> None:
        while True:
            gevent.sleep(0.01)
            ticks.append(perf_counter())

    ticker = gevent.spawn(tick)
    try:
        with pytest.raises(RequestTimeout):
            get(GeventTransport(BOUNDLESS), port, name, 0.3)
    finally:
        ticker.kill()
    assert len(ticks) >= 3  # about 30 on an idle machine


def test_signal_is_handled_while_a_server_never_pauses(port: int) -> None:
    caller = gevent.spawn(get, GeventTransport(BOUNDLESS), port, "chunks")
    handler = gevent.signal_handler(signal.SIGUSR1, caller.kill, block=False)
    try:
        gevent.sleep(0.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        caller.join()
    finally:
        handler.cancel()
    assert isinstance(caller.value, gevent.GreenletExit)


PATCHED = """
import gevent.monkey; gevent.monkey.patch_all()
import sys
import gevent
from nakama_bots.errors import CallError
from nakama_bots.rest.transports.transport import RequestsTransport
from nakama_bots.settings.target import Target, Timeouts
from nakama_bots.settings.network import Limits, Network
target = Target("127.0.0.1", int(sys.argv[1]))
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1
gevent.spawn(tick)
for name in sys.argv[2:]:
    ticks = 0
    try:
        transport = RequestsTransport(Network(limits=Limits(headers=2**30, body=2**30)))
        transport.send(target, "GET", f"/http-{name}/", {}, None, Timeouts(1.0, 1.0))
    except CallError as error:
        print(name, type(error).__name__, "alive" if ticks >= 3 else f"only {ticks} ticks")
"""
# Limits of http.client and urllib3 end these before the first tick.
_ENDED_BY_LIBRARIES = {"status-line", "header", "headers", "chunk-extension"}


def test_requests_under_gevent_monkey_patching(port: int) -> None:
    names = [name for name in HTTP if name not in _ENDED_BY_LIBRARIES]
    done = subprocess.run(
        [sys.executable, "-c", PATCHED, str(port), *names],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.splitlines() == [f"{name} RequestTimeout alive" for name in names], done.stderr


def test_gzip_bomb_is_unpacked_up_to_the_limit(make: Make) -> None:
    bomb = gzip.compress(b"0" * 100_000_000)
    script = closing(answer_bytes(bomb, headers=b"Content-Encoding: gzip\r\n"))
    with serving(script) as server, pytest.raises(AnswerTooLarge, match="the body: more than 16,777,216 bytes"):
        send(make(), server.port)


def test_body_with_a_content_length_above_the_limit_is_not_read(make: Make) -> None:
    script = closing(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n{")
    with serving(script) as server, pytest.raises(AnswerTooLarge) as caught:
        send(make(), server.port)
    assert str(caught.value) == "the body: 209,715,200 bytes; the limit max_body is 16,777,216"
    assert (caught.value.size, caught.value.limit) == (209_715_200, 16_777_216)


@pytest.mark.parametrize("packed", [False, True])
def test_body_at_the_limit_and_one_byte_above(make: Make, packed: bool) -> None:
    limits = Limits(body=5000)
    for size in (5000, 5001):
        body = os.urandom(size // 2) + b"x" * (size - size // 2)
        wire, headers = (gzip.compress(body), b"Content-Encoding: gzip\r\n") if packed else (body, b"")
        with serving(closing(answer_bytes(wire, headers=headers))) as server:
            if size == limits.body:
                assert send(make(Network(limits=limits)), server.port).body == body
            else:
                with pytest.raises(AnswerTooLarge, match="the limit max_body is 5,000"):
                    send(make(Network(limits=limits)), server.port)


def test_headers_below_the_limit_are_accepted(make: Make) -> None:
    script = closing(answer_bytes(b"{}", headers=b"X: " + b"y" * 60_000 + b"\r\n"))
    with serving(script) as server:
        assert len(send(make(), server.port).headers["x"]) == 60_000


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"{}")[:-4], gzip.compress(b"{}")[:3], b"\x1f\x8b" + b"\xff" * 50],
    ids=["no end", "no head", "garbage"],
)
def test_broken_gzip_is_a_protocol_error(make: Make, body: bytes) -> None:
    script = closing(answer_bytes(body, headers=b"Content-Encoding: gzip\r\n"))
    with serving(script) as server, pytest.raises(ProtocolError, match="not encoded as its header says"):
        send(make(), server.port)


def test_connection_of_a_too_large_answer_is_not_reused(make: Make) -> None:
    def script(connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 10_000)
        connection.until_closed()

    with serving(script, closing(answer_bytes(b"{}"))) as server:
        transport = make(Network(limits=Limits(body=5000)))
        with pytest.raises(CallError):
            send(transport, server.port)
        server.ended[0].wait()
        assert send(transport, server.port).body == b"{}"
