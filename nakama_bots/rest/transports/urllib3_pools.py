"""urllib3 connections with one deadline and limits for a whole answer, and with an end to idle reuse.

They know nothing of requests, whose adapter they are put under in ``requests_transport``.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions

from nakama_bots.clock import Deadline
from nakama_bots.errors import AnswerTooLarge, ProtocolError
from nakama_bots.net.tunnel import open_tunnel
from nakama_bots.net.turns import Turns
from nakama_bots.rest.transports.body import FRAMING
from nakama_bots.rest.transports.seam import IDLE_LIMIT
from nakama_bots.settings.network import Limits, Network, Proxy

READ_SIZE: Final = 65536


class StaleConnection(ConnectionResetError):
    """urllib3 used a kept connection, and the server had closed it."""


class _WholeAnswer(io.RawIOBase):
    """A connection's bytes, all of them before the deadline that its socket's timeout was when this was made.

    A socket's timeout is for one read: a server that sends a byte now and then would never exceed it. One that
    never pauses would keep a patched process from doing anything else. Beside the body at most
    ``limits.headers`` bytes may come, and ten for each byte of the body.
    """

    def __init__(self, raw: Any, sock: Any, limits: Limits) -> None:
        self._raw = raw
        self._sock = sock
        self._limits = limits
        self._deadline = Deadline.after(time.monotonic(), sock.gettimeout())
        # By its name: this is gevent's own where the process is patched.
        self._turns = Turns(time.sleep)
        # A reader above takes a block more than it is asked for.
        self._room = limits.headers + io.DEFAULT_BUFFER_SIZE
        self._part = "the headers"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._room <= 0:
            raise AnswerTooLarge(self._part, self._limits.headers, "max_headers")
        self._sock.settimeout(_left(self._deadline))
        read: int | None = self._raw.readinto(buffer)
        self._room -= read or 0
        self._turns.give_way()
        return read

    def body_follows(self, size: int) -> None:
        """``size`` bytes of the body are about to be read, with what frames them."""
        self._part = "what frames the body"
        self._room += FRAMING * size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedAnswer(http.client.HTTPResponse):
    limits = Limits()

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._whole = _WholeAnswer(self.fp.detach(), sock, self.limits)
        self.fp = io.BufferedReader(self._whole)

    def begin(self) -> None:
        try:
            super().begin()
        except http.client.HTTPException as error:
            # What http.client allows of its own; its other texts may quote the answer.
            if str(error).startswith("got more than"):
                raise ProtocolError(f"the headers: {error}") from None
            raise
        if self.headers.defects:
            # http.client takes a head that ends early, or a line without a colon, for a whole one.
            raise http.client.HTTPException("malformed head")

    def read(self, amt: int | None = None) -> bytes:
        self._whole.body_follows(amt or 0)
        return super().read(amt)

    def _safe_read(self, amt: int) -> bytes:
        # By this urllib3 reads a chunk; nothing of what stands between two chunks.
        self._whole.body_follows(amt)
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        return data


class _WatchedConnection(urllib3.connection.HTTPConnection):
    """Knows when it answered last, and gives every address of a host what is left of the deadline."""

    response_class = _BoundedAnswer
    network = Network()
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
        proxy = self.network.proxy_for(self.host.strip("[]"), ssl=isinstance(self, _WatchedTls))
        host, port = (proxy.host, proxy.port) if proxy else (self.host.strip("[]"), self.port)
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise urllib3.exceptions.NewConnectionError(self, "unknown host") from error
        failure: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                if proxy:
                    self._tunnel_by(proxy, sock, deadline)
                sock.settimeout(_left(deadline))  # for the TLS handshake
            except BaseException as error:
                sock.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
            else:
                return sock
        raise urllib3.exceptions.NewConnectionError(self, "no address accepts a connection") from failure

    def _tunnel_by(self, proxy: Proxy, sock: socket.socket, deadline: Deadline) -> None:
        def recv(size: int) -> bytes:
            sock.settimeout(_left(deadline))
            return sock.recv(size)

        host = self.host.strip("[]")
        authority = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        open_tunnel(sock.sendall, recv, authority, proxy, self.network.limits.headers, time.sleep)


def _left(deadline: Deadline) -> float | None:
    left = deadline.left(time.monotonic())
    if left == 0.0:
        raise TimeoutError
    return left


class _WatchedTls(_WatchedConnection, urllib3.connection.HTTPSConnection):
    pass


@lru_cache(maxsize=16)
def pool_classes(network: Network) -> Mapping[str, type[urllib3.connectionpool.HTTPConnectionPool]]:
    """The classes of pools by scheme whose connections keep to ``network``.

    Made for it: a pool manager takes no options that it does not know.
    """

    class LimitedAnswer(_BoundedAnswer):
        limits = network.limits

    class Plain(_WatchedConnection):
        response_class = LimitedAnswer

    class Secure(_WatchedTls):
        response_class = LimitedAnswer

    class HttpPool(urllib3.connectionpool.HTTPConnectionPool):
        ConnectionCls = Plain

    class HttpsPool(urllib3.connectionpool.HTTPSConnectionPool):
        ConnectionCls = Secure

    Plain.network = Secure.network = network
    return {"http": HttpPool, "https": HttpsPool}
