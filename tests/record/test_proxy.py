"""The proxy changes nothing, whatever it forwards and however a connection ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest
import trustme
from gevent.server import StreamServer

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError, ConfigError
from nakama_bots.record.capture.proxy import RecordingProxy, server_tls
from nakama_bots.record.capture.wire import Kept, WireSide
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Target

from .conftest import MakeRecorder
from .support import Game, stopped


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that echoes what it receives, and closes when the client does."""

    def serve(sock: gevent.socket.socket, _address: object) -> None:
        while data := sock.recv(65536):
            sock.sendall(data)
        sock.close()

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop()


def dialed(proxy: RecordingProxy) -> gevent.socket.socket:
    host, port = proxy.url.rpartition("//")[2].split(":")
    return gevent.socket.create_connection((host, int(port)))


def test_megabytes_of_garbage_pass_unchanged_and_are_noted(echo: str, record: MakeRecorder) -> None:
    proxy = record(echo)
    sent = b"\x00" + os.urandom(3_000_000)
    sock = dialed(proxy)
    got = bytearray()

    def read() -> None:
        while data := sock.recv(65536):
            got.extend(data)

    with sock:
        reading = gevent.spawn(read)
        sock.sendall(sent)
        sock.shutdown(gevent.socket.SHUT_WR)
        reading.join()
    assert bytes(got) == sent
    pieces = proxy.kept.wires[0].pieces
    for side in (WireSide.CLIENT, WireSide.SERVER):
        assert b"".join(data for one, _, data in pieces if one is side) == sent
    assert "bytes that are not HTTP" in " ".join(stopped(proxy).notes)


def test_tls_on_both_sides(tmp_path: Path, echo: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    files = {name: str(tmp_path / name) for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    certificate.private_key_pem.write_to_path(files["key"])
    for one in certificate.cert_chain_pems:
        one.write_to_path(files["cert"], append=True)
    network = Network(Tls(files["ca"]))
    with EmulatorProcess.start(extra=("--tls-cert", files["cert"], "--tls-key", files["key"])) as server:
        port = server.url.rpartition(":")[2]
        context = server_tls(files["cert"], files["key"])
        proxy = RecordingProxy(
            Target("localhost", int(port), ssl=True), ("127.0.0.1", 0), network=network, tls=context
        )
        proxy.start()
        game = Game(proxy.url.replace("127.0.0.1", "localhost"), "tess", network=network).log_in()
        game.socket.join_chat("hall")
        game.close()
        tape = stopped(proxy)
    assert [call.name for call in tape.calls] == ["/v2/account/authenticate/device", "channel_join"]
    assert tape.notes == []


def test_an_unreachable_server_is_reported_once(record: MakeRecorder) -> None:
    messages: list[str] = []
    with gevent.socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        proxy = record(url, say=messages.append)
        for _ in range(2):
            game = Game(proxy.url, "nobody")
            with pytest.raises(CallError):
                game.log_in()
            game.close()
    assert len(messages) == 1
    assert messages[0].startswith(f"no connection to {url}: ")
    assert stopped(proxy).notes[0] == messages[0]


def test_a_disconnected_client_and_a_killed_server(record: MakeRecorder) -> None:
    with EmulatorProcess.start() as server:
        proxy = record(server.url)
        one, other = Game(proxy.url, "cut-off").log_in(), Game(proxy.url, "left-alone").log_in()
        one.socket.join_chat("hall")
        one.socket.cut()
        other.socket.join_chat("hall")
        server.stop()
        with pytest.raises(CallError):
            other.client.get_account(other.session)
        for game in (one, other):
            game.close()
    tape = stopped(proxy)
    assert [call.name for call in tape.calls if call.kind == "WS"] == ["channel_join"] * 2
    assert all(one.closed is not None for one in tape.sockets)


def test_a_full_recording_has_no_holes() -> None:
    kept = Kept(limit=2000)
    wire = kept.open()
    request = b"POST /v2/rpc/own HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for body in (b"1", b"2" * 3000, b"3"):
        kept.keep(wire, WireSide.CLIENT, 1.0, request % len(body) + body)
        kept.keep(wire, WireSide.SERVER, 1.0, answer)
    kept.keep(wire, WireSide.END, 2.0, b"")
    tape = kept.tape()
    assert [call.request for call in tape.calls] == [1]
    assert any("the recording was full" in note for note in tape.notes)


def test_an_address_in_use(record: MakeRecorder, emulator: EmulatorProcess) -> None:
    port = int(record().url.rpartition(":")[2])
    with pytest.raises(ConfigError, match="--listen"):
        RecordingProxy(Target.parse(emulator.url), ("127.0.0.1", port)).start()
