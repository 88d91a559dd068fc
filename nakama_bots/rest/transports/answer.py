"""One HTTP answer as it comes in, read by geventhttpclient's parser; the only importer of geventhttpclient."""

from __future__ import annotations

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from nakama_bots.errors import AnswerTooLarge, ConnectionClosed
from nakama_bots.rest.transports.body import FRAMING, Body
from nakama_bots.settings.network import Limits

__all__ = ["Answer", "HTTPParseError"]

_READ_SIZE = 65536
# The parser calls us for each header: there may be thousands in a read.
_HEAD_SIZE = 16384


class Answer(HTTPResponseParser):
    """``take`` the pieces until it is ``complete``: it has ``status``, ``headers`` and ``body`` then.

    An interim (1xx) answer is not the end (RFC 9110 section 15.2). ``HTTPParseError``, ``AnswerTooLarge`` and
    ``ProtocolError`` end it; so do what ``limits`` allows for all heads, and for what frames the body.
    """

    def __init__(self, method: str, limits: Limits) -> None:
        super().__init__()
        self.complete = False
        self.received = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self._method = method
        self._limits = limits
        self._name = ""
        self._value: str | None = None
        self._body: Body | None = None

    @property
    def size(self) -> int:
        """Bytes to read next."""
        return _READ_SIZE if self._body else min(_HEAD_SIZE, self._limits.headers + 1 - self.received)

    @property
    def reusable(self) -> bool:
        """Whether the connection may be used again."""
        return bool(self.should_keep_alive()) and not self.parser_failed()

    def take(self, data: bytes) -> None:
        """Take the next piece."""
        self.received += len(data)
        try:
            self.feed(data)
        except HTTPParseError:
            # What follows a whole answer is no part of it.
            if not self.complete:
                raise
        limit = self._limits.headers
        if self.received > limit + (FRAMING * self._body.arrived if self._body else 0):
            raise AnswerTooLarge("what frames the body" if self._body else "the headers", limit, "max_headers")

    def end(self) -> None:
        """The server has closed: the end of a body that has neither length nor chunks, and of no other."""
        try:
            if self._body:
                self.feed(b"")
        except HTTPParseError as error:
            raise ConnectionClosed(1006, "closed inside the answer") from error
        if not self.complete:
            raise ConnectionClosed(1006, "closed inside the answer")

    @property
    def body(self) -> bytes:
        """The body, once the answer is complete."""
        return self._body.finish() if self._body else b""

    # What the parser calls. A result other than None and 0 ends the parsing.

    def _on_message_begin(self) -> bool:
        return self.complete

    def _on_status(self, _: str) -> None:
        """The reason phrase."""

    def _on_header_field(self, piece: str) -> None:
        if self._value is not None:
            self._end_header()
        self._name += piece

    def _on_header_value(self, piece: str) -> None:
        self._value = piece if self._value is None else self._value + piece

    def _end_header(self) -> None:
        self.headers[self._name.lower()] = self._value or ""
        self._name, self._value = "", None

    def _on_headers_complete(self) -> bool:
        if self._name:
            self._end_header()
        self.status = status = self.get_code()
        if status < 200:
            self.headers.clear()
            return False
        headers = self.headers
        self._body = Body(self._limits.body, headers.get("content-encoding"), headers.get("content-length"))
        return self._method == "HEAD"  # which has no body

    def _on_body(self, piece: bytearray) -> None:
        assert self._body is not None
        self._body.add(piece)

    def _on_message_complete(self) -> None:
        self.complete = self.status >= 200
