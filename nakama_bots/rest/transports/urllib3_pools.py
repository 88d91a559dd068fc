"""urllib3 connections with one deadline for a whole answer, and with an end to idle reuse.

They know nothing of requests, whose adapter they are put under in ``transport``.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions

from nakama_bots.clock import Deadline

# Seconds. Nakama closes a connection that was idle for 60 s (socket.idle_timeout_ms), as common load balancers
# do; reusing one shortly before would lose a POST to the race.
IDLE_LIMIT: Final = 45.0


class StaleConnection(ConnectionResetError):
    """urllib3 used a kept connection, and the server had closed it."""


class _WholeAnswer(io.RawIOBase):
    """A connection's bytes, all of them before the deadline that its socket's timeout was when this was made.

    A socket's timeout is for one read: a server that sends a byte now and then would beat it for ever.
    """

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = Deadline.after(time.monotonic(), sock.gettimeout())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_WholeAnswer(self.fp.detach(), sock))

    def begin(self) -> None:
        super().begin()
        if self.headers.defects:
            # http.client takes a head that ends early, or a line without a colon, for a whole one.
            raise http.client.HTTPException("malformed head")


class _Watched(urllib3.connection.HTTPConnection):
    """Knows when it answered last, and gives every address of a host what is left of the deadline."""

    response_class = _Answer
    _answered: float | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use it again."""
        young = self._answered is None or time.monotonic() - self._answered < IDLE_LIMIT
        return young and super().is_connected

    def connect(self) -> None:
        self._answered = None
        super().connect()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        try:
            response = super().getresponse()
        except ConnectionError as error:  # http.client.RemoteDisconnected is one
            if self._answered is not None:
                raise StaleConnection from error
            raise
        self._answered = time.monotonic()
        return response

    def _new_conn(self) -> socket.socket:
        deadline = Deadline.after(time.monotonic(), self.timeout)
        try:
            host = self.host.strip("[]")
            addresses = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise urllib3.exceptions.NewConnectionError(self, "unknown host") from error
        failure: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                sock.settimeout(_left(deadline))  # for the TLS handshake
            except BaseException as error:
                sock.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
            else:
                return sock
        raise urllib3.exceptions.NewConnectionError(self, "no address accepts a connection") from failure


def _left(deadline: Deadline) -> float | None:
    left = deadline.left(time.monotonic())
    if left == 0.0:
        raise TimeoutError
    return left


class _WatchedTls(_Watched, urllib3.connection.HTTPSConnection):
    pass


class _HttpPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Watched


class _HttpsPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


POOL_CLASSES: Final[Mapping[str, type[urllib3.connectionpool.HTTPConnectionPool]]] = {
    "http": _HttpPool,
    "https": _HttpsPool,
}
