"""What the HTTP libraries raise, as the errors of this package."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import urllib3.exceptions

from nakama_bots.errors import (
    CallError,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    HostNotFound,
    ProtocolError,
    RequestTimeout,
    TlsError,
)

Wrap: TypeAlias = Callable[[str], CallError]
ErrorTable: TypeAlias = Sequence[tuple[type[BaseException], Wrap]]


def closed(text: str) -> CallError:
    return ConnectionClosed(1006, text)


# Foreign exception -> ours. The first row wins, so a class stands before its bases. urllib3 and requests wrap
# what happened, so a row is compared with the exception and all that it wraps.
CONNECT_ERRORS: Final[ErrorTable] = (
    (socket.gaierror, lambda _: HostNotFound("the host's name cannot be resolved")),
    (UnicodeError, lambda _: HostNotFound("the host's name cannot be resolved")),
    (ConnectionRefusedError, lambda _: ConnectionRefused("nothing listens at the target")),
    (ssl.SSLError, TlsError),
    (urllib3.exceptions.SSLError, TlsError),
)
EXCHANGE_ERRORS: Final[ErrorTable] = (
    (http.client.RemoteDisconnected, lambda _: closed("closed without an answer")),
    (urllib3.exceptions.InvalidChunkLength, lambda _: ProtocolError("malformed HTTP chunk")),
    (http.client.IncompleteRead, lambda _: closed("closed inside the answer")),
    (http.client.HTTPException, lambda _: ProtocolError("malformed HTTP answer")),
    (urllib3.exceptions.DecodeError, lambda _: ProtocolError("the body is not encoded as its header says")),
    (zlib.error, lambda _: ProtocolError("the body is not encoded as its header says")),
    (urllib3.exceptions.InvalidHeader, lambda _: ProtocolError("malformed HTTP header")),
)
GEVENT_CONNECT: Final[ErrorTable] = (*CONNECT_ERRORS, (OSError, ConnectionFailed))
REQUESTS_ERRORS: Final[ErrorTable] = (
    *CONNECT_ERRORS,
    (TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    # A subclass of urllib3's TimeoutError in some versions, for whatever reason it failed.
    (urllib3.exceptions.NewConnectionError, lambda _: ConnectionFailed("no address accepts a connection")),
    (urllib3.exceptions.TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    *EXCHANGE_ERRORS,
    (OSError, lambda _: closed("the connection broke")),
    (urllib3.exceptions.HTTPError, lambda _: ProtocolError("malformed HTTP answer")),
)


def wrapped(error: BaseException) -> Iterator[BaseException]:
    """``error`` and, depth first, every exception that it was raised from or holds."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            # Never __context__: it may be what the caller was handling when it made the call.
            pending += (current.__cause__, getattr(current, "reason", None), *current.args)


def mapped(table: ErrorTable, error: BaseException) -> CallError:
    """The typed error of the first row that fits; the text is the operating system's or the parser's own."""
    causes = list(wrapped(error))
    for kind, wrap in table:
        for cause in causes:
            if isinstance(cause, kind):
                return wrap(text_of(cause))
    return ConnectionFailed(type(error).__name__)


def text_of(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error.args[0]) if error.args else type(error).__name__
