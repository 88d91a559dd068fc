"""The minimum on gevent: io watchers of the hub on plain sockets, frames sliced by hand, no API, no event.

It waits for no deadline, answers no websocket ping, and knows no fragmented message.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import gevent
import orjson
from gevent import socket as waiting_socket
from gevent.hub import Waiter

from benchmarks.performance.contestants.stage import Stage

STAGE: Final = Stage()
PARTS: Final = urlsplit(STAGE.url)
ADDRESS: Final = (PARTS.hostname or "", PARTS.port or 80)
HUB: Final = gevent.get_hub()
MASK: Final = b"\x12\x34\x56\x78"
KEY: Final = int.from_bytes(MASK * 1024, "little")
LOGIN: Final = (
    f"POST /v2/account/authenticate/device?create=true HTTP/1.1\r\nHost: {PARTS.netloc}\r\n"
    f"Authorization: Basic {base64.b64encode(f'{STAGE.server_key}:'.encode()).decode()}\r\n"
    "Content-Type: application/json\r\nContent-Length: "
).encode()
UPGRADE: Final = (
    f" HTTP/1.1\r\nHost: {PARTS.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


def opened() -> Any:
    """Return a connection that gevent waits for."""
    sock = waiting_socket.create_connection(ADDRESS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def log_in(sock: Any, device_id: str) -> str:
    """Send one request, and return the token of its answer."""
    body = orjson.dumps({"id": device_id})
    sock.sendall(LOGIN + b"%d\r\n\r\n%b" % (len(body), body))
    answer = b""
    while True:
        answer += sock.recv(65536)
        head, end, rest = answer.partition(b"\r\n\r\n")
        if end:
            at = head.lower().index(b"content-length:") + 15
            if len(rest) >= int(head[at:].split(b"\r\n", 1)[0]):
                session = orjson.loads(rest)
                if "token" not in session:
                    raise RuntimeError(rest.decode())
                return str(session["token"])


class Peer:
    """A websocket connection whose frames are read by the hub's watcher."""

    __slots__ = ("_cid", "_ready", "_rest", "_send", "_sock", "_waiting", "_watcher")

    def __init__(self, number: int) -> None:
        sock = opened()
        token = log_in(sock, STAGE.device_id(number))
        sock.close()
        sock = opened()
        sock.sendall(f"GET /ws?token={token}".encode() + UPGRADE)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        assert head.startswith(b"HTTP/1.1 101"), head
        self._rest = head.partition(b"\r\n\r\n")[2]
        plain = socket.socket(fileno=sock.detach())
        plain.settimeout(0)
        self._sock, self._send = plain, plain.send
        self._waiting: dict[str, Waiter[Any]] = {}
        self._cid = 0
        self._ready: Callable[[list[dict[str, str]]], object] = lambda _: None
        self._watcher = HUB.loop.io(plain.fileno(), 1)
        self._watcher.start(self._readable)

    def ping(self) -> None:
        """Send an application ping and wait for its answer."""
        self._request("ping", {})

    def join(self, name: str, players: int) -> str:
        """Join a match, wait until it has all its players, and return its id."""
        waiter: Waiter[None] = Waiter(HUB)
        inside: set[str] = set()

        def seen(presences: list[dict[str, str]]) -> None:
            inside.update(one["session_id"] for one in presences)
            if len(inside) == players:
                self._ready = lambda _: None
                waiter.switch(None)

        self._ready = seen
        match = self._request("match_create", {"name": name})["match"]
        HUB.loop.run_callback(lambda: self._ready([*match.get("presences", ()), match["self"]]))
        waiter.get()
        return str(match["match_id"])

    def write(self, message: dict[str, Any]) -> None:
        """Send a message."""
        payload = orjson.dumps(message)
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        masked = int.from_bytes(payload, "little") ^ (KEY & ((1 << size * 8) - 1))
        self._send(head + MASK + masked.to_bytes(size, "little"))

    def _request(self, key: str, body: dict[str, Any]) -> Any:
        self._cid += 1
        cid = str(self._cid)
        waiter = self._waiting[cid] = Waiter(HUB)
        self.write({"cid": cid, key: body})
        return waiter.get()

    def _readable(self) -> None:
        data = self._sock.recv(65536)
        if self._rest:
            data = self._rest + data
        position, end = 0, len(data)
        while position + 4 <= end or position + 2 == end:
            size, start = data[position + 1], position + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            if start + size > end:
                break
            if data[position] == 0x81:
                self._heard(orjson.loads(data[start : start + size]))
            position = start + size
        self._rest = data[position:]

    def _heard(self, message: Any) -> None:
        waiter = self._waiting.pop(message.get("cid"), None)
        if waiter is not None:
            waiter.switch(message)
        elif "match_data" in message:
            STAGE.received += 1
        elif "match_presence_event" in message:
            self._ready(message["match_presence_event"].get("joins", []))


def play(number: int) -> None:
    """Do the work of one player."""
    stage = STAGE
    if stage.work == "E":
        sock = opened()
        stage.enter()
        while True:
            stage.sent += 1
            log_in(sock, stage.new_device_id())
            stage.received += 1
    peer = Peer(number)
    if stage.work in "DF":
        stage.play_match(number, peer.join(stage.match_name(number), stage.group), peer.write)
    elif stage.work == "C":
        stage.enter()
        gevent.sleep(3600)
    else:
        stage.play_pings(number, peer.ping)


if __name__ == "__main__":
    STAGE.play(play)
