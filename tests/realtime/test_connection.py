"""One connection, byte by byte: receiving, protocol violations, closing, and a peer that does not read."""

from __future__ import annotations

import socket as plain
from collections.abc import Callable
from time import perf_counter
from typing import Any

import gevent
import gevent.socket
import pytest
import websocket
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.clock import Deadline
from nakama_bots.realtime.connection import Connection, Reading

from .server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Peer,
    ScriptedServer,
    close_frame,
    frame,
    text,
)


class Inbox:
    """The receiver of a connection."""

    awaiting = 1

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.waits: list[float | None] = []
        self.lost: list[errors.CallError] = []
        self.arrival = Event()
        self.gone = Event()

    def on_message(self, payload: bytes, arrived: float, waited: float | None) -> None:
        assert arrived <= perf_counter()
        self.waits.append(waited)
        self.messages.append(payload)
        self.arrival.set()

    def on_slack(self, seconds: float) -> None: ...

    def on_lost(self, error: errors.CallError) -> None:
        self.lost.append(error)
        self.gone.set()


@pytest.fixture
def connect():
    """Return a function that connects a ``Connection``."""
    connections: list[Connection] = []

    def make(server: ScriptedServer) -> tuple[Connection, Inbox]:
        sock = gevent.socket.create_connection(("127.0.0.1", server.port))
        ws = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
        ws.connect(f"ws://127.0.0.1:{server.port}/ws", socket=sock)
        inbox = Inbox()
        connections.append(Connection(ws.sock, inbox))
        return connections[-1], inbox

    yield make
    for connection in connections:
        connection.abort(errors.ConnectionClosed(1000, "the test is over"))


def upgraded(script: Callable[[Peer], object]) -> Callable[[Peer], object]:
    def run(peer: Peer) -> None:
        peer.upgrade()
        script(peer)

    return run


def test_messages_in_one_segment_byte_by_byte_and_in_fragments(connect: Any) -> None:
    long = b'"' + b"x" * 70_000 + b'"'
    parts = [
        text({"a": 1}) + text({"b": 2}) + text({"c": 3}),
        frame(TEXT, b'{"frag', fin=False),
        frame(PING, b"between"),
        frame(CONTINUATION, b'ment', fin=False) + frame(CONTINUATION, b'ed":1}'),
        frame(TEXT, long),
    ]  # fmt: skip

    def script(peer: Peer) -> None:
        peer.upgrade(then=text({"with": "the handshake"}))
        for part in parts:
            peer.send(part)
        assert peer.read_frame() == (PONG, b"between")
        for byte in text({"slow": True}):
            peer.send(bytes([byte]))
            gevent.idle()
        peer.send(close_frame(1000))
        peer.finish()

    with ScriptedServer(script) as server:
        _, inbox = connect(server)
        inbox.gone.wait()
    assert inbox.messages == [
        b'{"with": "the handshake"}', b'{"a": 1}', b'{"b": 2}', b'{"c": 3}', b'{"fragmented":1}', long,
        b'{"slow": true}',
    ]  # fmt: skip
    assert [str(error) for error in inbox.lost] == ["1000"]


def test_unread_bytes(connect: Any) -> None:
    message = text({"a": 1})

    def script(peer: Peer) -> None:
        peer.send(message)
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        inbox.arrival.wait()
        assert connection.unread == 0
        sender, receiver = plain.socketpair()
        with sender, receiver:
            # On a descriptor that the hub does not read.
            own, connection._raw = connection._raw, receiver
            sender.send(message * 3)
            assert connection.unread == 3 * len(message)
            connection._raw = own
            connection.abort(errors.ConnectionClosed(1000, ""))
            assert connection.unread == 0


def test_reading_of_an_answer(connect: Any) -> None:
    large = frame(TEXT, b'"' + b"x" * 200_000 + b'"')
    rounds = [text({"a": 1}), text({"b": 2}) + text({"c": 3}), large, text({"d": 4}), large]

    def script(peer: Peer) -> None:
        for part in rounds:
            assert peer.read_frame()[0] == TEXT
            peer.send(part)
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        found: list[Reading] = []
        keep = inbox.on_message

        def on_message(payload: bytes, arrived: float, waited: float | None) -> None:
            found.append(connection.reading(requested, perf_counter(), len(payload)))
            keep(payload, arrived, waited)

        inbox.on_message = on_message

        def ask(number: int, *, until_unread: int = 0) -> float:
            """Return an upper bound of the seconds without reading."""
            inbox.arrival.clear()
            start = perf_counter()
            if until_unread:
                connection.pause()
                connection.pause()
            connection.write_message(b"1")
            while connection.unread < until_unread:
                gevent.idle()
            connection.resume()
            seconds = perf_counter() - start
            while len(inbox.messages) < number:
                inbox.arrival.wait()
                inbox.arrival.clear()
            return seconds

        requested = perf_counter()
        ask(1)
        ask(3)
        ask(4)
        small = ask(5, until_unread=len(rounds[3]))
        requested = perf_counter()
        full = ask(6, until_unread=40_000)
        connection.abort(errors.ConnectionClosed(1000, ""))
    stamped = inbox.waits[1] is not None
    assert [reading.late for reading in found] == [False, stamped, False, True, False, True]
    assert [reading.unread for reading in found[:4]] == [0.0] * 4
    assert 0.0 < found[4].unread <= small
    # Only the part of the pause within the call.
    assert 0.0 < found[5].unread <= full
    assert connection.reading(perf_counter(), perf_counter() + 1.0, 1).unread == 0.0


def test_ping_is_answered_at_once_with_its_payload(connect: Any) -> None:
    def script(peer: Peer) -> None:
        for payload in (b"", b"x", b"y" * 125):
            peer.send(frame(PING, payload))
            assert peer.read_frame() == (PONG, payload)
        peer.send(frame(PONG, b"nobody asked") + close_frame(1001, "going away"))
        assert peer.expect_close() == (1001, b"")
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        inbox.gone.wait()
    assert inbox.messages == []
    assert inbox.lost == [connection.error]
    assert isinstance(connection.error, errors.ConnectionClosed)
    assert (connection.error.code, connection.error.reason) == (1001, "going away")


BROKEN = {
    "reserved bits": (frame(TEXT, b"{}", rsv=4), 1002),
    "masked": (frame(TEXT, b"{}", mask=b"abcd"), 1002),
    "opcode": (frame(7, b""), 1002),
    "too big": (b"\x81\x7f" + b"\xff" * 8, 1009),
    "binary": (frame(BINARY, b"\x0a\x01"), 1003),
}


@pytest.mark.parametrize("name", BROKEN)
def test_protocol_violation_ends_the_connection(name: str, connect: Any) -> None:
    data, code = BROKEN[name]

    def script(peer: Peer) -> None:
        peer.send(text({"before": 1}) + data + text({"after": 1}))
        assert peer.expect_close()[0] == code
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        inbox.gone.wait()
    assert inbox.messages == [b'{"before": 1}']
    kind = errors.AnswerTooLarge if code == 1009 else errors.ProtocolError
    assert [type(error) for error in inbox.lost] == [kind]
    assert connection.closing


@pytest.mark.parametrize(
    ("sent", "code", "echo"),
    [(b"", 1005, 1000), (b"\x03\xf1bye", 1009, 1009), (b"\x03\xee", 1006, 1002), (b"\x03\xe8\xff", 1000, 1000)],
)  # fmt: skip
def test_servers_close_is_echoed(connect: Any, sent: bytes, code: int, echo: int) -> None:
    def script(peer: Peer) -> None:
        peer.send(frame(CLOSE, sent) + text({"after": "the close"}))
        assert peer.expect_close() == (echo, b"")
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        _, inbox = connect(server)
        inbox.gone.wait()
    assert inbox.messages == []
    (error,) = inbox.lost
    assert isinstance(error, errors.ConnectionClosed)
    assert error.code == code


@pytest.mark.parametrize("end", [lambda peer: None, lambda peer: peer.reset()], ids=["EOF", "RST"])
def test_end_without_a_close_frame(connect: Any, end: Callable[[Peer], object]) -> None:
    with ScriptedServer(upgraded(end)) as server:
        _, inbox = connect(server)
        inbox.gone.wait()
    (error,) = inbox.lost
    assert isinstance(error, errors.ConnectionClosed)
    assert error.code == 1006


def test_close_waits_for_the_answer_and_is_idempotent(connect: Any) -> None:
    def script(peer: Peer) -> None:
        assert peer.expect_close() == (4000, b"had enough")
        peer.send(text({"still": "under way"}) + close_frame(4000))
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        both = [gevent.spawn(connection.close, 4000, "had enough", 20.0) for _ in range(2)]
        gevent.joinall(both, raise_error=True)
        connection.close(1000, "", 20.0)
        connection.write_message(b"{}")  # dropped without an error
    assert inbox.messages == [b'{"still": "under way"}']
    assert len(inbox.lost) == 1


def test_close_without_an_answer_times_out(connect: Any) -> None:
    with ScriptedServer(upgraded(lambda peer: (peer.expect_close(), peer.expect_eof()))) as server:
        connection, inbox = connect(server)
        connection.close(1000, "", 0.05)
    assert [str(error) for error in inbox.lost] == ["1000 closed by us"]


def test_killed_close_leaves_nothing_open(connect: Any) -> None:
    requested = Event()

    def script(peer: Peer) -> None:
        peer.expect_close()
        requested.set()
        peer.expect_eof()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        closing = gevent.spawn(connection.close, 1000, "", 20.0)
        requested.wait()
        closing.kill()
        assert len(inbox.lost) == 1


def _fill(connection: Connection) -> int:
    """Write messages until a sender would have to wait, and return their number."""
    message = b'"' + b"x" * 65_000 + b'"'
    count = 0
    while not connection.backlogged:
        connection.write_message(message)
        count += 1
    return count


def test_senders_wait_until_the_peer_reads(connect: Any) -> None:
    proceed, counts = Event(), []

    def script(peer: Peer) -> None:
        proceed.wait()
        for _ in range(counts[0]):
            opcode, payload = peer.read_frame()
            assert (opcode, len(payload)) == (TEXT, 65_002)
        assert peer.read_frame() == (TEXT, b"after")
        peer.finish()

    with ScriptedServer(upgraded(script)) as server:
        connection, _ = connect(server)
        counts.append(_fill(connection))
        assert not connection.wait_drained(Deadline.after(perf_counter(), 0.01))
        waiters = [gevent.spawn(connection.wait_drained, Deadline(None)) for _ in range(3)]
        gevent.idle()
        assert not any(waiter.ready() for waiter in waiters)
        proceed.set()
        gevent.joinall(waiters)
        assert [waiter.value for waiter in waiters] == [True] * 3
        assert not connection.backlogged
        connection.write_message(b"after")
        connection.close(1000, "", 20.0)


def test_backlog_ends_with_the_connection(connect: Any) -> None:
    with ScriptedServer(lambda peer: (peer.upgrade(), Event().wait()), quit_scripts=True) as server:
        connection, inbox = connect(server)
        _fill(connection)
        waiter = gevent.spawn(connection.wait_drained, Deadline(None))
        gevent.idle()
        connection.abort(errors.HeartbeatTimeout(1006, "no pong"))
        assert waiter.get() is True
        assert [type(error) for error in inbox.lost] == [errors.HeartbeatTimeout]


def test_peer_that_pings_and_never_reads_uses_bounded_memory(connect: Any) -> None:
    proceed, counts = Event(), []

    def script(peer: Peer) -> None:
        for number in range(500):
            peer.send(frame(PING, b"p" * 125) + text({"n": number}))
        proceed.wait()
        for _ in range(counts[0]):
            assert peer.read_frame()[0] == TEXT
        assert peer.expect_close()[0] == 1000  # no pong: the pings arrived while the peer read nothing
        peer.send(close_frame(1000))

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        counts.append(_fill(connection))  # before the first read: no greenlet switch so far
        while len(inbox.messages) < 500:
            inbox.arrival.clear()
            inbox.arrival.wait()
        proceed.set()
        connection.close(1000, "", 20.0)


def test_send_after_a_reset(connect: Any) -> None:
    ended = Event()

    def script(peer: Peer) -> None:
        peer.reset()
        ended.set()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        ended.wait()
        connection.write_message(b"{}")
        connection.write_message(b"{}")
        inbox.gone.wait()
    (error,) = inbox.lost
    assert isinstance(error, errors.ConnectionClosed)
    assert error.code == 1006


def test_reset_with_a_send_backlog(connect: Any) -> None:
    proceed = Event()

    def script(peer: Peer) -> None:
        proceed.wait()
        peer.reset()

    with ScriptedServer(upgraded(script)) as server:
        connection, inbox = connect(server)
        _fill(connection)
        proceed.set()
        inbox.gone.wait()
    assert len(inbox.lost) == 1
    assert not connection.backlogged


def test_descriptor_is_released(connect: Any) -> None:
    with ScriptedServer(upgraded(lambda peer: peer.finish())) as server:
        connection, _ = connect(server)
        descriptor = connection._raw.fileno()
        connection.close(1000, "", 20.0)
        gevent.idle()
        assert connection._raw.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            plain.socket(fileno=descriptor).detach()
