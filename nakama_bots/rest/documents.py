"""JSON texts inside JSON, read and written, and int64 numbers, which the wire has as texts.

``Client`` reads answers with ``decode``: documents by the names of their fields, wherever they stand. A text
that is not JSON stays a text: one bad value must not fail a page of a hundred others. A caller that
needs the difference checks for a ``str`` in place of a document (a document that is a JSON string is read to a
``str`` too). An int64 that is not a number is a ``ProtocolError``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from nakama_bots.errors import ProtocolError

T = TypeVar("T")


def read_document(text: str) -> object:
    """The JSON value that ``text`` holds, or ``text`` itself when it is not JSON."""
    if not text:
        # An RPC without a result, a message without content.
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def read_int64(text: str) -> int:
    """The number; a ``ProtocolError`` when there is none."""
    try:
        return int(text)
    except ValueError:
        raise ProtocolError("the answer has an int64 that is not a number") from None


READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "content": read_document,  # channel message, notification
    "metadata": read_document,  # user, group, friend, leaderboard record, tournament
    "payload": read_document,  # RPC
    "value": read_document,  # storage object
    "wallet": read_document,  # account
    "rank": read_int64,
    "rank_count": read_int64,
    "score": read_int64,
    "subscore": read_int64,
}

# A map whose keys are a user's own, so that they say nothing about what they hold.
_NAMED_BY_USERS: Final = frozenset(("vars",))


def decode(answer: T) -> T:
    """Read every document and int64 of ``answer`` in place; the answer itself is given back."""
    _decode(answer)
    return answer


def _decode(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _decode(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                reader = READERS.get(key)
                if reader is not None:
                    value[key] = reader(item)
            elif key not in _NAMED_BY_USERS:
                _decode(item)


def json_text(value: object) -> str:
    """``value`` as JSON text; a text is one already and goes as it is."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def with_text(fields: Mapping[str, object], *names: str) -> dict[str, object]:
    """``fields`` with those of ``names`` that are there as JSON texts."""
    return {key: json_text(value) if key in names else value for key, value in fields.items()}
