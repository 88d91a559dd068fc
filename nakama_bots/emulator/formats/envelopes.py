"""How a socket's envelopes travel: the handshake's ``format``.

Handlers, faults and metrics know the JSON text only. A binary socket's frames are rewritten where they come in
and go out, which costs tens of microseconds each, and a text socket nothing.
"""

from __future__ import annotations

from typing import Final, Protocol

import orjson
from aiohttp import WSMsgType
from google.protobuf import json_format, message

from nakama_bots.emulator.formats.protojson import Malformed
from nakama_bots.types.protobuf import envelope_class

_TAG: Final = 1000 << 3 | 2
"""A length-delimited field that no message has, which a reader skips."""


class Format(Protocol):
    """``opcode`` is that of its frames; a message with another one ends the connection."""

    opcode: WSMsgType

    def read(self, payload: bytes, /) -> bytes:
        """The JSON text of a frame; ``Malformed`` when it is no envelope at all."""

    def write(self, frame: bytes, /) -> bytes:
        """The payload for an envelope's JSON text."""

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """A payload that says the same and is longer by some more than ``size`` bytes."""


class TextFormat:
    """JSON text, ``format=json`` and the default."""

    opcode = WSMsgType.TEXT

    def read(self, payload: bytes, /) -> bytes:
        """As it is: the dispatcher reads JSON."""
        return payload

    def write(self, frame: bytes, /) -> bytes:
        """As it is."""
        return frame

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """With one more member."""
        return orjson.dumps({**orjson.loads(payload), "padding": "x" * size})


class ProtobufFormat:
    """Binary envelopes, ``format=protobuf``."""

    opcode = WSMsgType.BINARY

    def read(self, payload: bytes, /) -> bytes:
        """By protobuf's JSON mapping, as the server has it: what has its default value is left out."""
        try:
            parsed = envelope_class().FromString(payload)
        except message.DecodeError as error:
            raise Malformed(str(error)) from None
        return orjson.dumps(
            json_format.MessageToDict(parsed, preserving_proto_field_name=True, use_integers_for_enums=True)
        )

    def write(self, frame: bytes, /) -> bytes:
        """By the same mapping."""
        envelope = json_format.ParseDict(orjson.loads(frame), envelope_class()())
        return envelope.SerializeToString()

    def pad(self, payload: bytes, size: int, /) -> bytes:
        """With one more field, of a number that no message has."""
        return payload + _varint(_TAG) + _varint(size) + b"x" * size


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


TEXT: Final = TextFormat()
FORMATS: Final[dict[str, Format]] = {"": TEXT, "json": TEXT, "protobuf": ProtobufFormat()}
