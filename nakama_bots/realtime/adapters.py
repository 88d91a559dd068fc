"""The seam between messages and what a frame carries, and its default: JSON text.

An adapter is chosen when a socket is made; nothing above it differs. The binary one is in ``protobuf``.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import orjson

from nakama_bots.realtime.frames import TEXT


class Adapter(Protocol):
    """How envelopes (objects as in ``types.realtime.Envelope``) travel."""

    @property
    def format(self) -> str:
        """The handshake's ``format``."""

    @property
    def opcode(self) -> int:
        """The opcode of its frames, text or binary: a message with the other one ends the connection."""

    @property
    def content(self) -> str:
        """What its payloads are, for errors."""

    def encode(self, envelope: dict[str, object], /) -> bytes:
        """The payload of an envelope; what cannot be sent is a ``TypeError`` or a ``ConfigError``."""

    def decode(self, payload: bytes, /) -> Any:
        """The envelope in a payload; ``ValueError`` when it is none."""


class TextAdapter:
    """JSON in text frames. Its two methods are orjson's own functions: a call more a frame would be felt."""

    format: Final = "json"
    opcode: Final = TEXT
    content: Final = "text that is not JSON"
    encode = staticmethod(orjson.dumps)
    decode = staticmethod(orjson.loads)


TEXT_ADAPTER: Final = TextAdapter()
