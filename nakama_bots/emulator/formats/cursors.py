"""Cursors of paged lists: opaque text for the list that issued it."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple, TypeVar, get_type_hints

import orjson

C = TypeVar("C", bound=NamedTuple)


class InvalidCursor(ValueError):
    """The text is not a cursor of that kind."""


def encode(place: tuple[str | int | bool, ...]) -> str:
    """Encode a place in a list, a named tuple of plain values."""
    return base64.urlsafe_b64encode(orjson.dumps([type(place).__name__, *place])).decode()


def decode(text: str, kind: type[C]) -> C:
    """Decode a cursor of ``encode``; ``InvalidCursor`` for anything else."""
    try:
        name, *values = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidCursor(text) from None
    types = list(get_type_hints(kind).values())
    if name != kind.__name__ or [type(value) for value in values] != types:
        raise InvalidCursor(text)
    return kind(*values)
