"""One HTTP answer as it comes in, read by geventhttpclient's parser; the only importer of geventhttpclient."""

from __future__ import annotations

import re
from typing import Final

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from nakama_bots.errors import AnswerTooLarge, ConnectionClosed
from nakama_bots.rest.transports.body import FRAMING, Body
from nakama_bots.settings.network import Limits

__all__ = ["HTTPParseError", "IncomingAnswer"]

_READ_SIZE: Final = 65536
_HEAD_SIZE: Final = 16384
_BEGIN: Final = b"HTTP/"
_LINE_END: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: [\t -~\x80-\xff]*)?\r\n"
    rb"((?:[!#-'*+\-.0-9A-Z^-z|~]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
)
_WITHOUT_BODY: Final = (b"204", b"304")


class IncomingAnswer(HTTPResponseParser):
    """``take`` the pieces until it is ``complete``: it has ``status``, ``headers`` and ``body`` then.

    An interim (1xx) answer is not the end (RFC 9110 section 15.2). Raises ``HTTPParseError`` or
    ``ProtocolError``, which is ``AnswerTooLarge`` beyond ``limits``.
    """

    def __init__(self, method: str, limits: Limits) -> None:
        super().__init__()
        self.complete = False
        # Whether the connection may be used again.
        self.reusable = False
        self.received = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self._method = method
        self._limits = limits
        # The head as long as it is not whole: the parser then passes names and values unbroken, in turn.
        self._head = b""
        self._fields: list[str] = []
        self._on_header_field = self._on_header_value = self._fields.append
        self._body: Body | None = None

    @property
    def size(self) -> int:
        """Bytes to read next."""
        return _READ_SIZE if self._body else min(_HEAD_SIZE, self._limits.headers + 1 - self.received)

    @property
    def body(self) -> bytes:
        """The body, once the answer is complete."""
        return self._body.finish() if self._body else b""

    def take(self, data: bytes) -> None:
        """Take the next piece."""
        self.received += len(data)
        try:
            if self._body is None:
                data = self._from_head(data)
            if data:
                self.feed(data)
        except HTTPParseError:
            # What follows a whole answer is no part of it.
            if not self.complete:
                raise
            self.reusable = False
        limit = self._limits.headers
        if self.received > limit:
            if self._body is None:
                raise AnswerTooLarge("the headers", limit, "max_headers")
            if self.received > limit + FRAMING * self._body.arrived:
                raise AnswerTooLarge("what frames the body", limit, "max_headers")

    def _take_whole(self, data: bytes) -> bool:
        """Read an answer in one piece with a length and nothing unusual: nearly all, for half the CPU time."""
        head = _HEAD.match(data)
        if head is None or self._method == "HEAD" or head[1] in _WITHOUT_BODY:
            return False
        lines = head[2].decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines[:-1]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip(" \t")
        length = len(data) - head.end()
        if (
            headers.get("content-length") != str(length)
            or len(headers) < len(lines) - 1
            or "transfer-encoding" in headers
            or "connection" in headers
        ):
            return False
        self.status, self.headers = int(head[1]), headers
        self._begin_body().add(data[head.end() :])
        self.complete = self.reusable = True
        return True

    def _begin_body(self) -> Body:
        headers = self.headers
        self._body = Body(self._limits.body, headers.get("content-encoding"), headers.get("content-length"))
        return self._body

    def _from_head(self, data: bytes) -> bytes:
        """What the parser has to parse next. It gets whole heads only."""
        if not self._head and self._take_whole(data):
            return b""
        data = (self._head + data).lstrip(_LINE_END)
        end = data.find(_END)
        while end >= 0 and data[9:10] == b"1":
            self.feed(data[: end + 4])
            data = data[end + 4 :].lstrip(_LINE_END)
            end = data.find(_END)
        self._head = data
        if data[:5] != _BEGIN[: len(data)]:
            raise HTTPParseError("not HTTP")
        return b"" if end < 0 else data

    def end(self) -> bool:
        """The server has closed. True if that ends the body, which has neither length nor chunks then."""
        before = self.complete
        if before:
            self.reusable = False
            return False
        try:
            if self._body:
                self.feed(b"")
        except HTTPParseError as error:
            raise ConnectionClosed(1006, "closed inside the answer") from error
        if not self.complete:
            raise ConnectionClosed(1006, "closed inside the answer")
        return True

    # What the parser calls, beside ``_on_header_field`` and ``_on_header_value``. A true result is an error, of
    # ``_on_headers_complete`` that there is no body.

    def _on_message_begin(self) -> bool:
        return self.complete

    def _on_status(self, _: str) -> None:
        """The reason phrase."""

    def _on_headers_complete(self) -> bool:
        self.status = self.get_code()
        if self.status < 100:
            raise HTTPParseError("not a status")
        fields = self._fields
        if self.status >= 200:
            values = (value.strip(" \t") for value in fields[1::2])
            self.headers = dict(zip(map(str.lower, fields[::2]), values, strict=True))
            self._on_body = self._begin_body().add
        fields.clear()
        return self._method == "HEAD"  # which has no body

    def _on_message_complete(self) -> None:
        self.complete = self.status >= 200
        self.reusable = self.should_keep_alive()
