"""What the HTTP libraries raise, as the errors of this package."""

from __future__ import annotations

import http.client
import zlib
from typing import Final

import urllib3.exceptions

from nakama_bots.errors import (
    CallError,
    ConnectionClosed,
    ConnectionFailed,
    ProtocolError,
    RequestTimeout,
    TlsError,
)
from nakama_bots.net.failures import CONNECT_ERRORS, ErrorTable


def closed(text: str) -> CallError:
    return ConnectionClosed(1006, text)


def _malformed(text: str) -> CallError:
    """With the limits of urllib3's own by their names; its other texts may quote the answer."""
    return ProtocolError(f"malformed HTTP answer{': ' + text if 'exceeded maximum' in text else ''}")


EXCHANGE_ERRORS: Final[ErrorTable] = (
    (http.client.RemoteDisconnected, lambda _: closed("closed without an answer")),
    (urllib3.exceptions.InvalidChunkLength, lambda _: ProtocolError("malformed HTTP chunk")),
    (http.client.IncompleteRead, lambda _: closed("closed inside the answer")),
    (http.client.HTTPException, lambda _: ProtocolError("malformed HTTP answer")),
    (urllib3.exceptions.DecodeError, lambda _: ProtocolError("the body is not encoded as its header says")),
    (zlib.error, lambda _: ProtocolError("the body is not encoded as its header says")),
    (urllib3.exceptions.InvalidHeader, lambda _: ProtocolError("malformed HTTP header")),
)
REQUESTS_ERRORS: Final[ErrorTable] = (
    *CONNECT_ERRORS,
    (urllib3.exceptions.SSLError, TlsError),
    (TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    # A subclass of urllib3's TimeoutError in some versions, for whatever reason it failed.
    (urllib3.exceptions.NewConnectionError, lambda _: ConnectionFailed("no address accepts a connection")),
    (urllib3.exceptions.TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    *EXCHANGE_ERRORS,
    (OSError, lambda _: closed("the connection broke")),
    (urllib3.exceptions.HTTPError, _malformed),
)
