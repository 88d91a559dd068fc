"""A server that accepts every login and then breaks the protocol."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3

FRAMES = {
    "reserved bits": b"\xf1\x02{}",
    "not json": b"\x81\x05hello",
    "masked": b"\x81\x82\x00\x00\x00\x00{}",
    "no tokens": b"",
}


def token() -> str:
    parts = ({"alg": "HS256"}, {"uid": "u", "usn": "n", "exp": int(time.time()) + 3600})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + ".x"
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lie = ""

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        session = {"token": token(), "refresh_token": token()}
        body = json.dumps({} if self.lie == "no tokens" else session).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = _answer  # noqa: N815

    def do_GET(self) -> None:
        if "Sec-WebSocket-Key" not in self.headers:
            self._answer()
            return
        key = self.headers["Sec-WebSocket-Key"] + GUID
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.connection.recv(1)  # the lie is the answer to the first message
        self.wfile.write(FRAMES[self.lie])
        self.wfile.flush()
        while self.connection.recv(4096):
            pass
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


class LyingServer:
    def __init__(self, lie: str) -> None:
        self._server = Server(("127.0.0.1", 0), type("Lying", (Handler,), {"lie": lie}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LyingServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class OneAnswer:
    """A server that answers one request; later connections are refused."""

    def __enter__(self) -> OneAnswer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(10)
