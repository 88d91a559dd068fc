"""A websocket server that answers at random: ``python -m benchmarks.fuzz_server --seed N``.

Valid answers, wrong cids, garbage, fragments, invalid frames, and closes at any moment; some handshakes fail
as well. Raw sockets, a thread per connection. Connection N of a seed always does the same.
It prints a JSON line with its port, and stops when its standard input ends.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
LATE: Final = 0.4
"""Seconds after which an answer is too late for the client."""


class Over(Exception):
    """The connection has ended."""


class Asked(NamedTuple):
    """A message of a client."""

    cid: str
    key: str


def frame(opcode: int, payload: bytes, *, bits: int = 0x80, masked: bool = False) -> bytes:
    """Build a server's frame, or an invalid one: any bits, a mask."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    wide = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8, "big")
    head = bytes((bits | opcode, short | (0x80 if masked else 0))) + wide
    return head + (bytes(4) if masked else b"") + payload


class Connection:
    """The connection of a client."""

    def __init__(self, sock: socket.socket, seed: str) -> None:
        self._sock = sock
        self._random = random.Random(seed)
        self._data = b""
        self._old: list[str] = []

    def serve(self) -> None:
        """Perform or fail the handshake; then answer until either side closes."""
        with self._sock, contextlib.suppress(Over, OSError, ValueError):
            self._shake_hands()
            while True:
                self._answer(*self._read())

    def _more(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise Over
        self._data += data

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _read(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        mask = self._take(4)
        payload = self._take(size)
        key = (mask * (size // 4 + 1))[:size]
        return first & 0x0F, bytes(one ^ other for one, other in zip(payload, key, strict=True))

    def _shake_hands(self) -> None:
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        key = head.split(b"Sec-WebSocket-Key: ", 1)[1].split(b"\r\n", 1)[0].decode() + GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ).encode()
        if self._random.random() < 0.9:
            self._write(answer)
            return
        bad = (
            b"", answer[: self._random.randrange(len(answer))], answer.replace(b"Accept: ", b"Accept: x"),
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", self._random.randbytes(200),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
            b"HTTP/1.1 101 S\r\n" + b"X-More: a\r\n" * 20_000,
        )  # fmt: skip
        self._sock.sendall(self._random.choice(bad))
        if self._random.random() < 0.2:
            time.sleep(LATE)
        raise Over

    def _write(self, data: bytes) -> None:
        """Write data in one piece or in many."""
        if self._random.random() < 0.9:
            self._sock.sendall(data)
            return
        while data:
            size = self._random.randint(1, max(1, len(data) // 2))
            self._sock.sendall(data[:size])
            data = data[size:]

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            if self._random.random() < 0.7:
                self._write(frame(CLOSE, payload[:2]))
            raise Over
        if opcode == PONG:
            return
        envelope = json.loads(payload)
        cid, key = envelope.get("cid"), next(key for key in envelope if key != "cid")
        self._old.append(cid)
        actions, weights = zip(*_ACTIONS, strict=True)
        for part in self._random.choices(actions, weights)[0](self, Asked(cid, key)):
            self._write(part)

    # Each of these yields the bytes to write in place of an answer, or ends the connection.

    def well(self, asked: Asked) -> Iterator[bytes]:
        """Answer correctly."""
        body: dict[str, dict[str, object]] = {
            "ping": {"pong": {}},
            "rpc": {"rpc": {"id": "echo", "payload": "x" * self._random.randrange(9000)}},
        }
        yield frame(TEXT, json.dumps({"cid": asked.cid, **body.get(asked.key, {})}).encode())

    def fragments(self, asked: Asked) -> Iterator[bytes]:
        """Answer correctly, in fragments with pings between them."""
        payload = json.dumps({"cid": asked.cid, "pong": {}, "rpc": {"id": "x"}}).encode()
        parts = [payload[at : at + 7] for at in range(0, len(payload), 7)]
        for number, part in enumerate(parts):
            yield frame(0 if number else TEXT, part, bits=0x80 if number == len(parts) - 1 else 0)
            if self._random.random() < 0.3:
                yield frame(PING, b"between")

    def refused(self, asked: Asked) -> Iterator[bytes]:
        """Answer with an error, of any shape."""
        error: object = self._random.choice(
            ({"code": 3, "message": "no"}, {}, {"code": "x"}, None, [], "no", {"code": 2**70})
        )
        yield frame(TEXT, json.dumps({"cid": asked.cid, "error": error}).encode())

    def other_body(self, asked: Asked) -> Iterator[bytes]:
        """Answer with the right cid and another body."""
        bodies: tuple[dict[str, object], ...] = (
            {}, {"pong": None}, {"rpc": 5}, {"match": {}}, {"\ud800": {}}, {"pong": [1]},
        )  # fmt: skip
        yield frame(TEXT, json.dumps({"cid": asked.cid, **self._random.choice(bodies)}).encode())

    def twice(self, asked: Asked) -> Iterator[bytes]:
        """Answer twice."""
        yield from (frame(TEXT, json.dumps({"cid": asked.cid, "pong": {}}).encode()) for _ in range(2))

    def late(self, asked: Asked) -> Iterator[bytes]:
        """Answer after the client's timeout."""
        time.sleep(LATE)
        yield from self.well(asked)

    def other_cid(self, _: Asked) -> Iterator[bytes]:
        """Answer with another cid: of an older request, of none, of another type."""
        other: object = self._random.choice(
            (self._random.choice(self._old), "0", "-1", "9" * 5000, 7, None, {}, [], True, 1.5)
        )
        yield frame(TEXT, json.dumps({"cid": other, "pong": {}}).encode())

    def nothing(self, _: Asked) -> Iterator[bytes]:
        """Do not answer."""
        yield b""

    def pushes(self, asked: Asked) -> Iterator[bytes]:
        """Send pushes of any shape, then an answer."""
        for _ in range(self._random.randrange(5)):
            body: object = self._random.choice(({}, None, 5, [], {"data": "%%"}, {"presences": 1}))
            name = self._random.choice(("match_data", "channel_message", "notifications", "no_such_push", ""))
            yield frame(TEXT, json.dumps({name: body}).encode())
        yield from self.well(asked)

    def garbage(self, _: Asked) -> Iterator[bytes]:
        """Send a text that is not an envelope."""
        texts = (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"cid":',
            b"5",
            self._random.randbytes(40),
            b"{}" * 9,
        )
        yield frame(TEXT, self._random.choice((*texts, b'{"cid":' + b"[" * 5000 + b"]" * 5000 + b"}")))

    def no_frame(self, _: Asked) -> Iterator[bytes]:
        """Send bytes that are not a server's frame."""
        yield self._random.choice((
            frame(TEXT, b"{}", masked=True), frame(TEXT, b"{}", bits=0xC0), frame(0x3, b"x"), frame(0xB, b""),
            frame(PING, b"x" * 126), frame(CLOSE, b"x"), frame(0, b"x"), frame(BINARY, b"{}"),
            frame(PING, b"", bits=0),
            b"\x81\x7f" + (2**63).to_bytes(8, "big"), self._random.randbytes(self._random.randint(1, 300)),
        ))  # fmt: skip

    def closes(self, _: Asked) -> Iterator[bytes]:
        """Send a close frame with any code and reason."""
        code = self._random.choice((1000, 1001, 1006, 1011, 0, 999, 2999, 3000, 65535)).to_bytes(2, "big")
        yield frame(CLOSE, code + self._random.choice((b"", b"bye", b"\xff", b"\x1b[31m")))
        raise Over

    def ends(self, _: Asked) -> Iterator[bytes]:
        """End TCP, in the middle of a frame or not, with FIN or RST."""
        yield frame(TEXT, b'{"cid": "1"}')[: self._random.randrange(12)]
        if self._random.random() < 0.5:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over


_ACTIONS: Final[tuple[tuple[Callable[[Connection, Asked], Iterator[bytes]], float], ...]] = (
    (Connection.well, 60), (Connection.fragments, 5), (Connection.refused, 5), (Connection.other_body, 3),
    (Connection.twice, 4), (Connection.late, 2), (Connection.other_cid, 4), (Connection.nothing, 3),
    (Connection.pushes, 6), (Connection.garbage, 2), (Connection.no_frame, 2), (Connection.closes, 2),
    (Connection.ends, 2),
)  # fmt: skip


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_server", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed

    def accept(listener: socket.socket) -> None:
        number = 0
        while True:
            sock, _ = listener.accept()
            number += 1
            connection = Connection(sock, f"{seed}-{number}")
            threading.Thread(target=connection.serve, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        sys.stdin.read()
        os._exit(0)


if __name__ == "__main__":
    main()
