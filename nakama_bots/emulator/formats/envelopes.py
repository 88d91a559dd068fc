"""The encodings of a socket's envelopes, chosen by the handshake's ``format``.

Handlers, faults and metrics use only JSON text. The frames of a binary socket are converted on receive and
send, which costs tens of microseconds each, and nothing on a text socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson
from aiohttp import WSMsgType

_TAG: Final = 1000 << 3 | 2
"""The tag of a length-delimited field that no message has, which a reader skips."""


class Format(Protocol):
    """An encoding. ``opcode`` is that of its frames; a message with another one ends the connection."""

    opcode: WSMsgType

    def read(self, payload: bytes, /) -> bytes:
        """Return the JSON text of a frame; ``Malformed`` if it is not an envelope."""

    def write(self, frame: bytes, /) -> bytes:
        """Return the payload for an envelope's JSON text."""

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """Return an equivalent payload that is longer by slightly more than ``size`` bytes."""


class TextFormat:
    """JSON text, ``format=json`` and the default."""

    opcode = WSMsgType.TEXT

    def read(self, payload: bytes, /) -> bytes:
        """Return it unchanged: the dispatcher reads JSON."""
        return payload

    def write(self, frame: bytes, /) -> bytes:
        """Return it unchanged."""
        return frame

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """Add a member."""
        return orjson.dumps({**orjson.loads(payload), "padding": "x" * size})


class ProtobufFormat:
    """Binary envelopes, ``format=protobuf``."""

    opcode = WSMsgType.BINARY

    def read(self, payload: bytes, /) -> bytes:
        """Convert by protobuf's JSON mapping, like the server: default values are omitted."""
        return orjson.dumps(_binary().read(payload))

    def write(self, frame: bytes, /) -> bytes:
        """Convert by the same mapping."""
        written: bytes = _binary().write(orjson.loads(frame))
        return written

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """Add a field with a number that no message has."""
        return payload + _varint(_TAG) + _varint(size) + b"x" * size


def _binary() -> Any:
    from nakama_bots.emulator.formats import binary  # noqa: PLC0415 - few emulators need it, and it takes time

    return binary


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


TEXT: Final = TextFormat()
FORMATS: Final[dict[str, Format]] = {"": TEXT, "json": TEXT, "protobuf": ProtobufFormat()}


def message_names() -> frozenset[str]:
    """Return the fields of an envelope: every message, and its cid."""
    names: frozenset[str] = _binary().names()
    return names


def hooked_envelope(key: str, body: Mapping[str, object], cid: str) -> dict[str, object]:
    """Return an envelope as the server shows it to hooks: without defaults, 64-bit integers as text."""
    shown: dict[str, object] = _binary().canonical({key: body, "cid": cid})
    return shown
