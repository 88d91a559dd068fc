"""A TCP server that runs a test's script on each connection, for faults that real servers do not have."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Script = Callable[["Connection"], None]


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.sock = sock
        self.server = server

    def request(self) -> bytes:
        """Read one whole request; ``b""`` when the client closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            block = self.sock.recv(65536)
            if not block:
                return b""
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            body += self.sock.recv(65536)
        self.server.requests.append(head + b"\r\n\r\n" + body)
        return self.server.requests[-1]

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.sock.sendall(part)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", headers: bytes = b"") -> None:
        self.send(answer_bytes(body, status, headers))

    def until_closed(self) -> None:
        """Wait for the client to close."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def trickle(self, data: bytes, pause: float = 0.02) -> None:
        """Send byte by byte until the client closes."""
        for byte in data:
            if select.select([self.sock], [], [], pause)[0]:
                return
            self.send(bytes((byte,)))

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def answer_bytes(body: bytes = b"{}", status: str = "200 OK", headers: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + headers + b"\r\n" + body


def keep_answering(connection: Connection) -> None:
    while connection.request():
        connection.answer()


def closing(*parts: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(*parts)

    return script


def silent(connection: Connection) -> None:
    connection.request()
    connection.until_closed()


class Server(socketserver.ThreadingTCPServer):
    """Runs ``scripts`` on its connections in order, and the last script on all later connections."""

    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, scripts: tuple[Script, ...], context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.scripts = scripts
        self.context = context
        self.requests: list[bytes] = []
        self.accepted = 0
        self.ended = [threading.Event() for _ in range(10)]
        self.counting = threading.Lock()
        self.open: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        with self.counting:
            number = self.accepted
            self.accepted += 1
            self.open.append(request)
        sock = request
        with contextlib.suppress(OSError):
            try:
                if self.context is not None:
                    sock = self.context.wrap_socket(request, server_side=True)
                    self.open[number] = sock
                self.scripts[min(number, len(self.scripts) - 1)](Connection(sock, self))
            finally:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
                self.ended[min(number, 9)].set()

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        request.close()


@contextlib.contextmanager
def serving(*scripts: Script, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(scripts, context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        # End scripts that still wait for their client: a failed test must not hang.
        for sock in server.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        server.server_close()
