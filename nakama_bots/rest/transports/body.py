"""The body of one answer as it comes in: unpacked on the way, and never more than a limit."""

from __future__ import annotations

import zlib
from typing import Final

from nakama_bots.errors import AnswerTooLarge, ProtocolError

_GZIP: Final = 16 + zlib.MAX_WBITS
_SETTING: Final = "max_body"
FRAMING: Final = 10
"""Bytes that an answer may have for each one of its body, beside its headers: chunks of a byte take six."""


class Body:
    """Add the pieces, then ``finish``. Both raise ``AnswerTooLarge`` or ``ProtocolError``.

    ``encoding`` and ``length`` are the answer's Content-Encoding and Content-Length. The limit holds for what
    has arrived and for what that unpacks to: a few packed bytes are a thousand times as many unpacked.
    """

    __slots__ = ("_data", "_limit", "_unpack", "arrived")

    def __init__(self, limit: int, encoding: object = None, length: object = None) -> None:
        if isinstance(length, str) and length.isdecimal() and int(length[:20]) > limit:
            raise AnswerTooLarge("the body", limit, _SETTING, int(length[:20]))
        if encoding not in (None, "gzip", "identity"):
            raise ProtocolError(f"content encoding {encoding!r} was not asked for")
        # Bytes, still packed.
        self.arrived = 0
        self._limit = limit
        self._data = bytearray()
        self._unpack = zlib.decompressobj(_GZIP) if encoding == "gzip" else None

    def add(self, piece: bytes | bytearray) -> None:
        """Take the next piece."""
        self.arrived += len(piece)
        if self._unpack is None:
            self._data += piece
        else:
            try:
                self._data += self._unpack.decompress(piece, self._limit + 1 - len(self._data))
            except zlib.error:
                raise _not_gzip() from None
        if len(self._data) > self._limit or self.arrived > self._limit:
            raise AnswerTooLarge("the body", self._limit, _SETTING)

    def finish(self) -> bytes:
        """The whole body."""
        if self.arrived and self._unpack is not None and not self._unpack.eof:
            raise _not_gzip()
        return bytes(self._data)


def _not_gzip() -> ProtocolError:
    return ProtocolError("the body is not encoded as its header says")
