"""A relay in front of a server that breaks one thing: ``python -m tests.faults.peer --upstream PORT ..``.

A process with a thread for each connection, on raw sockets: nothing in it keeps it from what HTTP and websocket
forbid. Everything else goes to the server and back untouched. It prints one JSON line when it listens, and one
with what it has seen when its standard input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

CHUNK = 64 * 1024
TEXT, CLOSE, PING = 0x1, 0x8, 0x9
# Texts that would forge lines, move the cursor or turn the reading direction, if they were shown as they came.
FORGED = "".join(["\r\nrun: PASSED (exit code 0)"] * 18) + "\r\n"
FORGED += (
    "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u202c \u2066x\u2069 \x85 \u2028 @everyone <img src=x> | **bold** `"
)
CLOSES = (
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1011,
    1012,
    3000,
    4999,
    0,
    999,
    1005,
    1006,
    1015,
    5000,
    65535,
)


class Over(Exception):
    """The connection has come to its end."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def is_upgrade(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def kind(self) -> str:
        if self.is_upgrade:
            return "ws"
        path = self.path.partition("?")[0]
        if path == "/healthcheck":
            return "health"
        if path.startswith("/v2/account/authenticate"):
            return "login"
        return "account" if (self.method, path) == ("GET", "/v2/account") else "rest"


@dataclass
class Seen:
    """What came by."""

    connections: int = 0
    hits: int = 0
    followed: int = 0
    cids: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> int:
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)
            return int(getattr(self, name))

    def line(self) -> str:
        return json.dumps({name: getattr(self, name) for name in ("connections", "hits", "followed", "cids")})


class Reader:
    """Bytes of a socket by lines, heads and counts."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._data = b""

    def exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def _more(self) -> None:
        try:
            data = self.sock.recv(CHUNK)
        except OSError:
            raise Over from None
        if not data:
            raise Over
        self._data += data


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}


def read_request(reader: Reader) -> Request:
    head = reader.head()
    method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    headers = headers_of(head)
    body = reader.exactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, head + body)


def read_answer(reader: Reader) -> tuple[int, bytes]:
    head = reader.head()
    status = int(head.split(b" ", 2)[1])
    if status == 101:
        return status, head
    return status, head + reader.exactly(int(headers_of(head).get("content-length", "0")))


# Replies in place of an answer. Each has the client's socket, sends what it likes, and ends or raises OSError.


def pour(sock: socket.socket, head: bytes, part: bytes, total: int | None = None) -> None:
    """``part`` again and again, without a pause, for ever or ``total`` bytes."""
    sock.sendall(head)
    block = part * max(1, CHUNK // len(part))
    sent = 0
    while total is None or sent < total:
        sock.sendall(block)
        sent += len(block)


def answered(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def slowly(sock: socket.socket, _: Request) -> None:
    # A byte often enough that no read alone would be found too long.
    for byte in itertools.chain(b"HTTP/1.1 101 Switching Protocols\r\n", itertools.repeat(ord("x"))):
        sock.sendall(bytes((byte,)))
        time.sleep(0.2)


def nothing(sock: socket.socket, _: Request) -> None:
    while sock.recv(CHUNK):
        pass


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    raise Over


@lru_cache
def bomb() -> bytes:
    """300 MB of zeros in 300 KB."""
    return gzip.compress(bytes(300_000_000), 6)


def error(code: int, text: str) -> bytes:
    return json.dumps({"code": code, "message": text, "error": text}).encode()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
REPLIES: dict[str, Callable[[socket.socket, Request], object]] = {
    "endless headers": lambda sock, _: pour(sock, OK, b"X-More: " + b"a" * 100 + b"\r\n"),
    "endless header": lambda sock, _: pour(sock, OK + b"X-More: ", b"a"),
    "endless status line": lambda sock, _: pour(sock, b"HTTP/1.1 200 ", b"a"),
    "endless 1xx": lambda sock, _: pour(sock, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless body": lambda sock, _: pour(sock, OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\naaaa\r\n"),
    "huge body": lambda sock, _: pour(sock, OK + b"Content-Length: 200000000\r\n\r\n", b" ", 200_000_000),
    "slow": slowly,
    "nothing": nothing,
    "reset": lambda sock, _: reset(sock),
    "half": lambda sock, _: sock.sendall(OK + b'Content-Length: 1000\r\n\r\n{"user": '),
    "garbage": lambda sock, _: sock.sendall(bytes(range(256)) * 4),
    "not json": lambda sock, _: sock.sendall(answered("200 OK", b"<html>hello</html>")),
    "no token": lambda sock, _: sock.sendall(answered("200 OK", b'{"token": null}')),
    "429": lambda sock, _: sock.sendall(answered("429 Too Many Requests", b"", "Retry-After: 1")),
    "503": lambda sock, _: sock.sendall(answered("503 Service Unavailable", b"")),
    "redirect": lambda sock, request: sock.sendall(
        answered("302 Found", b"", f"Location: http://{request.headers['host']}/followed")
    ),
    "refused": lambda sock, _: sock.sendall(answered("401 Unauthorized", error(16, "no"))),
    "forged": lambda sock, _: sock.sendall(answered("400 Bad Request", error(3, FORGED))),
    "not upgraded": lambda sock, _: sock.sendall(answered("200 OK", b"{}")),
    "wrong accept": lambda sock, _: sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: d3Jvbmc=\r\n\r\n"
    ),
    "bomb": lambda sock, _: sock.sendall(
        answered("200 OK", bomb(), "Content-Encoding: gzip")
    ),
}  # fmt: skip


# What becomes of a frame of the server: the bytes that go out for it, or an end.


def frame(opcode: int, payload: bytes, *, bits: int = 0x80, masked: bool = False) -> bytes:
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    wide = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8, "big")
    head = bytes((bits | opcode, short | (0x80 if masked else 0))) + wide
    return head + (bytes(4) if masked else b"") + payload


def with_cid(payload: bytes, cid: Any) -> bytes:
    envelope = json.loads(payload)
    if "cid" in envelope:
        envelope["cid"] = cid
    return json.dumps(envelope).encode()


def fragments(payload: bytes) -> bytes:
    """Valid: three fragments with a ping between."""
    third = max(1, len(payload) // 3)
    parts = (payload[:third], payload[third : 2 * third], payload[2 * third :])
    return frame(TEXT, parts[0], bits=0) + frame(PING, b"p") + frame(0, parts[1], bits=0) + frame(0, parts[2])


PUSHES = (
    b'{"channel_message": null}', b'{"channel_message": 5}', b'{"channel_presence_event": {"joins": 7}}',
    b'{"match_data": {"data": "%%%", "op_code": "x"}}', b'{"match_presence_event": []}',
    b'{"notifications": {"notifications": [null, 1]}}', b'{"status_presence_event": "x"}',
    b'{"matchmaker_matched": {"ticket": []}}', b'{"no_such_push": {}}', b'{"party_data": {}}',
)  # fmt: skip
_closes = itertools.cycle(CLOSES)

FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "masked": lambda payload: frame(TEXT, payload, masked=True),
    "reserved bits": lambda payload: frame(TEXT, payload, bits=0xC0),
    "reserved opcode": lambda payload: frame(0x3, payload),
    "binary": lambda payload: frame(0x2, payload),
    "not utf-8": lambda payload: frame(TEXT, payload[:-1] + b"\xff\xfe"),
    "long ping": lambda payload: frame(PING, bytes(126)) + frame(TEXT, payload),
    "fragments": fragments,
    "no start": lambda payload: frame(0, payload),
    "claims 2**62": lambda payload: b"\x81\x7f" + (2**62).to_bytes(8, "big") + payload,
    "unknown cid": lambda payload: frame(TEXT, with_cid(payload, "999999999")),
    "number cid": lambda payload: frame(TEXT, with_cid(payload, 1)),
    "no cid": lambda payload: frame(TEXT, json.dumps({**json.loads(payload), "cid": None}).encode()),
    "huge cid": lambda payload: frame(TEXT, with_cid(payload, "9" * 1_000_000)),
    "deep": lambda payload: frame(TEXT, b'{"cid": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "close codes": lambda payload: frame(CLOSE, next(_closes).to_bytes(2, "big") + b"\x1b[31m\xff"),
    "short close": lambda payload: frame(CLOSE, b"\x03"),
    "bad pushes": lambda payload: b"".join(frame(TEXT, push) for push in PUSHES) + frame(TEXT, payload),
    "flood of pings": lambda payload: frame(PING, b"x" * 100) * 20_000 + frame(TEXT, payload),
    "forged": lambda payload: frame(
        TEXT, json.dumps({"cid": json.loads(payload)["cid"], "error": {"code": 3, "message": FORGED}}).encode()
    ) if b'"cid"' in payload else frame(TEXT, payload),
}  # fmt: skip
ENDS = ("reset", "end", "half", "black hole")


@dataclass
class Plan:
    """What is broken: requests of the kind ``on`` by ``reply``, frames by ``frame``; but ``after``."""

    reply: str
    on: str
    frame: str
    after: int
    upstream: int
    garbage: bool


class Peer:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seen = Seen()
        self._requests = 0

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.seen.count("connections")
            threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def _client(self, client: socket.socket) -> None:
        with contextlib.suppress(Over, OSError, ValueError), contextlib.ExitStack() as stack:
            stack.callback(client.close)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.plan.garbage:
                client.sendall(bytes(range(256)) * 16)
                return
            server = Reader(stack.enter_context(socket.create_connection(("127.0.0.1", self.plan.upstream))))
            reader = Reader(client)
            while True:
                self._one(reader, server)

    def _one(self, client: Reader, server: Reader) -> None:
        request = read_request(client)
        if request.path.startswith("/followed"):
            self.seen.count("followed")
        if self.plan.reply and request.kind in self.plan.on.split(",") and self._hit():
            REPLIES[self.plan.reply](client.sock, request)
            if self.plan.reply in ("429", "503", "not json", "forged", "bomb"):
                return  # a whole answer: the connection goes on
            raise Over
        server.sock.sendall(request.raw)
        status, answer = read_answer(server)
        client.sock.sendall(answer)
        if status == 101:
            self._talk(client, server)

    def _hit(self) -> bool:
        with self.seen.lock:
            self._requests += 1
            hit = self._requests > self.plan.after
        if hit:
            self.seen.count("hits")
        return hit

    def _talk(self, client: Reader, server: Reader) -> None:
        """A websocket: frames one by one, both ways."""
        dead = threading.Event()
        forth = threading.Thread(target=self._forth, args=(client, server, dead), daemon=True)
        forth.start()
        try:
            self._back(client, server, dead)
        finally:
            for sock in (client.sock, server.sock):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            forth.join(5)
        raise Over

    def _forth(self, client: Reader, server: Reader, dead: threading.Event) -> None:
        with contextlib.suppress(Over, OSError):
            while True:
                _, payload, raw = read_frame(client)
                if b'"cid"' in payload:
                    self.seen.count("cids")
                if not dead.is_set():
                    server.sock.sendall(raw)
        if not dead.is_set():
            with contextlib.suppress(OSError):
                server.sock.shutdown(socket.SHUT_RDWR)

    def _back(self, client: Reader, server: Reader, dead: threading.Event) -> None:
        for number in itertools.count(1):
            opcode, payload, raw = read_frame(server)
            if not self.plan.frame or number <= self.plan.after or opcode != TEXT or dead.is_set():
                if not dead.is_set():
                    client.sock.sendall(raw)
                continue
            self.seen.count("hits")
            if self.plan.frame == "black hole":
                dead.set()
            elif self.plan.frame in ENDS:
                if self.plan.frame == "half":
                    client.sock.sendall(raw[: len(raw) // 2])
                if self.plan.frame == "reset":
                    reset(client.sock)
                raise Over
            else:
                client.sock.sendall(FRAMES[self.plan.frame](payload))


def read_frame(reader: Reader) -> tuple[int, bytes, bytes]:
    """Opcode, payload without its mask, and the bytes as they came."""
    head = reader.exactly(2)
    size = head[1] & 0x7F
    wide = reader.exactly({126: 2, 127: 8}.get(size, 0))
    size = int.from_bytes(wide, "big") if wide else size
    mask = reader.exactly(4) if head[1] & 0x80 else b""
    payload = reader.exactly(size)
    clear = payload
    if mask:
        key = (mask * (size // 4 + 1))[:size]
        clear = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return head[0] & 0x0F, clear, head + wide + mask + payload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", type=int, default=0)
    parser.add_argument("--reply", default="", choices=("", *REPLIES))
    parser.add_argument("--on", default="account", help="kinds of requests with commas: ws, health, login, ..")
    parser.add_argument("--frame", default="", choices=("", *FRAMES, *ENDS))
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--garbage", action="store_true", help="to every connection, whatever it wants")
    peer = Peer(Plan(**vars(parser.parse_args())))
    if peer.plan.reply == "bomb":
        bomb()  # made now: it takes longer than a client waits
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        threading.Thread(target=peer.serve, args=(listener,), daemon=True).start()
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        sys.stdin.read()
        print(peer.seen.line(), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
