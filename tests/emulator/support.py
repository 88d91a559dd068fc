"""A core with a clock that tests set, a session that records what it receives, and raw websockets."""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import struct
import urllib.request
from typing import Any

import orjson

from nakama_bots.emulator import handlers
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.store.core import Core

TIMEOUT = 15.0


class Clock:
    """Unix seconds that only a test changes."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> int:
        return int(self.seconds * 1e9)


def make_core(clock: Clock | None = None, options: Options | None = None) -> Core:
    core = Core(options or Options(), clock or Clock(), random.Random(1))
    handlers.install(core)
    return core


class Recorder:
    """A session without a socket that records its envelopes."""

    def __init__(self, core: Core, user_id: str = "", username: str = "somebody") -> None:
        self.id = core.new_id(version=1)
        self.user_id = user_id or core.new_id()
        self.username = username
        self.vars: dict[str, str] = {}
        self.lang = "en"
        self.frames: list[Any] = []
        self.closed: tuple[int, str] | None = None
        core.open_session(self)

    @property
    def ended(self) -> bool:
        return self.closed is not None

    def reply(self, envelope: JsonObject) -> None:
        self.push(orjson.dumps(envelope))

    def push(self, frame: bytes) -> None:
        self.frames.append(orjson.loads(frame))

    def disconnect(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


def login(url: str, device: str, **query: str) -> dict[str, Any]:
    """The tokens of a device login."""
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    request = urllib.request.Request(
        f"{url}/v2/account/authenticate/device?{parameters}",
        data=json.dumps({"id": device}).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(b"defaultkey:").decode()},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return dict(json.load(response))


class RawSocket:
    """A minimal websocket client, for frames that a well-behaved client cannot send."""

    def __init__(self, url: str, token: str, query: str = "", receive_buffer: int = 0) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws?token={token}{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert b" 101 " in head, head

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _fill(self) -> None:
        part = self.socket.recv(65536)
        if not part:
            raise EOFError
        self.buffer += part

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    @staticmethod
    def frame(payload: bytes, opcode: int = 1, *, final: bool = True) -> bytes:
        """A masked client frame; a mask of zeros leaves the payload as it is."""
        first = (0x80 if final else 0) | opcode
        size = len(payload)
        head = struct.pack(">BB", first, 0x80 | size) if size < 126 else struct.pack(">BBH", first, 0xFE, size)
        return head + bytes(4) + payload

    def send(self, payload: bytes | dict[str, Any], opcode: int = 1, *, final: bool = True) -> None:
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.socket.sendall(self.frame(content, opcode, final=final))

    def receive(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame; ``EOFError`` at the end."""
        opcode, size = self._take(2)
        if size == 126:
            (size,) = struct.unpack(">H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._take(8))
        return opcode & 0x0F, self._take(size)

    def receive_json(self) -> Any:
        opcode, payload = self.receive()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)

    def receive_all(self) -> bool:
        """Read to the end, however TCP ends; True if a close frame came."""
        try:
            while self.receive()[0] != 8:
                pass
        except (EOFError, ConnectionError):
            return False
        return True

    def receive_close(self) -> tuple[int, str]:
        """The code and reason of the server's close; frames before it are dropped."""
        while True:
            opcode, payload = self.receive()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()
