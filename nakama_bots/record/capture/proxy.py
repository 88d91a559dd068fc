"""A reverse proxy that forwards bytes unchanged, TLS on either side, and keeps a copy of them."""

from __future__ import annotations

import socket as stdlib_socket
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

import gevent
import gevent.socket
import gevent.ssl
from gevent.pool import Pool
from gevent.server import StreamServer

from nakama_bots.errors import CallError, ConfigError, safe_text
from nakama_bots.net.dial import dial
from nakama_bots.net.turns import Turns
from nakama_bots.record.capture.wire import Kept, Wire, WireSide
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target

READ_SIZE: Final = 64 * 1024
_END_TIMEOUT: Final = 1.0
_BACKLOG: Final = 128


def server_tls(certificate: str, key: str) -> Any:
    """The context of a TLS server; ``ConfigError`` if the files cannot be used."""
    context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one
        accepted = f"PEM files of a certificate and its private key ({error.strerror or type(error).__name__})"
        raise ConfigError("--tls-cert", certificate, accepted) from None
    return context


class RecordingProxy:
    """Listens and forwards. ``start`` before ``url``; ``stop`` ends all connections."""

    def __init__(
        self,
        target: Target,
        listen: tuple[str, int],
        *,
        network: Network | None = None,
        timeout: float = 10.0,
        tls: Any = None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.kept = Kept()
        self._target = target
        self._network = network or Network()
        self._timeout = timeout
        self._tls = tls
        self._say = say
        self._said: set[str] = set()
        self._connections = Pool()
        self._began = perf_counter()
        self._listen = listen
        self._server: StreamServer | None = None

    def start(self) -> None:
        """Begin to listen; ``ConfigError`` if that is not possible."""
        listener = gevent.socket.socket(
            stdlib_socket.AF_INET6 if ":" in self._listen[0] else stdlib_socket.AF_INET
        )
        try:
            listener.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_REUSEADDR, 1)
            listener.bind(self._listen)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            accepted = f"HOST:PORT of this machine that is free ({error.strerror or error})"
            raise ConfigError("--listen", "{}:{}".format(*self._listen), accepted) from None
        self._server = StreamServer(listener, self._serve, spawn=self._connections)
        self._server.start()
        self._began = perf_counter()

    @property
    def url(self) -> str:
        """Where a client finds the proxy."""
        port = self._server.server_port if self._server is not None else None
        assert port is not None
        return Target(self._listen[0], port, ssl=self._tls is not None).http_url

    @property
    def now(self) -> float:
        """Seconds since it started."""
        return perf_counter() - self._began

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(timeout=0)
        self._connections.kill(timeout=_END_TIMEOUT)

    def _serve(self, client: Any, _address: object) -> None:
        wire = self.kept.open()
        ended: list[float] = []
        server = None
        try:
            client.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NODELAY, 1)
            if self._tls is not None:
                with gevent.Timeout(self._timeout, OSError("no TLS handshake in time")):
                    client = self._tls.wrap_socket(client, server_side=True)
            server = dial(self._target, self._network, self._timeout)
            back = gevent.spawn(self._pump, server, client, wire, WireSide.SERVER, ended)
            try:
                self._pump(client, server, wire, WireSide.CLIENT, ended)
                back.join()
            finally:
                back.kill()
        except (CallError, OSError) as error:
            self._tell(error)
        finally:
            # When the first side ended it: the other one may take seconds to notice.
            self.kept.keep(wire, WireSide.END, min(ended, default=self.now), b"")
            for sock in (client, server):
                if sock is not None:
                    sock.close()

    def _pump(self, source: Any, sink: Any, wire: Wire, side: WireSide, ended: list[float]) -> None:
        """Forward one direction until it ends; what was forwarded is kept."""
        turns = Turns(gevent.sleep)
        with suppress(OSError):
            while data := source.recv(READ_SIZE):
                at = self.now
                sink.sendall(data)
                self.kept.keep(wire, side, at, data)
                turns.give_way()
        ended.append(self.now)
        # The other direction may still have something, such as the answer to a client that has shut down its
        # side. A TLS connection cannot be shut down by half.
        secure = isinstance(sink, gevent.ssl.SSLSocket)
        with suppress(OSError):
            sink.shutdown(stdlib_socket.SHUT_RDWR if secure else stdlib_socket.SHUT_WR)

    def _tell(self, error: CallError | OSError) -> None:
        if isinstance(error, CallError):
            text = f"no connection to {self._target.http_url}: {safe_text(str(error))}"
        else:
            text = f"a client's connection failed: {safe_text(error.strerror or str(error))}"
        if text not in self._said:
            self._said.add(text)
            self.kept.problems.append(text)
            self._say(text)
