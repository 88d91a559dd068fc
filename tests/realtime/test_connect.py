"""Connects that fail."""

from __future__ import annotations

import contextlib
import errno
import gc
import socket as plain
import traceback
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Target, Timeouts

from .conftest import TOKEN, Calls, Open
from .server import Peer, ScriptedServer

LONG = 20.0


def answers(data: bytes):
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(data)
        peer.expect_eof()

    return script


def ends(peer: Peer) -> None:
    peer.read_head()


def resets(peer: Peer) -> None:
    peer.read_head()
    peer.reset()


def echoes_the_token(peer: Peer) -> None:
    peer.read_head()
    token = peer.header("Authorization")
    assert token == f"Bearer {TOKEN}"
    peer.send(f"HTTP/1.1 401 {token}\r\nX: {token}\r\nContent-Length: {len(token)}\r\n\r\n{token}".encode())
    peer.expect_eof()


REFUSALS = {
    "401": (answers(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 25\r\n\r\nMissing or invalid token\n"),
            errors.HandshakeRefused, "HTTP 401 Missing or invalid token"),
    "500": (answers(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nboom"),
            errors.HandshakeRefused, "HTTP 500 boom"),
    "no body": (answers(b"HTTP/1.1 503 Busy\r\n\r\n"), errors.HandshakeRefused, "HTTP 503"),
    "200": (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), errors.HandshakeRefused, "HTTP 200"),
    "redirect": (answers(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n"),
                 errors.HandshakeRefused, "HTTP 302 redirect"),
    "echoed token": (echoes_the_token, errors.HandshakeRefused, "HTTP 401 Bearer <"),
    "wrong accept": (answers(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             b"Sec-WebSocket-Accept: d3Jvbmc=\r\n\r\n"),
                     errors.ConnectionFailed, "not a websocket upgrade"),
    "garbage": (answers(b"\x00\x01\x02 garbage\r\n\r\n"), errors.ConnectionFailed, "not a websocket upgrade"),
    "not text": (answers(b"\xff\xfe\xff\r\n\r\n"), errors.ConnectionFailed, "not a websocket upgrade"),
    "bad length": (answers(b"HTTP/1.1 500 X\r\nContent-Length: many\r\n\r\n"),
                   errors.HandshakeRefused, "HTTP 500"),
    "end": (ends, errors.ConnectionFailed, "ended the stream in the handshake"),
    "reset": (resets, errors.ConnectionFailed, "reset"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_failed_handshake(name: str, open_socket: Open, calls: Calls) -> None:
    script, kind, text = REFUSALS[name]
    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server, connect=LONG)
        with pytest.raises(errors.ConnectionFailed) as caught:
            socket.connect(Session(TOKEN))
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert caught.value.operation == "connect"
    assert calls.recorded == [("WS", "connect", caught.value)]
    assert not socket.connected
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.label
    assert TOKEN not in shown
    assert TOKEN.split(".")[2] not in shown


def test_connect_again_after_a_failure(open_socket: Open) -> None:
    scripts = [ends, lambda peer: (peer.upgrade(), peer.finish())]

    def script(peer: Peer) -> None:
        scripts.pop(0)(peer)

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server)
        with pytest.raises(errors.ConnectionFailed):
            socket.connect(Session(TOKEN))
        socket.connect(Session(TOKEN))
        assert socket.connected
        with pytest.raises(RuntimeError, match="new Socket"):
            socket.connect(Session(TOKEN))
        socket.close()


def test_timeout_of_the_handshake(open_socket: Open, calls: Calls) -> None:
    def script(peer: Peer) -> None:
        with contextlib.suppress(OSError, EOFError):  # on a slow machine the client closes earlier
            peer.read_head()
            peer.send(b"HTTP/1.1 101 Switching")
            peer.expect_eof()

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server, connect=0.05)
        with pytest.raises(errors.RequestTimeout, match=r"no connection within 0\.05 s"):
            socket.connect(Session(TOKEN))
    assert calls.outcomes("connect") == ["RequestTimeout"]


def test_timeout_covers_all_steps_together(open_socket: Open) -> None:
    # One byte after each read of the client: a timeout per read would never expire.
    def script(peer: Peer) -> None:
        with contextlib.suppress(OSError, EOFError):  # until the client closes
            peer.read_head()
            while True:
                peer.send(b"H")
                gevent.idle()

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server, connect=0.1)
        with pytest.raises(errors.RequestTimeout):
            socket.connect(Session(TOKEN))


def test_unknown_host(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    socket = Socket(Target("nakama.invalid"), timeouts=Timeouts(connect=LONG))
    with pytest.raises(errors.HostNotFound):
        socket.connect(session)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid", "\u00e4" * 60 + ".invalid"])
def test_invalid_host_name(host: str) -> None:
    with pytest.raises(errors.ConfigError, match=r"host: .* labels of 1 to 63 bytes"):
        Target(host)


def test_port_where_nothing_listens(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    with plain.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with Socket(Target("127.0.0.1", unused.getsockname()[1])) as socket:
            with pytest.raises(errors.ConnectionRefused) as caught:
                socket.connect(session)
            assert socket.error is None
    assert "Traceback" not in capfd.readouterr().err
    assert caught.value.__cause__ is not None


def test_bad_ca_file(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    socket = Socket(Target("localhost", 1, ssl=True), network=Network(Tls(ca=str(path))))
    with pytest.raises(errors.ConfigError, match=r"tls_ca: .*ca\.pem"):
        socket.connect(session)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: a further TCP connect hangs."""
    with plain.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        full = []
        while True:
            client = plain.socket()
            client.settimeout(0)
            full.append(client)
            assert client.connect_ex(address) in (0, errno.EINPROGRESS)
            with gevent.Timeout(0.2, exception=False):
                gevent.socket.wait_write(client.fileno())
                continue
            break
        yield address[1]
        for client in full:
            client.close()


def test_host_that_does_not_answer(deaf_port: int, session: Session, calls: Calls) -> None:
    socket = Socket(Target("127.0.0.1", deaf_port), timeouts=Timeouts(connect=0.05), observer=calls)
    with pytest.raises(errors.RequestTimeout):
        socket.connect(session)
    gevent.idle()
    gc.collect()  # an unclosed socket would warn here
    assert calls.outcomes("connect") == ["RequestTimeout"]


def test_caller_killed_during_a_connect_that_hangs(
    deaf_port: int, session: Session, calls: Calls, capfd: pytest.CaptureFixture[str]
) -> None:
    socket = Socket(Target("127.0.0.1", deaf_port), timeouts=Timeouts(connect=0.5), observer=calls)
    caller = gevent.spawn(socket.connect, session)
    gevent.idle()
    caller.kill()
    gevent.idle()
    gc.collect()
    assert calls.outcomes("connect") == ["Abandoned"]
    assert "Traceback" not in capfd.readouterr().err


def test_caller_killed_before_its_connect_starts(calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    def script(peer: Peer) -> None:
        while peer.sock.recv(4096):  # a thread may have connected already
            pass

    with ScriptedServer(script, quit_scripts=True) as server:
        socket = Socket(Target("127.0.0.1", server.port), observer=calls)

        def connect() -> None:
            caller.kill(block=False)  # takes effect as soon as connect waits
            socket.connect(Session(TOKEN))

        caller = gevent.spawn(connect)
        caller.join()
        gevent.idle()
    assert calls.outcomes("connect") == ["Abandoned"]
    assert "Traceback" not in capfd.readouterr().err


def test_caller_killed_in_the_handshake_closes_the_connection(open_socket: Open, calls: Calls) -> None:
    requested = Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        requested.set()
        peer.expect_eof()

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server)
        caller = gevent.spawn(socket.connect, Session(TOKEN))
        requested.wait()
        caller.kill()
        server.over.wait()  # the server sees the connection end without further calls
    assert calls.outcomes("connect") == ["Abandoned"]
    assert not socket.connected


def test_close_during_connect_closes_the_connection(open_socket: Open, calls: Calls) -> None:
    requested, proceed = Event(), Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        requested.set()
        proceed.wait()
        peer.upgrade()
        peer.expect_eof()

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server)
        reported: list[object] = []
        socket.on("disconnect", reported.append)

        def connect() -> None:
            with pytest.raises(errors.Abandoned):
                socket.connect(Session(TOKEN))

        caller = gevent.spawn(connect)
        requested.wait()
        with pytest.raises(RuntimeError, match="new Socket"):
            socket.connect(Session(TOKEN))  # a second connect while the first is pending
        socket.close()
        proceed.set()
        caller.get()
    assert calls.outcomes("connect") == ["Abandoned"]
    assert not socket.connected
    assert reported == []
    with pytest.raises(RuntimeError, match="new Socket"):
        socket.connect(Session(TOKEN))


def test_upgrade_request(open_socket: Open) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        heads.append(peer.head)
        peer.finish()

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server)
        socket.connect(Session(TOKEN), create_status=True, lang="de")
        socket.close()
    line, *headers = heads[0].decode().split("\r\n")
    assert line == "GET /ws?lang=de&status=true&format=json HTTP/1.1"
    assert f"Authorization: Bearer {TOKEN}" in headers
