"""An HTTP proxy in threads, which opens tunnels (CONNECT) and keeps the heads that it was sent."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator


class Proxy(socketserver.ThreadingTCPServer):
    """``refusal`` is what it answers in place of a tunnel."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, refusal: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.refusal = refusal
        self.heads: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += request.recv(1)
        self.heads.append(head)
        if self.refusal:
            request.sendall(self.refusal)
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as server:
            request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there = threading.Thread(target=_pump, args=(server, request), daemon=True)
            there.start()
            _pump(request, server)
            there.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxying(refusal: bytes = b"") -> Iterator[Proxy]:
    with Proxy(refusal) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
