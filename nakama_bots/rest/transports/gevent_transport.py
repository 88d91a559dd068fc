"""REST over sockets that the hub of gevent watches."""

from __future__ import annotations

import select
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import gevent
import gevent.lock
import gevent.monkey
import gevent.socket

from nakama_bots.errors import ConnectionClosed, ProtocolError
from nakama_bots.net.arrival import CLOCK, CONTROL_SIZE, Control
from nakama_bots.net.dial import dial, non_blocking
from nakama_bots.net.failures import ErrorTable, mapped, text_of
from nakama_bots.net.time_limit import TimeLimit
from nakama_bots.net.tls import TlsStream
from nakama_bots.rest.transports.answer import HTTPParseError, IncomingAnswer
from nakama_bots.rest.transports.seam import DIRECT, IDEMPOTENT, IDLE_LIMIT, Response
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target, Timeouts

_READ: Final = 1  # libev's EV_READ
_REAPER_PERIOD: Final = 5.0
"""Seconds between two searches for connections that are idle for too long."""

_GEVENT_EXCHANGE: Final[ErrorTable] = (
    (HTTPParseError, lambda text: ProtocolError(f"malformed HTTP answer: {text}")),
    (OSError, lambda text: ConnectionClosed(1006, text)),
)


class _Unanswered(ConnectionClosed):
    """The connection ended before the first byte of an answer."""


# Never the patched one: under monkey-patching it would start watchers and switch to the hub. It also has no
# limit of 1,024 descriptors, at which select() makes every reused connection look broken.
_original_poll = gevent.monkey.get_original("select", "poll")


class _KeptConnection:
    """A connection that never blocks. One greenlet at a time uses it."""

    __slots__ = ("_hub", "_sock", "_tls", "_watcher", "since")

    def __init__(self, sock: Any) -> None:
        self._tls = sock if isinstance(sock, TlsStream) else None
        self._sock = non_blocking(sock.sock if isinstance(sock, TlsStream) else sock)
        CLOCK.enable(self._sock)
        self._hub = gevent.get_hub()
        self._watcher = self._hub.loop.io(self._sock.fileno(), _READ)
        # When it became idle.
        self.since = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: an idle connection has nothing to say but that it is closed."""
        poll = _original_poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        return not poll.poll(0)

    def write(self, data: bytes) -> None:
        """Send all of it; waits until the kernel has it."""
        if self._tls is not None:
            data = self._tls.sealed(data)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                gevent.socket.wait_write(self._sock.fileno())

    def read(self, answer: IncomingAnswer, broken: OSError | None) -> Control:
        """Read until ``answer`` is complete. ``broken``: why the request could not be sent.

        Returns the control data of the read with the last byte. Before each read it waits, so that everything
        else has a turn, whatever the server sends.
        """
        while not answer.complete:
            self._wait()
            try:
                data, control, _, _ = self._sock.recvmsg(answer.size, CONTROL_SIZE)
            except BlockingIOError:
                continue
            except OSError as error:
                if answer.received:
                    raise
                raise _Unanswered(1006, text_of(broken or error)) from error
            ended = not data
            if self._tls is not None:
                data = self._opened(self._tls, data)
                ended = ended or self._tls.ended
            if data:
                answer.take(data)
            if ended and not answer.received:
                raise _Unanswered(1006, "closed without an answer") from broken
            if ended and answer.end():
                return ()
        return control

    def close(self) -> None:
        """Close it."""
        self._watcher.stop()
        self._watcher.close()
        self._sock.close()

    def _wait(self) -> None:
        """Wait for something to read. May return without."""
        self._watcher.start(gevent.getcurrent().switch)
        try:
            self._hub.switch()
        finally:
            self._watcher.stop()

    def _opened(self, tls: TlsStream, data: bytes) -> bytes:
        opened = tls.opened(data)
        if tls.has_answer:
            self.write(b"")
        return opened


class _Pool:
    """Connections to one target: at most ``size`` in use, those kept alive waiting newest last."""

    __slots__ = ("_clock", "_network", "_reaper", "_target", "host_header", "idle", "limits", "slots")

    def __init__(
        self,
        target: Target,
        network: Network,
        size: int,
        clock: Callable[[], float],
        reaper: IdleReaper,
    ) -> None:
        self._target = target
        self._network = network
        self._clock = clock
        self._reaper = reaper
        self.limits = network.limits
        self.host_header = f" HTTP/1.1\r\nHost: {target.authority}\r\n"
        self.idle: list[_KeptConnection] = []
        self.slots = gevent.lock.BoundedSemaphore(size)

    def reuse(self) -> _KeptConnection | None:
        """A connection that still looks alive, or None."""
        while self.idle:
            connection = self.idle.pop()
            if self._clock() - connection.since < IDLE_LIMIT and connection.is_quiet:
                return connection
            connection.close()
        return None

    def keep(self, connection: _KeptConnection) -> None:
        connection.since = self._clock()
        self.idle.append(connection)
        self._reaper.watch(self)

    def prune(self) -> bool:
        """Close what is idle for too long; True if others are still idle. Called in the hub: must not block."""
        # Oldest first, as they were kept.
        oldest = self._clock() - IDLE_LIMIT
        while self.idle and self.idle[0].since <= oldest:
            self.idle.pop(0).close()
        return bool(self.idle)

    def connect(self, seconds: float) -> _KeptConnection:
        """A new connection, TLS included."""
        return _KeptConnection(dial(self._target, self._network, seconds, in_memory=True))

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()


class IdleReaper:
    """Closes the connections of a hub that have been idle for too long to be used again.

    Each player has its own connection. Without this, thousands of players that are connected and call nothing
    would each hold one, with its descriptor, for the rest of the run.
    """

    def __init__(self, period: float = _REAPER_PERIOD) -> None:
        self._pools: dict[_Pool, None] = {}
        # Without a reference, so that a program may end while it runs.
        self._timer: Any = gevent.get_hub().loop.timer(period, repeat=period, ref=False)

    def watch(self, pool: _Pool) -> None:
        """``pool`` has an idle connection."""
        if not self._pools:
            self._timer.start(self._look)
        self._pools[pool] = None

    def _look(self) -> None:
        for pool in [pool for pool in self._pools if not pool.prune()]:
            del self._pools[pool]
        if not self._pools:
            self._timer.stop()


_reapers: Final[weakref.WeakKeyDictionary[Any, IdleReaper]] = weakref.WeakKeyDictionary()


def _reaper_of_hub() -> IdleReaper:
    hub = gevent.get_hub()
    if hub not in _reapers:
        _reapers[hub] = IdleReaper()
    return _reapers[hub]


class GeventTransport:
    """Sends with non-blocking sockets and geventhttpclient's parser: other greenlets run while one waits.

    ``size`` connections a target are kept alive and in use at most; a further request waits for one, within
    its deadline. One that is idle for 45 s is closed. The default is for a transport a player, so that the
    server sees a connection a player as from real clients.
    """

    def __init__(
        self,
        network: Network = DIRECT,
        *,
        size: int = 1,
        clock: Callable[[], float] = time.monotonic,
        reaper: IdleReaper | None = None,
    ) -> None:
        self._network = network
        self._size = size
        self._clock = clock
        self._reaper = reaper or _reaper_of_hub()
        self._pools: dict[Target, _Pool] = {}

    def send(
        self,
        target: Target,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        """See ``Transport.send``."""
        pool = self._pools.get(target)
        if pool is None:
            pool = self._pools.setdefault(
                target, _Pool(target, self._network, self._size, self._clock, self._reaper)
            )
        request = _request_bytes(method, target.path + path, pool.host_header, headers, body)
        # For everything: waiting for a slot, resolving, connecting, writing, every read.
        with TimeLimit(timeouts.request, "no answer"), pool.slots:
            kept = pool.reuse()
            if kept is None:
                return _exchange(pool, pool.connect(timeouts.connect), method, request, timeouts)
            try:
                return _exchange(pool, kept, method, request, timeouts)
            except _Unanswered:
                if method not in IDEMPOTENT:
                    raise
            connection = pool.connect(timeouts.connect)
            return _exchange(pool, connection, method, request, timeouts, resent=True)

    def lock(self) -> AbstractContextManager[Any]:
        """See ``Transport.lock``."""
        lock: AbstractContextManager[Any] = gevent.lock.BoundedSemaphore(1)
        return lock

    def pause(self, seconds: float) -> None:
        """See ``Transport.pause``."""
        gevent.sleep(seconds)

    def close(self) -> None:
        """Close idle connections."""
        for pool in self._pools.values():
            pool.close()


def _request_bytes(
    method: str, path: str, host_header: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    fields = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = method + " " + path + host_header + "".join(fields)
    lines = 3 + len(headers)
    if body is not None or method in ("POST", "PUT"):
        # RFC 9110 section 8.6: a method that expects content says when there is none.
        head += f"Content-Length: {len(body) if body else 0}\r\n"
        lines += 1
    encoded = (head + "\r\n").encode("latin-1")
    if encoded.count(b"\n") != lines:
        msg = "a header holds a line break"
        raise ValueError(msg)
    return encoded + body if body else encoded


_NO_LIMIT: Final = nullcontext()


def _exchange(
    pool: _Pool,
    connection: _KeptConnection,
    method: str,
    request: bytes,
    timeouts: Timeouts,
    *,
    resent: bool = False,
) -> Response:
    """Write ``request``, read the answer; keep the connection or close it, whatever happens."""
    kept = False
    answer = IncomingAnswer(method, pool.limits)
    try:
        broken: OSError | None = None
        try:
            connection.write(request)
        except OSError as error:
            # RFC 9112 section 9.5: the server may have answered early (body too large) and closed.
            broken = error
        read = timeouts.read
        with _NO_LIMIT if read is None else TimeLimit(read, "no answer", " of the request"):
            control = connection.read(answer, broken)
        response = _response(answer, control, resent=resent)
        if broken is None and answer.reusable:
            pool.keep(connection)
            kept = True
        return response
    except (OSError, HTTPParseError) as error:
        raise mapped(_GEVENT_EXCHANGE, error) from error
    finally:
        if not kept:
            connection.close()


def _response(answer: IncomingAnswer, control: Control, *, resent: bool) -> Response:
    arrived = waited = None
    if control:
        read = time.perf_counter()
        waited = CLOCK.waited(control, read)
        arrived = None if waited is None else read - waited
    return Response(answer.status, answer.headers, answer.body, resent, arrived, waited)
