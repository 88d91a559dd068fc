"""RFC 6455 frames of a client, bytes in and out. Pure: no socket, no clock, the mask is an argument.

A mask has 4 bytes; to encode it is an integer of 32 bits, in little-endian order.

A ``FrameReader`` can also read the other direction, for a recorder between a client and a server.
"""

from __future__ import annotations

from typing import Final

from nakama_bots.errors import AnswerTooLarge, ProtocolError
from nakama_bots.settings.network import Limits

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_CONTINUATION: Final = 0x0
_DATA: Final = (TEXT, BINARY)
_CONTROL: Final = (CLOSE, PING, PONG)
_FINAL_TEXT: Final = 0x80 | TEXT
_CLOSE_CODES: Final = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))

# Nakama does not limit its frames; this only keeps a broken peer from filling the memory.
MAX_MESSAGE_SIZE: Final = Limits().received

# Built once: nearly every frame that a player sends starts with one of these.
_SHORT_TEXT_HEADS: Final = tuple(bytes((_FINAL_TEXT, 0x80 | size)) for size in range(126))


def _repeated(words: int) -> int:
    """The factor that repeats a 32-bit integer so many times."""
    return int.from_bytes(b"\1\0\0\0" * words, "little")


_REPEATED: Final = tuple(map(_repeated, range(300)))

Frame = tuple[int, bytes]
"""One whole message or control frame: opcode and payload."""


def encode(opcode: int, payload: bytes, mask: int) -> bytes:
    """A final client frame (RFC 6455 section 5.3: clients always mask)."""
    size = len(payload)
    if size < 126:
        head = _SHORT_TEXT_HEADS[size] if opcode == TEXT else bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    # The payload behind four zero bytes, which become the mask: one XOR of two big integers is the fastest mask
    # that Python has for frames of this size, and a product the fastest way to repeat it.
    words = (size + 7) // 4
    key = mask * (_REPEATED[words] if words < len(_REPEATED) else _repeated(words))
    masked_words = (int.from_bytes(payload, "little") << 32) ^ key
    return head + masked_words.to_bytes(words * 4, "little")[: size + 4]


def masked(payload: bytes, mask: bytes) -> bytes:
    """``payload`` with the 4 bytes of ``mask`` applied, which also takes them off again."""
    words = (len(payload) + 3) // 4
    key = int.from_bytes(mask, "little") * _repeated(words)
    return (int.from_bytes(payload, "little") ^ key).to_bytes(words * 4, "little")[: len(payload)]


def encode_close(code: int, reason: str, mask: int) -> bytes:
    """A close frame; ``reason`` is cut to the 123 bytes that fit."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return encode(CLOSE, code.to_bytes(2, "big") + text, mask)


def decode_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame's payload; 1005 is RFC 6455's "no code was sent"."""
    if not payload:
        return 1005, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")


def echo_code(code: int) -> int:
    """The code that answers a close frame with ``code``: the same (RFC 6455 section 5.5.1), 1000 where none
    was sent, 1002 where no frame may carry it (section 7.4).
    """
    if code == 1005:
        return 1000
    return code if code in _CLOSE_CODES or 3000 <= code < 5000 else 1002


def frame_sizes(data: bytes) -> list[int]:
    """The sizes in bytes of the whole frames of a server at the beginning of ``data``, heads included."""
    sizes: list[int] = []
    position = 0
    end = len(data)
    while end - position >= 2:
        head = 2
        size = data[position + 1] & 127
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[position + 2 : position + head], "big")
        size += head
        position += size
        if position > end:
            break
        sizes.append(size)
    return sizes


class FrameReader:
    """Parses bytes as they arrive into whole messages and control frames.

    ``max_size`` is in bytes, of a whole message, 125 or more. After a violation ``error`` is set and
    everything that follows is ignored; complete frames before it are still returned. With ``from_client`` the
    frames are a client's, which are masked; otherwise a server's, which are not.
    """

    __slots__ = (
        "_between",
        "_from_client",
        "_max_size",
        "_medium",
        "_message",
        "_message_opcode",
        "_missing",
        "error",
        "kept",
    )

    def __init__(self, max_size: int = MAX_MESSAGE_SIZE, *, from_client: bool = False) -> None:
        self.error: ProtocolError | None = None
        self._from_client = from_client
        self._max_size = max_size
        # True if every frame with a length of two bytes is acceptable, and not masked.
        self._medium = not from_client and max_size >= 65535
        # Of an incomplete frame. Buffers, not lists of pieces: a piece of one byte would cost forty.
        self.kept = bytearray()
        self._missing = 0
        self._message = bytearray()
        # Of the unfinished message; 0 between messages.
        self._message_opcode = 0
        # True if a message of a server may begin with the next byte.
        self._between = not from_client

    def whole_text(self, data: bytes) -> bytes | None:
        """The payload if ``data`` is one whole text message of a server; if None, ``feed`` parses it."""
        size = len(data)
        if size > 4 and data[0] == _FINAL_TEXT and self._between:
            if data[1] == size - 2 < 126:
                return data[2:]
            if data[1] == 126 and data[2] << 8 | data[3] == size - 4 <= self._max_size:
                return data[4:]
        return None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that ``data`` completes, in order."""
        frames = self._parse(data)
        self._between = not (self.kept or self._message_opcode or self.error or self._from_client)
        return frames

    def _parse(self, data: bytes) -> list[Frame]:
        if self.error is not None:
            return []
        if self.kept:
            data = self._join(data)
        frames: list[Frame] = []
        position = 0
        end = len(data)
        while end - position >= 2:
            first = data[position]
            size = data[position + 1]
            start = position + 2
            mask = b""
            if size == 126 and self._medium and end - start >= 2:
                size = data[start] << 8 | data[start + 1]
                start += 2
            elif size > 125 or self._from_client:
                head = self._head(data, start, size)
                if head is None:
                    break
                size, start, mask = head
            if end - start < size:
                self._missing = start + size - end
                break
            payload = data[start : start + size]
            if mask:
                payload = masked(payload, mask)
            position = start + size
            if first == _FINAL_TEXT and not self._message_opcode:
                frames.append((TEXT, payload))
            elif not self._accept(first, payload, frames):
                return frames
        if position < end:
            self.kept += data[position:]
        return frames

    def _head(self, data: bytes, start: int, size: int) -> tuple[int, int, bytes] | None:
        """Size, start and mask of the payload whose head continues at ``start``; None: incomplete or wrong."""
        masks = 4 if self._from_client else 0
        if (size > 127) != self._from_client:
            self._fail(
                [], "the client sent a frame without a mask" if masks else "the server sent a masked frame"
            )
            return None
        size &= 127
        wide = 0 if size < 126 else 2 if size == 126 else 8
        if len(data) - start < wide + masks:
            return None
        if wide:
            size = int.from_bytes(data[start : start + wide], "big")
            start += wide
        if size > self._max_size:
            self.error = AnswerTooLarge("a frame", self._max_size, "max_received", size)
            return None
        return size, start + masks, data[start : start + masks]

    def _join(self, data: bytes) -> bytes:
        """The buffered bytes and ``data``; empty while a frame is known to be incomplete: a large frame that
        arrives in many pieces would be copied for each.
        """
        self.kept += data
        self._missing -= len(data)
        if self._missing > 0:
            return b""
        whole = bytes(self.kept)
        self.kept.clear()
        self._missing = 0
        return whole

    def _accept(self, first: int, payload: bytes, frames: list[Frame]) -> bool:
        """Parse one frame that is not a plain final text; False after a violation."""
        opcode = first & 0x0F
        final = bool(first & 0x80)
        problem = self._violation(first, opcode, len(payload), final=final)
        if problem:
            self._fail(frames, problem)
            return False
        if opcode in _CONTROL:
            frames.append((opcode, payload))
            return True
        if opcode != _CONTINUATION:
            if final:
                frames.append((opcode, payload))
                return True
            self._message_opcode = opcode
        self._message += payload
        if len(self._message) > self._max_size:
            self.error = AnswerTooLarge("a message", self._max_size, "max_received")
            return False
        if final:
            frames.append((self._message_opcode, bytes(self._message)))
            self._message = bytearray()
            self._message_opcode = 0
        return True

    def _violation(self, first: int, opcode: int, size: int, *, final: bool) -> str:
        peer = "the client" if self._from_client else "the server"
        if first & 0x70:
            return f"{peer} sent a frame with reserved bits"
        if opcode in _CONTROL:
            if not final or size > 125:
                return f"{peer} sent a fragmented or too long control frame"
            return f"{peer} sent a close frame of one byte" if opcode == CLOSE and size == 1 else ""
        if opcode == _CONTINUATION:
            return "" if self._message_opcode else f"{peer} continued a message that it had not started"
        if opcode not in _DATA:
            return f"{peer} sent the unknown opcode {opcode}"
        return f"{peer} started a message inside another one" if self._message_opcode else ""

    def _fail(self, frames: list[Frame], message: str) -> list[Frame]:
        self.error = ProtocolError(message)
        return frames
