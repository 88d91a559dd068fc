"""Checks that a client masks its frames (RFC 6455 section 5.1), which aiohttp does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_MASK_BYTES: Final = 4
# The number of length bytes that follow this 7-bit length (RFC 6455 section 5.2).
_EXTENDED: Final = {126: 2, 127: 8}


class MaskGuard:
    """Checks the mask bit of every frame before aiohttp's parser; unmasked frames are not passed on.

    It steps from header to header over the incoming chunks and never touches a payload.
    """

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        # Of the payload being passed on, and of a header that arrived in parts.
        self._left = 0
        self._head = b""
        self._refuse: Callable[[], None] | None = None
        self.refused = False

    def watch(self, refuse: Callable[[], None]) -> None:
        """Call ``refuse`` at the first unmasked frame; at once if it arrived with the handshake."""
        self._refuse = refuse
        if self.refused:
            refuse()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by the protocol with data from the client."""
        if self.refused:
            return False, b""
        if self._all_masked(data):
            result: tuple[bool, bytes] = self._parser.feed_data(data)
            return result
        self.refused = True
        if self._refuse is not None:
            self._refuse()
        return False, b""

    def feed_eof(self) -> None:
        """Called by the protocol at the end of the stream."""
        self._parser.feed_eof()

    def _all_masked(self, data: bytes) -> bool:
        position, end = self._left, len(data)
        if self._head:
            data = self._head + data
            position, end, self._head = 0, len(data), b""
        while position < end:
            if end - position < 2:
                break
            second = data[position + 1]
            if not second & _MASKED:
                return False
            length = second & _LENGTH
            extra = _EXTENDED.get(length, 0)
            if end - position < 2 + extra:
                break
            if extra:
                length = int.from_bytes(data[position + 2 : position + 2 + extra], "big")
            position += 2 + extra + _MASK_BYTES + length
        else:
            self._left = position - end
            return True
        self._head, self._left = data[position:], 0
        return True
