"""The calls in captured packets, without a capture: it needs privileges."""

from __future__ import annotations

import contextlib
import runpy
import ssl
from pathlib import Path
from typing import Any

import trustme

from nakama_bots.realtime.frames import TEXT, encode

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "capturing.py"))
Stream, add_messages, add_requests, new_calls = (
    MODULE[name] for name in ("Stream", "add_messages", "add_requests", "new_calls")
)

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{  \r\n1\r\n}\r\n0\r\n\r\n"
REFUSED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def stream(*packets: tuple[float, bytes], opened: float = 0.0) -> Any:
    """A stream of packets with their times."""
    made = Stream(opened=opened)
    for at, payload in packets:
        made.add(100 + len(made.data), payload, at)
    return made


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def test_requests_over_one_connection() -> None:
    asked = stream(
        (1.0, get("/v2/account")), (2.0, get("/v2/user?ids=a")),
        (3.0, get("/v2/account")), (4.0, get("/v2/account")),
        opened=0.5,
    )  # fmt: skip
    answered = stream(
        (1.25, ANSWER[:30]), (1.5, ANSWER[30:]), (2.25, CHUNKED), (3.5, REFUSED), (4.5, ANSWER[:-1])
    )
    calls = new_calls()
    add_requests(calls, asked, answered)
    assert calls == {("GET", "/v2/account"): [1000.0], ("GET", "/v2/user"): [250.0]}


def test_messages_and_a_packet_that_is_sent_again() -> None:
    ask = (
        get("/ws")
        + encode(TEXT, b'{"cid":"1","rpc":{}}', int.from_bytes(b"abcd", "little"))
        + encode(TEXT, b'{"cid":"2","ping":{}}', int.from_bytes(b"abcd", "little"))
    )
    asked = stream((1.0, ask))
    asked.add(100, ask[:10], 9.0)
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    frames = [
        bytes((0x81, len(text))) + text for text in (b'{"cid":"2"}', b'{"ping":{}}', b'{"cid":"1","error":{}}')
    ]
    answered = stream((1.1, upgrade), (1.25, frames[0][:5]), (1.5, frames[0][5:] + frames[1]), (2.0, frames[2]))
    calls = new_calls()
    add_messages(calls, asked, answered)
    assert calls == {("WS", "ping"): [500.0]}


def test_the_content_of_encrypted_records() -> None:
    authority = trustme.CA()
    mine, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(mine)
    authority.issue_cert("localhost").configure_cert(theirs)
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    theirs.set_ciphers("ECDHE+AESGCM")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = mine.wrap_bio(down, up, server_hostname="localhost")
    server = theirs.wrap_bio(up, down, server_side=True)
    sent = Stream()
    clock = 0.0
    for act in (client.do_handshake, server.do_handshake) * 3:
        clock += 1.0
        with contextlib.suppress(ssl.SSLWantReadError):
            act()
        data = up.read()
        sent.add(100 + len(sent.data), data, clock)
        up.write(data)
    for size in (1, 100, 20_000):
        clock += 1.0
        client.write(b"x" * size)
        data = up.read()
        sent.add(100 + len(sent.data), data[:-1], clock)
        sent.add(100 + len(sent.data), data[-1:], clock + 0.5)
    assert [(length, at) for length, at in sent.records() if at % 1.0] == [(1, 7.5), (101, 8.5), (20_101, 9.5)]
