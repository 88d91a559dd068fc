from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import gevent
import pytest
import trustme

from nakama_bots.errors import (
    CallError,
    ConfigError,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    HostNotFound,
    ProtocolError,
    RequestTimeout,
    TlsError,
)
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import (
    GeventTransport,
    RequestsTransport,
)
from nakama_bots.session import Session
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Credentials, Target, Timeouts

from .scripted import Connection, Script, answer_bytes, closing, keep_answering, serving, silent
from .support import Make, Recorder, send, token

HASTY = Timeouts(connect=0.3, request=0.3)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_request_arrives_unchanged(make: Make) -> None:
    with serving(keep_answering) as server:
        transport = make()
        send(transport, server.port, "POST", b'"x"', headers={"Authorization": "Bearer t", "X-A": "b"})
        send(transport, server.port, "POST")
        send(transport, server.port, "DELETE")
        transport.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v2/account?a=%20 HTTP/1.1"
    assert {b"Authorization: Bearer t", b"X-A: b", b"Content-Length: 3"} <= set(lines)
    assert f"Host: 127.0.0.1:{server.port}".encode() in lines
    assert body == b'"x"'
    assert b"Content-Length: 0" in server.requests[1]
    assert server.requests[2].startswith(b"DELETE ")
    assert server.accepted == 1


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "503 Unavailable"])
def test_every_status_is_returned_and_no_redirect_is_followed(make: Make, status: str) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.answer(b'{"a":1}', status, b"Location: /elsewhere\r\nX-Two: yes\r\n")
        connection.until_closed()

    with serving(script) as server:
        transport = make()
        response = send(transport, server.port)
        transport.close()
    assert (response.status, response.body) == (int(status[:3]), b'{"a":1}')
    assert response.headers["x-two"] == "yes"
    assert len(server.requests) == 1


BODY = b'{"long":"' + b"x" * 200_000 + b'"}'


@pytest.mark.parametrize(
    "answer",
    [
        answer_bytes(BODY),
        answer_bytes(gzip.compress(BODY), headers=b"Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer_bytes(BODY),
    ],
    ids=["length", "gzip", "chunked", "until-close", "interim"],
)
def test_body_framings_and_encodings(make: Make, answer: bytes) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer[:30], answer[30:])

    with serving(script) as server:
        transport = make()
        assert send(transport, server.port).body == BODY
        transport.close()


def test_interim_answer_is_skipped() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.trickle(answer_bytes(b'{"b":2}'), 0.001)

    with serving(script, closing(b"HTTP/1.1 103 Early Hints\r\n\r\n")) as server:
        transport = GeventTransport()
        response = send(transport, server.port)
        transport.close()
        with pytest.raises(ConnectionClosed):
            send(transport, server.port)
    assert (response.status, response.body) == (200, b'{"b":2}')


def resetting(*parts: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(*parts)
        connection.reset()

    return script


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (closing(), ConnectionClosed),
        (closing(HEAD[:20]), CallError),
        (closing(HEAD, b"{"), ConnectionClosed),
        (closing(CHUNKED, b"5\r\nab"), ConnectionClosed),
        (resetting(), ConnectionClosed),
        (closing(b"garbage\r\n\r\n"), ProtocolError),
        (closing(b"HTTP/1.1 abc OK\r\n\r\n"), ProtocolError),
        (closing(CHUNKED, b"zz\r\nab\r\n0\r\n\r\n"), ProtocolError),
        (closing(answer_bytes(b"no gzip", headers=b"Content-Encoding: gzip\r\n")), ProtocolError),
    ],
    ids=[
        "no-answer", "in-head", "in-body", "in-chunk", "reset", "garbage", "status", "chunk", "gzip",
    ],
)  # fmt: skip
def test_broken_answers_raise_typed_errors(make: Make, script: Script, kind: type[CallError]) -> None:
    with serving(script) as server:
        transport = make()
        with pytest.raises(kind) as caught:
            send(transport, server.port)
        assert isinstance(caught.value, ConnectionClosed | ProtocolError)
        # Not resent: the connection was new.
        assert server.accepted == 1


def test_port_without_a_listener(make: Make) -> None:
    with pytest.raises(ConnectionRefused):
        send(make(), free_port())


def test_unknown_host(make: Make) -> None:
    with pytest.raises(HostNotFound):
        send(make(), 7350, host="nakama.invalid")


def test_unreachable_address(make: Make) -> None:
    # RFC 6890: broadcast is not a TCP destination; the kernel refuses at once.
    with pytest.raises(ConnectionFailed):
        send(make(), 7350, host="255.255.255.255")


@pytest.mark.parametrize(
    "script",
    [
        silent,
        lambda connection: connection.request() and connection.trickle(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400),
        lambda connection: (connection.request(), connection.send(HEAD), connection.trickle(b"{         }")),
        lambda connection: (
            connection.request(),
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"),
            connection.trickle(b"x" * 400),
        ),
        lambda connection: connection.request() and connection.trickle(b"HTTP/1.1 103 Early\r\n\r\n" * 20),
    ],
    ids=["silent", "head", "short-body", "body", "interim"],
)
def test_timeout_covers_the_whole_operation(make: Make, script: Script) -> None:
    hasty = Timeouts(connect=10.0, request=0.1)
    with serving(script) as server:
        transport = make()
        with pytest.raises(RequestTimeout):
            send(transport, server.port, timeouts=hasty)
        # The connection was in an unknown state: the client closed it.
        server.ended[0].wait()


def test_timeout_of_the_tls_handshake(make: Make) -> None:
    with serving(Connection.until_closed) as server, pytest.raises(RequestTimeout):
        send(make(), server.port, tls=True, timeouts=Timeouts(connect=0.1, request=10.0))


def test_timeout_of_the_connect(make: Make) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # Fill the queue of unaccepted connections: Linux drops further SYNs.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003
            filler.connect_ex(listener.getsockname())
        try:
            with pytest.raises(RequestTimeout):
                send(make(), listener.getsockname()[1], timeouts=HASTY)
        finally:
            for filler in fillers:
                filler.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_tls_with_a_ca_file_or_insecure(make: Make, tls_context: ssl.SSLContext, ca_file: str) -> None:
    with serving(keep_answering, context=tls_context) as server:
        trusting = make(Network(Tls(ca=ca_file)))
        assert send(trusting, server.port, tls=True).body == b"{}"
        assert send(trusting, server.port, tls=True).body == b"{}"
        assert server.accepted == 1
        trusting.close()
        insecure = make(Network(Tls(insecure=True)))
        assert send(insecure, server.port, tls=True).body == b"{}"
        insecure.close()


def test_tls_close_with_the_answer(tls_context: ssl.SSLContext, ca_file: str) -> None:
    """The answer, the alert that ends TLS and a stray byte arrive in one read."""

    def part(connection: Connection) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context.wrap_bio(incoming, outgoing, server_side=True)
        for step in (tls.do_handshake, tls.read):
            while True:
                try:
                    step()
                except ssl.SSLWantReadError:
                    connection.sock.sendall(outgoing.read())
                    incoming.write(connection.sock.recv(65536))
                else:
                    break
        tls.write(answer_bytes())
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        connection.sock.sendall(outgoing.read() + b"x")
        connection.sock.recv(1)

    with serving(part) as server:
        transport = GeventTransport(Network(Tls(ca=ca_file)))
        for number in (1, 2):
            assert send(transport, server.port, "POST", b"{}", tls=True).body == b"{}"
            assert server.accepted == number
        transport.close()


def answer_in_plain_text(connection: Connection) -> None:
    connection.send(answer_bytes(status="400 Bad Request"))
    connection.until_closed()


def test_tls_failures_raise_typed_errors(
    make: Make, authority: trustme.CA, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    refused = pytest.raises(TlsError, match="certificate not accepted")
    with serving(keep_answering, context=tls_context) as server, refused:
        send(make(), server.port, tls=True)
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(other)
    with serving(keep_answering, context=other) as server:
        trusting = make(Network(Tls(ca=ca_file)))
        with pytest.raises(TlsError, match="certificate not accepted"):
            send(trusting, server.port, tls=True)
    with serving(answer_in_plain_text) as plain, pytest.raises(TlsError, match="TLS failed: "):
        send(make(), plain.port, tls=True)


def test_bad_ca_file(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(ConfigError, match="tls_ca"):
        send(make(Network(Tls(ca=str(path)))), 7350, tls=True)


def test_answer_sent_before_the_body_was_read(make: Make) -> None:
    def script(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.answer(b'{"code":3}', "400 Bad Request")
        connection.sock.shutdown(socket.SHUT_RD)

    with serving(script) as server:
        transport = make()
        assert send(transport, server.port, "POST", b"x" * 8_000_000).status == 400


def test_large_body(make: Make) -> None:
    with serving(keep_answering) as server:
        transport = make()
        send(transport, server.port, "POST", b"y" * 5_000_000)
        transport.close()
    assert server.requests[0].endswith(b"\r\n\r\n" + b"y" * 5_000_000)


def test_unknown_content_encoding() -> None:
    script = closing(answer_bytes(b"??", headers=b"Content-Encoding: br\r\n"))
    with serving(script) as server, pytest.raises(ProtocolError, match="'br'"):
        send(GeventTransport(), server.port)


def test_header_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        send(GeventTransport(), 7350, headers={"X": "a\r\nY: b"})


@pytest.mark.parametrize("tls", [False, True])
def test_timeout_of_the_caller_is_raised_unchanged(tls: bool) -> None:
    # With TLS the server never answers the handshake: the timeout expires in the connect.
    with serving(Connection.until_closed) as server:
        transport = GeventTransport()
        with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.05) as outer:
            send(transport, server.port, tls=tls)
        assert caught.value is outer
        server.ended[0].wait()


def test_locks() -> None:
    with GeventTransport().lock():
        pass
    lock = RequestsTransport().lock()
    with lock:
        assert lock.locked()  # type: ignore[attr-defined]


SECRETS = ("sk-planted-1", "hk-planted-2", "pw-planted-3", "c2ln-planted-4")


def test_no_secret_in_errors_causes_reprs_or_names(make: Make) -> None:
    server_key, http_key, password, signature = SECRETS
    session = Session(token(4e9)[:-4] + signature, token(4e9)[:-4] + signature)
    observer = Recorder()
    scripts = [closing(), closing(b"garbage\r\n\r\n"), closing(HEAD, b"{"), closing(answer_bytes(b"{"))]
    seen: list[str] = []
    with serving(*scripts, closing(answer_bytes(b"{}", "401 Unauthorized"))) as server:
        targets = [Target("127.0.0.1", server.port)] * 7 + [
            Target("127.0.0.1", free_port()),
            Target("nakama.invalid"),
        ]
        for target in targets:
            transport = make()
            client = Client(target, Credentials(server_key, http_key), transport=transport, observer=observer)
            seen += [repr(client), repr(session), repr(transport)]
            for call in (
                lambda client=client: client.authenticate_email("a@b.c", password),
                lambda client=client: client.rpc_http_key(http_key, "f"),
                lambda client=client: client.get_account(session),
                lambda client=client: client.session_refresh(session),
            ):
                with pytest.raises(CallError) as caught:
                    call()  # type: ignore[no-untyped-call]
                error = caught.value
                seen += [
                    str(error),
                    repr(error),
                    error.label,
                    error.operation,
                    *map(repr, vars(error).values()),
                ]
                seen += traceback.format_exception(error)
            transport.close()
    seen += [repr(call) for call in observer.calls]
    assert len(observer.calls) == 36
    text = "\n".join(seen)
    encoded = ["c2stcGxhbnRlZC0x", "aGstcGxhbnRlZC0y"]  # base64 of the two keys
    assert not [secret for secret in (*SECRETS, *encoded) if secret in text]


PATCHED = """
import gevent.monkey; gevent.monkey.patch_all()
import gevent, sys
from nakama_bots.settings.target import Target, Timeouts
from nakama_bots.errors import RequestTimeout
from nakama_bots.rest.transports.transport import RequestsTransport
target = Target("127.0.0.1", int(sys.argv[1]))
transport = RequestsTransport()
def call(path, timeout=60.0):
    return transport.send(target, "GET", path, {}, None, Timeouts(10.0, timeout))
waiting = gevent.spawn(call, "/never")
print(gevent.spawn(call, "/answered-when-never-waits").get().status)
waiting.kill()
print(type(waiting.value).__name__)
try:
    call("/trickled", 0.1)
except RequestTimeout as error:
    print(type(error).__name__)
"""


def test_requests_under_gevent_monkey_patching() -> None:
    requested, released = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        path = connection.request().split()[1]
        if path == b"/never":
            requested.set()
            connection.until_closed()
            released.set()
        elif path == b"/trickled":
            connection.trickle(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400)
        else:
            requested.wait()
            connection.answer(headers=b"Connection: close\r\n")

    with serving(script) as server:
        done = subprocess.run(
            [sys.executable, "-c", PATCHED, str(server.port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        # The killed greenlet's connection was closed, not leaked.
        released.wait()
    assert done.stdout.split() == ["200", "GreenletExit", "RequestTimeout"], done.stderr
