"""A scripted websocket server: it listens, and runs a script for each connection.

It runs in greenlets with gevent's socket classes, in the process of the client under test, whether that is
monkey-patched or not. It shares no code with the client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket as plain
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any

import gevent
import gevent.socket
from gevent.event import Event
from gevent.pool import Group

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = b"") -> bytes:
    """Return one server frame; a ``mask`` makes it invalid."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    flag = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, flag | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + mask + payload


class Peer:
    """One accepted connection, for the script."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.head = b""

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self.sock.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def read_head(self) -> bytes:
        """Read the request line and headers."""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.read(1)
        return self.head

    def header(self, name: str) -> str:
        for line in self.head.decode().split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""

    def upgrade(self, then: bytes = b"") -> None:
        """Complete the handshake; ``then`` is sent with it."""
        self.read_head()
        digest = hashlib.sha1((self.header("Sec-WebSocket-Key") + _GUID).encode()).digest()
        accept = base64.b64encode(digest).decode()
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n" + then
        )

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def text(self, message: object) -> None:
        self.send(text(message))

    def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and unmasked payload of the next frame, which must be final and masked."""
        first, second = self.read(2)
        assert first & 0xF0 == 0x80, "the client sends whole frames without reserved bits"
        assert second & 0x80, "a client must mask"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.read(8))
        mask = self.read(4)
        payload = self.read(size)
        plain_text = bytearray(payload)
        for index, key in enumerate(mask):
            plain_text[index::4] = payload[index::4].translate(bytes(byte ^ key for byte in range(256)))
        return first & 0x0F, bytes(plain_text)

    def request(self) -> dict[str, Any]:
        """Return the next message, which must be text with a JSON object."""
        opcode, payload = self.read_frame()
        assert opcode == TEXT, f"expected a text frame, not opcode {opcode}: {payload!r}"
        return json.loads(payload)

    def answer(self, request: dict[str, Any], **body: object) -> None:
        self.text({"cid": request["cid"], **body})

    def expect_close(self) -> tuple[int, bytes]:
        """Return code and reason of the next frame, which must be a close frame."""
        opcode, payload = self.read_frame()
        assert opcode == CLOSE, f"expected a close frame, not opcode {opcode}: {payload!r}"
        return struct.unpack("!H", payload[:2])[0], payload[2:]

    def expect_eof(self) -> None:
        """Wait for the client to end the stream, without further data."""
        try:
            data = self.sock.recv(1)
        except ConnectionResetError:
            return
        assert data == b"", f"expected the end, not {data!r}"

    def finish(self) -> None:
        """Answer the client's close and wait for the end."""
        code, _ = self.expect_close()
        self.send(frame(CLOSE, struct.pack("!H", code)))
        self.expect_eof()

    def reset(self) -> None:
        """End with RST."""
        self.sock.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def text(message: object) -> bytes:
    return frame(TEXT, json.dumps(message).encode())


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


Script = Callable[[Peer], object]


def upgraded(*steps: Script) -> Script:
    """Return a script that upgrades, runs the steps and answers the client's close."""

    def run(peer: Peer) -> None:
        peer.upgrade()
        for step in steps:
            step(peer)
        peer.finish()

    return run


def pong(peer: Peer) -> None:
    peer.answer(peer.request(), pong={})


class ScriptedServer:
    """Runs ``script`` for every connection. Leaving the context waits for the scripts and raises their errors;
    with ``quit_scripts`` it ends scripts that still run.
    """

    def __init__(self, script: Script, *, tls: Any = None, quit_scripts: bool = False) -> None:
        self._script = script
        self._tls = tls
        self._quit_scripts = quit_scripts
        self._scripts = Group()
        self._failures: list[BaseException] = []
        self.over = Event()
        self._listener = gevent.socket.socket(plain.AF_INET, plain.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = gevent.spawn(self._accept)

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            self._scripts.spawn(self._run, sock)

    def _run(self, sock: Any) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._script(Peer(sock))
        except Exception as error:  # noqa: BLE001 - raised again by __exit__
            self._failures.append(error)
        finally:
            sock.close()
            self.over.set()

    def forget(self) -> None:
        """Drop the errors of the scripts: the test expects them."""
        self._scripts.join()
        self._failures.clear()

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._acceptor.kill()
        self._listener.close()
        if error is not None or self._quit_scripts:
            self._scripts.kill()
        self._scripts.join()
        for failure in self._failures:
            if error is None:
                raise failure
