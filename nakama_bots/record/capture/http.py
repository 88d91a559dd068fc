"""HTTP/1.1 messages from bytes that pass by. Pure: no socket, no clock of its own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MOST_HEAD: Final = 256 * 1024
MOST_BODY: Final = 64 * 1024 * 1024
_NO_BODY: Final = (204, 304)
_END: Final = b"\r\n\r\n"


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
        self._message: HttpMessage | None = None
        self._left: int | None = 0
        """Bytes of the body that are missing; None: until the connection ends."""
        self._chunked = False
        self._body = bytearray()
        self._since = 0.0

    def feed(self, data: bytes, at: float) -> None:
        """Add bytes that passed at ``at``."""
        if not self._buffer:
            self._since = at
        self._buffer += data

    def next(self, at: float) -> HttpMessage | None:
        """The next whole message; None if there is none yet. ``UnreadableHttp`` if there will be none."""
        if self._message is None and not self._head():
            return None
        assert self._message is not None
        if not (self._chunks() if self._chunked else self._plain()):
            return None
        return self._done(at)

    def end(self, at: float) -> HttpMessage | None:
        """The connection has ended: the answer that ends with it, if there is one."""
        if self._message is None or self._left is not None or self._chunked:
            return None
        return self._done(at)

    def rest(self) -> bytes:
        """What came after the last message."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    @property
    def halfway(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._message is not None or bool(self._buffer)

    def _done(self, at: float) -> HttpMessage:
        message, self._message = self._message, None
        assert message is not None
        message.body, message.ended = bytes(self._body), at
        self._body = bytearray()
        self._since = at
        return message

    def _head(self) -> bool:
        end = self._buffer.find(_END)
        if end < 0:
            if len(self._buffer) > MOST_HEAD:
                raise UnreadableHttp("headers that are too long")
            if self._buffer and not self._buffer[:1].isalpha():
                raise UnreadableHttp("bytes that are not HTTP")
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + len(_END)]
        words = lines[0].split(" ", 2)
        if len(words) == 2:
            words.append("")
        proto = words[0] if self.answers else words[-1]
        if len(words) != 3 or not proto.startswith("HTTP/1.") or (self.answers and not words[1].isdecimal()):
            raise UnreadableHttp("bytes that are not HTTP/1.1")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        self._message = message = HttpMessage((words[0], words[1], words[2]), headers, self._since)
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._left = self._length(message)
        return True

    def _length(self, message: HttpMessage) -> int | None:
        if self.answers and (self.bodiless or message.status < 200 or message.status in _NO_BODY):
            self._chunked = False
            return 0
        given = message.headers.get("content-length")
        if given is None:
            return None if self.answers and not self._chunked else 0
        if not given.isdecimal():
            raise UnreadableHttp("a content length that is not a number")
        return int(given)

    def _plain(self) -> bool:
        size = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        self._take(size)
        if self._left is None:
            return False
        self._left -= size
        return self._left == 0

    def _take(self, size: int) -> None:
        if len(self._body) + size > MOST_BODY:
            raise UnreadableHttp("a body that is too long")
        self._body += self._buffer[:size]
        del self._buffer[:size]

    def _chunks(self) -> bool:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return False
            try:
                size = int(bytes(self._buffer[:end]).partition(b";")[0], 16)
            except ValueError:
                size = -1
            if size < 0:
                raise UnreadableHttp("a chunk without a size")
            if size == 0:
                # Trailers, if any, end with an empty line.
                close = self._buffer.find(_END, end)
                if self._buffer[end + 2 : end + 4] == b"\r\n":
                    close = end
                if close < 0:
                    return False
                del self._buffer[: close + 4]
                return True
            if len(self._buffer) < end + 2 + size + 2:
                return False
            del self._buffer[: end + 2]
            self._take(size)
            del self._buffer[:2]
