"""HTTP/1.1 messages from bytes that pass by. Pure: no socket, no clock of its own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MOST_HEAD: Final = 256 * 1024
MOST_BODY: Final = 64 * 1024 * 1024
_NO_BODY: Final = (204, 304)
_LINE_END: Final = b"\r\n"
_END: Final = 2 * _LINE_END

_Steps: TypeAlias = Generator[None, None, bytes]
"""Yields while bytes are missing, and returns those that were wanted."""


class UnreadableHttp(ValueError):
    """The bytes are not HTTP/1.1, or more than is kept."""


@dataclass(slots=True)
class HttpMessage:
    """A request or an answer: its first line's three words, its headers in lower case, and its body."""

    words: tuple[str, str, str]
    headers: Mapping[str, str]
    at: float
    """When its first byte passed."""
    ended: float = 0.0
    """When its last byte passed."""
    body: bytes = field(default=b"", repr=False)

    @property
    def status(self) -> int:
        return int(self.words[1])

    @property
    def upgrades(self) -> bool:
        """Whether a request asks for a websocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def content(self) -> bytes:
        """The body, unpacked; ``UnreadableHttp`` if it cannot be."""
        packing = self.headers.get("content-encoding", "").lower()
        try:
            if packing == "gzip":
                return gzip.decompress(self.body)
            if packing == "deflate":
                return zlib.decompress(self.body)
        except (OSError, EOFError, zlib.error):
            raise UnreadableHttp("a packed body that cannot be unpacked") from None
        if packing not in ("", "identity"):
            msg = f"a body with the content encoding {packing[:20]!r}"
            raise UnreadableHttp(msg)
        return self.body


class HttpReader:
    """Reads the messages of one direction. ``answers``: they are a server's.

    ``bodiless`` is set for an answer to HEAD. After a message that ends HTTP on the connection (a websocket's
    handshake) the owner takes ``rest``, and feeds no more.
    """

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.bodiless = False
        self._buffer = bytearray()
        self._since = 0.0
        self._inside = False
        self._ended = False
        self._messages = self._read()

    def feed(self, data: bytes, at: float) -> None:
        """Add bytes that passed at ``at``."""
        if not self._buffer:
            self._since = at
        self._buffer += data

    def next(self, at: float) -> HttpMessage | None:
        """The next whole message; None if there is none yet. ``UnreadableHttp`` if there will be none."""
        message = next(self._messages, None)
        if message is not None:
            message.ended = self._since = at
        return message

    def end(self, at: float) -> HttpMessage | None:
        """The connection has ended: the answer that ends with it, if there is one."""
        self._ended = True
        return self.next(at)

    def rest(self) -> bytes:
        """What came after the last message."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    @property
    def halfway(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._inside or bool(self._buffer)

    def _read(self) -> Iterator[HttpMessage | None]:
        """Yield each message, and None where more bytes are needed."""
        while True:
            head = yield from self._until(_END)
            self._inside = True
            message = self._message(head)
            message.body = yield from self._body(message)
            self._inside = False
            yield message

    def _message(self, head: bytes) -> HttpMessage:
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) == 2:
            words.append("")
        proto = words[0] if self.answers else words[-1]
        if len(words) != 3 or not proto.startswith("HTTP/1.") or (self.answers and not words[1].isdecimal()):
            raise UnreadableHttp("bytes that are not HTTP/1.1")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return HttpMessage((words[0], words[1], words[2]), headers, self._since)

    def _body(self, message: HttpMessage) -> _Steps:
        if self.answers and (self.bodiless or message.status < 200 or message.status in _NO_BODY):
            return b""
        if "chunked" in message.headers.get("transfer-encoding", "").lower():
            return (yield from self._chunks())
        given = message.headers.get("content-length")
        if given is not None:
            if not given.isdecimal():
                raise UnreadableHttp("a content length that is not a number")
            return (yield from self._take(int(given)))
        if not self.answers:
            return b""
        while not self._ended:
            self._check(len(self._buffer))
            yield None
        return self.rest()

    def _chunks(self) -> _Steps:
        body = bytearray()
        while True:
            line = yield from self._until(_LINE_END)
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                size = -1
            if size < 0:
                raise UnreadableHttp("a chunk without a size")
            if size == 0:
                break
            self._check(len(body) + size)
            chunk = yield from self._take(size + len(_LINE_END))
            body += chunk[:size]
        while (yield from self._until(_LINE_END)):
            pass  # a trailer
        return bytes(body)

    def _until(self, end: bytes) -> _Steps:
        """What comes before ``end``, which is dropped."""
        while (size := self._buffer.find(end)) < 0:
            if len(self._buffer) > MOST_HEAD:
                raise UnreadableHttp("headers that are too long")
            if not self._inside and self._buffer and not self._buffer[:1].isalpha():
                raise UnreadableHttp("bytes that are not HTTP")
            yield None
        return (yield from self._take(size + len(end)))[:size]

    def _take(self, size: int) -> _Steps:
        self._check(size)
        while len(self._buffer) < size:
            yield None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _check(self, size: int) -> None:
        if size > MOST_BODY:
            raise UnreadableHttp("a body that is too long")
