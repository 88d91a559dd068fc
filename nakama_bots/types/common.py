"""What several families share."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict, TypeVar

# RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction.
Timestamp: TypeAlias = str

# A JSON document inside a JSON string, as on the wire: metadata, content, wallet, storage value, payload.
JsonText: TypeAlias = str

# Such a document read: whatever the text held. A text that is not JSON stays a text (see rest.documents).
Json: TypeAlias = Any

# How a level gives documents, ``JsonText`` or ``Json``, and int64 numbers, ``str`` or ``int``.
D = TypeVar("D")
N = TypeVar("N")


class Empty(TypedDict, total=False):
    """An answer that says only that it went well: ``{}``."""


class ErrorBody(TypedDict, total=False):
    """The body of every REST answer that is not 2xx; RPC answers have ``error`` as well.

    ``code`` is a gRPC code. ``error`` repeats the text for errors of the endpoint itself and is an empty
    object for errors that the function raised.
    """

    code: int
    message: str
    error: str | Empty
