"""One HTTP answer as it comes in, read by geventhttpclient's parser; the only importer of geventhttpclient."""

from __future__ import annotations

from typing import Final

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from nakama_bots.errors import AnswerTooLarge, ConnectionClosed
from nakama_bots.rest.transports.body import FRAMING, Body
from nakama_bots.settings.network import Limits

__all__ = ["Answer", "HTTPParseError"]

_READ_SIZE: Final = 65536
_HEAD_SIZE: Final = 16384
_BEGIN: Final = b"HTTP/"
_END: Final = b"\r\n\r\n"


class Answer(HTTPResponseParser):
    """``take`` the pieces until it is ``complete``: it has ``status``, ``headers`` and ``body`` then.

    An interim (1xx) answer is not the end (RFC 9110 section 15.2). ``HTTPParseError`` and ``ProtocolError`` end
    it, of them ``AnswerTooLarge`` what is beyond ``limits``.
    """

    def __init__(self, method: str, limits: Limits) -> None:
        super().__init__()
        self.complete = False
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
    def reusable(self) -> bool:
        """Whether the connection may be used again."""
        return bool(self.should_keep_alive()) and not self.parser_failed()

    @property
    def body(self) -> bytes:
        """The body, once the answer is complete."""
        return self._body.finish() if self._body else b""

    def take(self, data: bytes) -> None:
        """Take the next piece."""
        self.received += len(data)
        try:
            if self._body is None:
                data = self._from_head(self._head + data)
            if data:
                self.feed(data)
        except HTTPParseError:
            # What follows a whole answer is no part of it.
            if not self.complete:
                raise
        limit = self._limits.headers
        if self.received > limit:
            if self._body is None:
                raise AnswerTooLarge("the headers", limit, "max_headers")
            if self.received > limit + FRAMING * self._body.arrived:
                raise AnswerTooLarge("what frames the body", limit, "max_headers")

    def _from_head(self, data: bytes) -> bytes:
        """``data`` from the head of the answer itself on, if that is whole. Interim answers are parsed."""
        end = data.find(_END)
        while end >= 0 and data[9:10] == b"1":
            self.feed(data[: end + 4])
            data = data[end + 4 :]
            end = data.find(_END)
        self._head = data
        # What is no HTTP has no head, but an error.
        return b"" if end < 0 and data[:5] == _BEGIN[: len(data)] else data

    def end(self) -> None:
        """The server has closed: the end of a body that has neither length nor chunks, and of no other."""
        try:
            if self._body:
                self.feed(b"")
        except HTTPParseError as error:
            raise ConnectionClosed(1006, "closed inside the answer") from error
        if not self.complete:
            raise ConnectionClosed(1006, "closed inside the answer")

    # What the parser calls, beside ``_on_header_field`` and ``_on_header_value``. A true result is an error.

    def _on_message_begin(self) -> bool:
        return self.complete

    def _on_status(self, _: str) -> None:
        """The reason phrase."""

    def _on_headers_complete(self) -> bool:
        self.status = self.get_code()
        fields = self._fields
        if self.status >= 200:
            self.headers = headers = {
                name.lower(): value for name, value in zip(fields[::2], fields[1::2], strict=True)
            }
            self._body = Body(self._limits.body, headers.get("content-encoding"), headers.get("content-length"))
            self._on_body = self._body.add
        fields.clear()
        return self._method == "HEAD"  # which has no body

    def _on_message_complete(self) -> None:
        self.complete = self.status >= 200
