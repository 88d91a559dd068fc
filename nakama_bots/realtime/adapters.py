"""The encoding of messages in frames, and its default: JSON text.

An adapter is chosen when a socket is made; nothing above it differs. The binary one is in ``protobuf``.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import orjson

from nakama_bots.realtime.frames import TEXT


class Adapter(Protocol):
    """Encodes envelopes (objects as in ``types.realtime.Envelope``)."""

    @property
    def format(self) -> str:
        """The handshake's ``format``."""

    @property
    def opcode(self) -> int:
        """The opcode of its frames, text or binary: a message with the other one ends the connection."""

    @property
    def content(self) -> str:
        """Describes invalid payloads in errors."""

    def encode(self, envelope: dict[str, object], /) -> bytes:
        """The payload of an envelope; ``TypeError`` or ``ConfigError`` if it cannot be encoded."""

    def decode(self, payload: bytes, /) -> Any:
        """The envelope in a payload; ``ValueError`` if it is not one."""


class TextAdapter:
    """JSON in text frames. Its two methods are orjson's functions: one more call per frame would cost."""

    format: Final = "json"
    opcode: Final = TEXT
    content: Final = "text that is not JSON"
    encode = staticmethod(orjson.dumps)
    decode = staticmethod(orjson.loads)


TEXT_ADAPTER: Final = TextAdapter()
