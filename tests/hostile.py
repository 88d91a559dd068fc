"""A peer that never pauses, in a process of its own, so that the client always finds bytes to read.

``python hostile.py`` listens, prints its port, and sends to each connection what the path of its request names,
again and again until the client closes: ``GET /<name>/...``. It shares no code with the client.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# Name -> what is sent first, and what is sent without end.
HTTP: dict[str, tuple[bytes, bytes]] = {
    "status-line": (b"HTTP/1.1 200 ", b"x" * 1000),
    "header": (OK + b"X: ", b"y" * 1000),
    "headers": (OK, b"X: y\r\n"),
    "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (OK + b"Connection: close\r\n\r\n", b"z" * 1000),
    "chunks": (CHUNKED, b"5\r\nhello\r\n"),
    "chunk-extension": (CHUNKED + b"5;", b"x" * 1000),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
}
HANDSHAKE: dict[str, tuple[bytes, bytes]] = {
    "status-line": (b"HTTP/1.1 101 ", b"x" * 1000),
    "header": (b"HTTP/1.1 101 Switching\r\nX: ", b"y" * 1000),
    "headers": (b"HTTP/1.1 101 Switching\r\n", b"X: y\r\n"),
    "interim": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "refusal": (b"HTTP/1.1 503 Busy\r\nContent-Length: 999999999\r\n\r\n", b"z" * 1000),
    "garbage": (b"\x00\x01", b"\xff" * 1000),
}
# Frames after an upgrade.
FRAMES: dict[str, tuple[bytes, bytes]] = {
    "pushes": (b"", b'\x81\x14{"notifications":{}}'),
    "pings": (b"", b"\x89\x00"),
    "fragments": (b'\x01\x01"', b"\x00\x00"),
    "one-message": (b'\x01\x01"', b"\x00\x7e\x10\x00" + b"x" * 4096),
    "one-frame": (b"\x81\x7f" + (2**40).to_bytes(8, "big"), b"x" * 1000),
}
FLOODS = {
    **{f"http-{name}": flood for name, flood in HTTP.items()},
    **{f"handshake-{name}": flood for name, flood in HANDSHAKE.items()},
    **{f"frames-{name}": flood for name, flood in FRAMES.items()},
}
_LONGEST = 120.0


def _serve(sock: socket.socket) -> None:
    with contextlib.suppress(OSError), sock:
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            if not data:
                return
            head += data
        name = head.split(b" ")[1].split(b"/")[1].decode()
        first, again = FLOODS[name]
        if name.startswith("frames-"):
            key = re.search(rb"(?i)sec-websocket-key: *([^\r]+)", head)
            assert key is not None
            guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key[1] + guid).digest())
            first = (
                b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + first
            )
        sock.sendall(first)
        block = again * (65536 // len(again) + 1)
        until = time.monotonic() + _LONGEST
        sock.settimeout(_LONGEST)
        while time.monotonic() < until:
            sock.sendall(block)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock,), daemon=True).start()


@contextlib.contextmanager
def flooding() -> Iterator[int]:
    """The port of a hostile server."""
    command = [sys.executable, str(Path(__file__))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.kill()


@contextlib.contextmanager
def never_longer(seconds: int) -> Iterator[None]:
    """Fail a test whose event loop has stopped: no timer of the loop would fire, but the system's does."""

    def stop(*_: object) -> None:
        msg = f"still running after {seconds} s"
        raise AssertionError(msg)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    main()
