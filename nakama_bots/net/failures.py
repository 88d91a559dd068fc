"""What sockets and libraries raise, as the errors of this package."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from nakama_bots.errors import CallError, ConnectionFailed, ConnectionRefused, HostNotFound, TlsError

Wrap: TypeAlias = Callable[[str], CallError]
ErrorTable: TypeAlias = Sequence[tuple[type[BaseException], Wrap]]

# Foreign exception -> ours. The first row wins, so a class stands before its bases.
CONNECT_ERRORS: Final[ErrorTable] = (
    (socket.gaierror, lambda _: HostNotFound("the host's name cannot be resolved")),
    (UnicodeError, lambda _: HostNotFound("the host's name cannot be resolved")),
    (ConnectionRefusedError, lambda _: ConnectionRefused("nothing listens at the target")),
    (ssl.SSLError, TlsError),
)
DIAL_ERRORS: Final[ErrorTable] = (*CONNECT_ERRORS, (OSError, ConnectionFailed))


def wrapped(error: BaseException) -> Iterator[BaseException]:
    """``error`` and, depth first, every exception that it was raised from or holds.

    urllib3 and requests wrap what happened, so a row is compared with the exception and all that it wraps.
    """
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
    """The typed error of the first row that fits; the text is the operating system's or the parser's own.

    An error of ours that a library has wrapped is given back as it is.
    """
    causes = list(wrapped(error))
    for cause in causes:
        if isinstance(cause, CallError):
            return cause
    for kind, wrap in table:
        for cause in causes:
            if isinstance(cause, kind):
                return wrap(text_of(cause))
    return ConnectionFailed(type(error).__name__)


def text_of(error: BaseException) -> str:
    """What is said of ``error``: never more than its own words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error.args[0]) if error.args else type(error).__name__
