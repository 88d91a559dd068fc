"""Servers that send without pause or end: deadlines and limits hold, and the event loop keeps running."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import gevent
import pytest
from hostile import FRAMES, HANDSHAKE, flooding, never_longer

from nakama_bots import errors
from nakama_bots.realtime.frames import TEXT, FrameReader
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.network import Limits, Network
from nakama_bots.settings.target import Target, Timeouts

from .conftest import TOKEN, Calls
from .server import CLOSE, PONG, Peer, ScriptedServer, close_frame, frame, text

BOUNDLESS = Network(limits=Limits(headers=2**30, received=2**30))
DEFAULT = Network()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with flooding() as number:
        yield number


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Replaces the watchdog of the other tests, which needs the event loop."""
    with never_longer(60):
        yield


def new_socket(
    port: int, name: str, network: Network, calls: Calls | None = None, seconds: float = 30.0
) -> Socket:
    timeouts = Timeouts(connect=seconds, request=seconds, heartbeat_interval=30.0)
    return Socket(
        Target("127.0.0.1", port, path=name and f"/{name}"), timeouts=timeouts, network=network, observer=calls
    )


class Ticks:
    """Counts how often another greenlet runs."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Ticks:
        self._greenlet = gevent.spawn(self._tick)
        return self

    def __exit__(self, *_: object) -> None:
        self._greenlet.kill()

    def _tick(self) -> None:
        while True:
            gevent.sleep(0.01)
            self.count += 1


@pytest.mark.parametrize("name", HANDSHAKE)
def test_endless_handshake_reaches_a_limit(port: int, name: str, calls: Calls) -> None:
    socket = new_socket(port, f"handshake-{name}", DEFAULT, calls)
    with pytest.raises(errors.CallError) as caught:
        socket.connect(Session(TOKEN))
    if name == "refusal":
        assert isinstance(caught.value, errors.HandshakeRefused)  # at most 4 KiB of its text are read
        assert len(str(caught.value)) < 300
    else:
        assert str(caught.value) == (
            "connect: the headers of the handshake: more than 65,536 bytes; the limit max_headers is 65,536"
        )
        assert isinstance(caught.value, errors.AnswerTooLarge)
    assert calls.outcomes("connect") == [type(caught.value).__name__]


@pytest.mark.parametrize("name", [name for name in HANDSHAKE if name != "refusal"])
def test_deadline_and_other_greenlets_while_a_handshake_never_pauses(port: int, name: str) -> None:
    with Ticks() as ticks, pytest.raises(errors.RequestTimeout, match=r"no connection within 1 s"):
        new_socket(port, f"handshake-{name}", BOUNDLESS, seconds=1.0).connect(Session(TOKEN))
    assert ticks.count >= 3  # about 100 on an idle machine


def test_signal_is_handled_during_a_handshake_that_never_pauses(port: int) -> None:
    socket = new_socket(port, "handshake-headers", BOUNDLESS)
    caller = gevent.spawn(socket.connect, Session(TOKEN))
    handler = gevent.signal_handler(signal.SIGUSR1, caller.kill, block=False)
    try:
        gevent.sleep(0.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        caller.join()
    finally:
        handler.cancel()
    assert isinstance(caller.value, gevent.GreenletExit)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_never_pause_do_not_stop_the_event_loop(port: int, name: str) -> None:
    socket = new_socket(port, f"frames-{name}", DEFAULT)
    seen = 0

    def see(*_: object) -> None:
        nonlocal seen
        seen += 1

    socket.tap("notifications", see)
    with Ticks() as ticks, contextlib.closing(socket):
        socket.connect(Session(TOKEN))
        with gevent.Timeout(20):
            while ticks.count < 20 and socket.connected:
                gevent.sleep(0.01)
        assert ticks.count >= 20 or not socket.connected
        if name == "pushes":
            assert seen
        if name == "one-message":
            with gevent.Timeout(30):
                while socket.connected:
                    gevent.sleep(0.01)
            assert (
                str(socket.error)
                == "a message: more than 16,777,216 bytes; the limit max_received is 16,777,216"
            )
        if name == "one-frame":
            assert str(socket.error) == "a frame: 1,099,511,627,776 bytes; the limit max_received is 16,777,216"


def test_memory_of_empty_fragments_and_single_bytes() -> None:
    reader = FrameReader()
    reader.feed(frame(TEXT, b'"', fin=False))
    for _ in range(1000):
        assert reader.feed(frame(0, b"", fin=False) * 1000) == []
    assert reader.feed(frame(0, b'"')) == [(TEXT, b'""')]
    assert reader.error is None


def test_only_the_newest_of_many_pings_is_answered() -> None:
    answered: list[bytes] = []

    def script(peer: Peer) -> None:
        pings = b"".join(frame(9, b"%d" % number) for number in range(5000))
        peer.upgrade(then=pings + text({"notifications": {}}))
        while True:
            opcode, payload = peer.read_frame()
            if opcode == CLOSE:
                return
            assert opcode == PONG
            answered.append(payload)

    with ScriptedServer(script) as server:
        socket = new_socket(server.port, "", DEFAULT)
        expectation = socket.expect("notifications")
        with expectation:
            socket.connect(Session(TOKEN))
            expectation.wait()
        socket.close()
    assert answered[-1] == b"4999"
    assert len(answered) < 100  # one per read


def test_message_above_the_servers_known_limit_is_not_sent(calls: Calls) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.answer(peer.request(), rpc={"payload": "ok"})
        peer.finish()

    with ScriptedServer(script) as server:
        network = Network(limits=Limits(sent=4096))
        socket = new_socket(server.port, "", network, calls)
        socket.connect(Session(TOKEN))
        overhead = len(b'{"cid":"1","rpc":{"id":"f","payload":""}}')
        with pytest.raises(errors.MessageTooBig) as caught:
            socket.rpc("f", "x" * (5120 - overhead))
        assert str(caught.value) == "rpc: message too big: 5,120 of at most 4,096 bytes"
        with pytest.raises(errors.MessageTooBig):
            socket.send_match_state("m", 1, b"x" * 5000)
        assert socket.rpc("f", "x" * (4096 - overhead)).get("payload") == "ok"
        socket.close()
    ledger = socket.ledger
    assert (ledger.sent, ledger.ok, ledger.refused) == (1, 1, 2)
    assert calls.outcomes("rpc") == ["MessageTooBig", "ok"]


def test_close_1009_reports_the_largest_message() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.request()
        peer.send(close_frame(1009))
        peer.expect_close()

    with ScriptedServer(script) as server:
        socket = new_socket(server.port, "", DEFAULT)
        socket.connect(Session(TOKEN))
        overhead = len(b'{"cid":"1","rpc":{"id":"f","payload":""}}')
        with pytest.raises(errors.ConnectionClosed) as caught:
            socket.rpc("f", "x" * (5120 - overhead))
    assert caught.value.code == 1009
    assert str(caught.value) == (
        "rpc: 1009 message too big: the largest that was sent had 5,120 bytes, and the server's "
        "socket.max_message_size_bytes is 4,096 by default"
    )
