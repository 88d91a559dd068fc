"""The socket that websocket-client uses during a handshake.

The library asks for single bytes and joins them until it gets a line feed. Here the head is read in large
pieces, up to a limit, yielding to the hub; the library then gets it from memory, a line in two pieces and not
byte by byte, and only if the status is 101 or missing.
"""

from __future__ import annotations

import re
from typing import Any, Final

import gevent

from nakama_bots import errors
from nakama_bots.net.tunnel import STATUS_LINE
from nakama_bots.net.turns import Turns

OPERATION: Final = "connect"
"""The name of a connect in statistics."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LENGTH: Final = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,9})[ \t]*\r?$")
# websocket-client would keep cookies for the whole process, and send one player's cookies for another.
_COOKIE: Final = re.compile(rb"(?im)^set-cookie[^\n]*\n")
_READ_SIZE: Final = 8192
_TEXT_SIZE: Final = 4096  # of a refusal's text
_TEXT_SHOWN: Final = 200


class HandshakeStream:
    """``sock`` for websocket-client. ``rest`` is the data after the head: the first frames.

    ``max_headers`` bytes are read at most, interim (1xx) answers included.
    """

    def __init__(self, sock: Any, max_headers: int) -> None:
        self.rest = b""
        self._sock = sock
        self._max_headers = max_headers
        self._turns = Turns(gevent.sleep)
        self._head = b""
        self._served = 0

    def send(self, data: bytes) -> int:
        """Send all of it."""
        self._sock.sendall(data)
        return len(data)

    def recv(self, _: int) -> bytes:
        """The rest of a line of the head, or the line feed at its end."""
        if not self._head:
            self._head = self._read_head()
        begin = self._served
        end = self._head.find(b"\n", begin)
        self._served = begin + 1 if end == begin else end if end > 0 else len(self._head)
        self._turns.give_way()
        return self._head[begin : self._served]

    def gettimeout(self) -> float:
        """0: websocket-client must not wait by itself."""
        return 0.0

    def settimeout(self, seconds: float | None) -> None:
        """The caller of the handshake limits its time."""

    def close(self) -> None:
        """The creator of the socket closes it."""

    def _read_head(self) -> bytes:
        """The head of the answer. A refusal raises ``HandshakeRefused``."""
        data = bytearray()
        begin = looked = 0
        while True:
            end = _HEAD_END.search(data, looked)
            if end is None:
                looked = max(begin, len(data) - 2)
                self._read_more(data)
                continue
            head = bytes(data[begin : end.end()])
            found = STATUS_LINE.match(head)
            status = int(found[1]) if found else 0
            if 100 <= status < 200 and status != 101:  # RFC 9110 section 15.2: another one follows
                begin = looked = end.end()
                continue
            self.rest = bytes(data[end.end() :])
            if status in (0, 101):
                return _COOKIE.sub(b"", head)
            raise self._refusal(status, head)

    def _read_more(self, data: bytearray) -> None:
        left = self._max_headers - len(data)
        if left < 0:
            raise errors.AnswerTooLarge("the headers of the handshake", self._max_headers, "max_headers")
        piece = self._sock.recv(min(_READ_SIZE, left + 1))
        if not piece:
            raise errors.ConnectionFailed("the server ended the stream in the handshake")
        data += piece
        self._turns.give_way()

    def _refusal(self, status: int, head: bytes) -> errors.HandshakeRefused:
        if 300 <= status < 400:  # not followed
            return errors.HandshakeRefused(status, "redirect", operation=OPERATION)
        length = _LENGTH.search(head)
        wanted = min(int(length[1]), _TEXT_SIZE) if length else 0
        text = bytearray(self.rest)
        try:
            while len(text) < wanted:
                piece = self._sock.recv(wanted - len(text))
                if not piece:
                    break
                text += piece
                self._turns.give_way()
        except OSError:
            pass  # the status is known, which is what counts
        shown = errors.scrub(text[:_TEXT_SIZE].decode(errors="replace"))
        return errors.HandshakeRefused(status, shown[:_TEXT_SHOWN], operation=OPERATION)
