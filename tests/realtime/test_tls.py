"""The socket over TLS, with certificates created for the test."""

from __future__ import annotations

import ssl
from pathlib import Path

import gevent
import gevent.event
import gevent.ssl
import pytest
import trustme

from nakama_bots import errors
from nakama_bots.session import Session
from nakama_bots.settings.network import Tls

from .conftest import TOKEN, Open
from .server import PING, PONG, Peer, ScriptedServer, frame, text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> gevent.ssl.SSLContext:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def pong(peer: Peer) -> None:
    peer.upgrade()
    peer.answer(peer.request(), pong={})
    peer.finish()


def test_certificate_of_the_configured_authority(
    open_socket: Open, server_tls: ssl.SSLContext, ca: str
) -> None:
    with ScriptedServer(pong, tls=server_tls) as server:
        socket = open_socket(server, Tls(ca=ca))
        socket.ping_pong()
        socket.close()


def test_insecure_accepts_any_certificate(open_socket: Open, server_tls: ssl.SSLContext) -> None:
    with ScriptedServer(pong, tls=server_tls) as server:
        socket = open_socket(server, Tls(insecure=True))
        socket.ping_pong()
        socket.close()


def fails(peer: Peer) -> None:
    raise AssertionError("the client must not go on")


def test_unknown_authority(open_socket: Open, server_tls: ssl.SSLContext) -> None:
    with ScriptedServer(fails, tls=server_tls) as server:
        socket = open_socket.unconnected(server, Tls())
        with pytest.raises(errors.TlsError, match="certificate"):
            socket.connect(Session(TOKEN))
        server.forget()


def test_certificate_for_another_name(open_socket: Open, authority: trustme.CA, ca: str) -> None:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    with ScriptedServer(fails, tls=context) as server:
        socket = open_socket.unconnected(server, Tls(ca=ca))
        with pytest.raises(errors.TlsError, match="certificate"):
            socket.connect(Session(TOKEN))
        server.forget()


def test_server_without_tls(open_socket: Open, ca: str) -> None:
    def script(peer: Peer) -> None:
        peer.read(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(script) as server:
        socket = open_socket.unconnected(server, Tls(ca=ca))
        with pytest.raises(errors.ConnectionFailed):
            socket.connect(Session(TOKEN))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_messages_in_both_directions(
    open_socket: Open, server_tls: ssl.SSLContext, ca: str, version: ssl.TLSVersion
) -> None:
    server_tls.minimum_version = server_tls.maximum_version = version
    size = 3_000_000

    def script(peer: Peer) -> None:
        # The first pushes are in the TLS record of the handshake's answer: decrypted before any caller waits.
        peer.upgrade(then=text({"stream_data": {"n": 1}}) + text({"stream_data": {"n": 2}}))
        for _ in range(3):
            request = peer.request()
            assert len(request["rpc"]["payload"]) == size
            peer.send(
                frame(PING, b"in between") + text({"cid": request["cid"], "rpc": {"payload": "y" * size}})
            )
            assert peer.read_frame() == (PONG, b"in between")
        # Read everything before closing: else the server resets the connection, and the answer is cut off.
        peer.request()

    with ScriptedServer(script, tls=server_tls) as server:
        socket = open_socket(server, Tls(ca=ca))
        early: list[int] = []
        socket.tap("stream_data", lambda body, arrived_at, length: early.append(body["n"]))
        for _ in range(3):
            assert socket.rpc("echo", "x" * size).get("payload") == "y" * size
        assert early == [1, 2]
        with pytest.raises(errors.ConnectionClosed):
            socket.rpc("end")
        with pytest.raises(errors.ConnectionClosed):
            socket.wait_for("stream_data")
        socket.close()


def test_many_small_messages_in_few_records(open_socket: Open, server_tls: ssl.SSLContext, ca: str) -> None:
    count = 2000

    def script(peer: Peer) -> None:
        peer.upgrade()
        requests = [peer.request() for _ in range(count)]
        peer.send(b"".join(text({"cid": one["cid"], "pong": {}}) for one in requests))
        peer.finish()

    with ScriptedServer(script, tls=server_tls) as server:
        socket = open_socket(server, Tls(ca=ca))
        gevent.joinall([gevent.spawn(socket.ping_pong) for _ in range(count)], raise_error=True)
        assert socket.ledger.ok == count
        socket.close()


def test_caller_killed_in_the_tls_handshake(open_socket: Open, ca: str) -> None:
    asked = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.read(1)
        asked.set()
        while peer.sock.recv(4096):
            pass

    with ScriptedServer(script, quit_scripts=True) as server:
        socket = open_socket.unconnected(server, Tls(ca=ca), connect=0.5)
        caller = gevent.spawn(socket.connect, Session(TOKEN))
        asked.wait()
        caller.kill()
        server.over.wait()
    assert not socket.connected
