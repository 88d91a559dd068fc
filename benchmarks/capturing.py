"""Captures the calls that go through ports of the loopback interface: what an observer on the wire sees.

It needs root or ``CAP_NET_RAW``. Behind a TLS relay the content of a connection is that of the relay's plain
side, and its times are those of the encrypted side: what the relay takes to forward is in no time.
"""

from __future__ import annotations

import ctypes
import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.record.routes import find

_ETH_P_ALL: Final = 0x0003  # what is sent is shown to sockets of all protocols only
_ETH_P_IP: Final = 0x0800
_OUTGOING: Final = 4  # PACKET_OUTGOING: loopback shows each packet twice, as sent and as received
_HOST: Final = 0
_SO_TIMESTAMPNS: Final = 35
_SO_ATTACH_FILTER: Final = 26
_BUFFER: Final = 64 * 1024 * 1024
_SYN: Final = 0x02
_APPLICATION: Final = 23  # the type of a TLS record with the application's data
_RECORD_EXTRA: Final = 24
"""Bytes of such a record that are no content: RFC 5288, a nonce of 8 and a tag of 16."""

Parts = list[tuple[int, float]]
"""Length of the data up to a packet's end, and its time."""

Calls = defaultdict[tuple[str, str], list[float]]
"""Milliseconds by kind and name."""


def new_calls() -> Calls:
    """No calls yet."""
    return defaultdict(list)


@dataclass
class Stream:
    """One direction of a connection: its bytes in order, and when each part of them was on the wire."""

    expected: int | None = None
    broken: bool = False
    data: bytearray = field(default_factory=bytearray)
    parts: Parts = field(default_factory=list)
    opened: float = 0.0
    """When the connection was asked for."""

    def add(self, sequence: int, payload: bytes, at: float) -> None:
        """Add a packet; one that was sent again adds only what is new.

        After one that was not captured the frames cannot be told apart: the stream ends there, and its calls
        are missing.
        """
        if self.expected is None:
            self.expected = sequence
        known = (self.expected - sequence) & 0xFFFFFFFF
        if known > len(payload):
            self.broken = self.broken or known >= 0x80000000
            return
        if self.broken:
            return
        payload = payload[known:]
        self.expected = (self.expected + len(payload)) & 0xFFFFFFFF
        self.data += payload
        self.parts.append((len(self.data), at))

    @property
    def timed(self) -> int:
        """Length of the data up to the last packet: a relay may have closed its encrypted side early."""
        return self.parts[-1][0] if self.parts else 0

    def frames(self) -> Iterator[tuple[float, bytes]]:
        """Text frames behind the HTTP head: the time of the packet with their end, and the payload."""
        at = self.data.find(b"\r\n\r\n") + 4
        times = self._times()
        while at >= 4 and at + 2 <= len(self.data):
            opcode, size, masked = self.data[at] & 15, self.data[at + 1] & 127, self.data[at + 1] >> 7
            at += 2
            extra = {126: 2, 127: 8}.get(size, 0)
            if extra:
                size = int.from_bytes(self.data[at : at + extra], "big")
            at += extra
            mask = self.data[at : at + 4] if masked else bytes(4)
            at += 4 * masked
            payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(self.data[at : at + size]))
            at += size
            if at > self.timed:
                return
            when = times.send(at)
            if opcode == 1:
                yield when, payload

    def heads(self) -> Iterator[tuple[float, list[str]]]:
        """First lines of HTTP messages, in words: the time of the packet with the end of the body."""
        at = 0
        times = self._times()
        while (end := self.data.find(b"\r\n\r\n", at)) >= 0:
            first, *lines = self.data[at:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            at = end + 4
            if headers.get("transfer-encoding") == "chunked":
                at = self._after_chunks(at)
            else:
                at += int(headers.get("content-length", 0))
            if at > self.timed:
                return
            yield times.send(at), first.split(" ")

    def _after_chunks(self, at: int) -> int:
        size = -1
        while size:
            line = self.data.find(b"\r\n", at)
            if line < 0:
                return len(self.data) + 1
            size = int(self.data[at:line], 16)
            at = line + 2 + size + 2
        return at

    def _times(self) -> Generator[float, int, None]:
        """Is sent lengths of data, in order, and yields the times of the packets with their ends."""
        times = self._walk()
        next(times)
        return times

    def _walk(self) -> Generator[float, int, None]:
        when = 0.0
        at = yield when
        for end, when in self.parts:
            while at <= end:
                at = yield when

    def records(self) -> Parts:
        """Of an encrypted stream: the parts of its content by the records of TLS."""
        parts: Parts = []
        at = content = 0
        times = self._times()
        while at + 5 <= len(self.data):
            kind, size = self.data[at], int.from_bytes(self.data[at + 3 : at + 5], "big")
            at += 5 + size
            if at > len(self.data):
                break
            when = times.send(at)
            if kind == _APPLICATION:
                content += size - _RECORD_EXTRA
                parts.append((content, when))
        return parts


def only_port(sock: socket.socket, port: int) -> None:
    """Let the kernel drop the packets of other ports: others may send gigabytes through the interface."""
    program = (
        (0x30, 0, 0, 9),  # ldb [9]: the protocol
        (0x15, 0, 6, socket.IPPROTO_TCP),
        (0xB1, 0, 0, 0),  # ldxb 4 * ([0] & 15): the length of the IP header
        (0x48, 0, 0, 0),  # ldh [x + 0]: the source's port
        (0x15, 2, 0, port),
        (0x48, 0, 0, 2),  # ldh [x + 2]: the target's port
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0x40000),  # keep the packet
        (0x06, 0, 0, 0),  # drop it
    )
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer))
    )


class Capture(threading.Thread):
    """Captures what goes through one port of the loopback interface."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.streams: defaultdict[tuple[int, bool], Stream] = defaultdict(Stream)
        self.ready = threading.Event()
        self._port = port
        self._done = threading.Event()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        only_port(self._socket, port)
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, _BUFFER)  # SO_RCVBUFFORCE
        self._socket.settimeout(0.2)

    def run(self) -> None:
        """Capture until ``finish``."""
        self.ready.set()
        while not self._done.is_set():
            try:
                packet, control, _, address = self._socket.recvmsg(70_000, 64)
            except TimeoutError:
                continue
            if control and address[1] == _ETH_P_IP:
                seconds, nanoseconds = struct.unpack("@qq", control[0][2])
                self._take(packet, address[2], seconds + nanoseconds * 1e-9)

    def finish(self) -> int:
        """End it; return how many packets were dropped."""
        self._done.set()
        self.join()
        dropped: int = struct.unpack("II", self._socket.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS
        self._socket.close()
        return dropped

    def _take(self, packet: bytes, kind: int, at: float) -> None:
        head = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP:
            return
        source, target, sequence = struct.unpack_from("!HHI", packet, head)
        to_server = target == self._port
        # The begin of a call is when its request left, the end when its answer was received.
        if (to_server and kind != _OUTGOING) or (not to_server and (source != self._port or kind != _HOST)):
            return
        start = head + (packet[head + 12] >> 4) * 4
        payload = packet[start : int.from_bytes(packet[2:4], "big")]
        stream = self.streams[source if to_server else target, to_server]
        if packet[head + 13] & _SYN:
            stream.opened = at
        elif payload:
            stream.add(sequence, payload, at)

    def behind(self, encrypted: Capture, ports: Mapping[int, int]) -> None:
        """Take the times from the encrypted side of a relay.

        ``ports`` has the port of the client of each connection, by the relay's port towards the server.
        Connections that did not come through the relay are dropped.
        """
        for key in list(self.streams):
            port, to_server = key
            if port not in ports:
                del self.streams[key]
                continue
            outside = encrypted.streams[ports[port], to_server]
            self.streams[key].parts = outside.records()
            self.streams[key].opened = outside.opened

    def calls(self) -> Calls:
        """Milliseconds of every call that succeeded."""
        found = new_calls()
        for port in {port for port, _ in self.streams}:
            requests, answers = self.streams[port, True], self.streams[port, False]
            if requests.data.startswith(b"GET /ws"):
                add_messages(found, requests, answers)
            else:
                add_requests(found, requests, answers)
        return found


def add_messages(found: Calls, requests: Stream, answers: Stream) -> None:
    """Add the messages of one websocket that were answered well."""
    asked: dict[str, tuple[str, float]] = {}
    for at, payload in requests.frames():
        message = json.loads(payload)
        if "cid" in message:
            asked[message["cid"]] = (next(key for key in message if key != "cid"), at)
    for at, payload in answers.frames():
        message = json.loads(payload)
        if message.get("cid") in asked and "error" not in message:
            name, since = asked.pop(message["cid"])
            found["WS", name].append((at - since) * 1e3)


def add_requests(found: Calls, requests: Stream, answers: Stream) -> None:
    """Add the requests of one connection. The first one begins with the connection, as in our report."""
    opened = requests.opened
    for (since, request), (at, answer) in zip(requests.heads(), answers.heads(), strict=False):
        method, path = request[:2]
        if answer[1].startswith("2"):
            found[method, find(method, path.partition("?")[0])[0]].append((at - (opened or since)) * 1e3)
        opened = 0.0
