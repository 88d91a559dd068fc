"""REST over gevent's sockets, read with geventhttpclient's parser; the only importer of geventhttpclient."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import gevent
import gevent.lock
import gevent.monkey
from geventhttpclient.response import HTTPParseError, HTTPResponse

from nakama_bots.errors import AnswerTooLarge, ConnectionClosed, ProtocolError, RequestTimeout
from nakama_bots.net.arrival import CLOCK, CONTROL_SIZE, Control
from nakama_bots.net.dial import dial
from nakama_bots.net.failures import ErrorTable, mapped, text_of
from nakama_bots.net.tls_stream import TlsStream
from nakama_bots.net.turns import Turns
from nakama_bots.rest.failures import EXCHANGE_ERRORS, closed
from nakama_bots.rest.transports.body import FRAMING, Body
from nakama_bots.rest.transports.idle_reaper import IdleReaper, reaper_of_hub
from nakama_bots.rest.transports.seam import DIRECT, IDEMPOTENT, Response
from nakama_bots.rest.transports.urllib3_pools import IDLE_LIMIT
from nakama_bots.settings.network import Limits, Network
from nakama_bots.settings.target import Target, Timeouts

_READ_SIZE: Final = 65536
# The parser calls us for each header: there may be thousands in a read.
_HEAD_SIZE: Final = 16384

_GEVENT_EXCHANGE: Final[ErrorTable] = (
    (HTTPParseError, lambda text: ProtocolError(f"malformed HTTP answer: {text}")),
    *EXCHANGE_ERRORS,
    (OSError, closed),
)


class _Unanswered(ConnectionClosed):
    """The connection ended before the first byte of an answer."""


# Never the patched one: under monkey-patching it would start watchers and switch to the hub. It also has no
# limit of 1,024 descriptors, at which select() makes every reused connection look broken.
_original_poll = gevent.monkey.get_original("select", "poll")


def _is_idle(sock: Any) -> bool:
    """Whether nothing waits to be read: an idle connection has nothing to say but that it is closed."""
    poll = _original_poll()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)


class _Pool:
    """Connections to one target: at most ``size`` in use, those kept alive waiting newest last."""

    __slots__ = ("_clock", "_network", "_reaper", "_target", "host_header", "idle", "slots")

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
        self.host_header = f" HTTP/1.1\r\nHost: {target.authority}\r\n"
        self.idle: list[tuple[Any, float]] = []
        self.slots = gevent.lock.BoundedSemaphore(size)

    def reuse(self) -> Any | None:
        """A connection that still looks alive, or None."""
        while self.idle:
            sock, since = self.idle.pop()
            if self._clock() - since < IDLE_LIMIT and _is_idle(sock):
                return sock
            sock.close()
        return None

    def keep(self, sock: Any) -> None:
        self.idle.append((sock, self._clock()))
        self._reaper.watch(self)

    @property
    def limits(self) -> Limits:
        return self._network.limits

    def prune(self) -> bool:
        """``Prunable``: oldest first, as they were kept."""
        oldest = self._clock() - IDLE_LIMIT
        while self.idle and self.idle[0][1] <= oldest:
            self.idle.pop(0)[0].close()
        return bool(self.idle)

    def connect(self, seconds: float) -> Any:
        """A new connection, TLS included."""
        sock = dial(self._target, self._network, seconds, in_memory=True)
        CLOCK.enable(sock.sock if isinstance(sock, TlsStream) else sock)
        return sock

    def close(self) -> None:
        while self.idle:
            self.idle.pop()[0].close()


class GeventTransport:
    """Sends with gevent's sockets and geventhttpclient's parser: other greenlets run while one waits.

    ``size`` connections a target are kept alive and in use at most; a further request waits for one, within
    its deadline. One that is idle for 45 s is closed. The default is for a transport a player, so that the
    server sees a connection a player as from real clients. It costs nothing: ``python -m benchmarks.rest``
    (50 players, GET /v2/account, Nakama 3.40, 2 cores) gave 80 µs CPU a request with own pools and 81 with a
    shared one; bare geventhttpclient 96; requests 473 and 441, bare requests 669.
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
        self._reaper = reaper or reaper_of_hub()
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
        # One timer for everything: waiting for a slot, resolving, connecting, writing, every read.
        limit = gevent.Timeout.start_new(timeouts.request)
        try:
            with pool.slots:
                sock = pool.reuse()
                if sock is None:
                    return _exchange(pool, pool.connect(timeouts.connect), method, request, timeouts)
                try:
                    return _exchange(pool, sock, method, request, timeouts)
                except _Unanswered:
                    if method not in IDEMPOTENT:
                        raise
                sock = pool.connect(timeouts.connect)
                return _exchange(pool, sock, method, request, timeouts, resent=True)
        except gevent.Timeout as fired:
            if fired is not limit:
                raise
            raise RequestTimeout(f"no answer within {timeouts.request:g} s") from fired
        finally:
            limit.close()

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
    head = method + " " + path + host_header
    for name, value in headers.items():
        head += f"{name}: {value}\r\n"
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


def _exchange(
    pool: _Pool, sock: Any, method: str, request: bytes, timeouts: Timeouts, *, resent: bool = False
) -> Response:
    """Write ``request``, read the answer; keep the connection or close it, whatever happens."""
    kept = False
    answer = _PooledAnswer(method, pool.limits)
    try:
        broken: OSError | None = None
        try:
            sent = sock.send(request)
            if sent < len(request):
                sock.sendall(memoryview(request)[sent:])
        except OSError as error:
            # RFC 9112 section 9.5: the server may have answered early (body too large) and closed.
            broken = error
        if timeouts.read is None:
            control = _read(sock, answer, broken)
        else:
            control = _read_within(timeouts.read, sock, answer, broken)
        response = _response(answer, control, resent=resent)
        if broken is None and not answer.should_close():
            pool.keep(sock)
            kept = True
        return response
    except (OSError, HTTPParseError) as error:
        raise mapped(_GEVENT_EXCHANGE, error) from error
    finally:
        if not kept:
            sock.close()


def _read_within(seconds: float, sock: Any, answer: _PooledAnswer, broken: OSError | None) -> Control:
    limit = gevent.Timeout.start_new(seconds)
    try:
        return _read(sock, answer, broken)
    except gevent.Timeout as fired:
        if fired is not limit:
            raise
        raise RequestTimeout(f"no answer within {seconds:g} s of the request") from fired
    finally:
        limit.close()


class _PooledAnswer(HTTPResponse):
    """An answer whose body is unpacked as it comes in."""

    def __init__(self, method: str, limits: Limits) -> None:
        super().__init__(method)
        self.limits = limits
        self._body: Body | None = None

    @property
    def in_head(self) -> bool:
        """Whether what comes next belongs to a head: an interim answer is followed by another one."""
        return not self.headers_complete or self.get_code() < 200

    @property
    def arrived(self) -> int:
        """Bytes of the body that have arrived."""
        return self._body.arrived if self._body else 0

    def body(self) -> bytes:
        """The body, once the answer is complete."""
        return (self._body or self._begin_body()).finish()

    def _on_body(self, buf: bytearray) -> None:
        (self._body or self._begin_body()).add(buf)

    def _begin_body(self) -> Body:
        self._body = Body(self.limits.body, self.get("content-encoding"), self.get("content-length"))
        return self._body


def _read(sock: Any, answer: _PooledAnswer, broken: OSError | None) -> Control:
    """Feed ``answer`` until it is complete; an interim (1xx) answer is not the end (RFC 9110 section 15.2).

    Returns the control data of the read with the last byte.
    """
    received = 0
    control: Control = ()
    limits = answer.limits
    turns = Turns(gevent.sleep)
    while not answer.message_complete or answer.get_code() < 200:
        size = min(_HEAD_SIZE, limits.headers + 1 - received) if answer.in_head else _READ_SIZE
        try:
            data, control, _, _ = sock.recvmsg(size, CONTROL_SIZE)
        except OSError as error:
            if received:
                raise
            raise _Unanswered(1006, text_of(broken or error)) from error
        if not data:
            _ended(answer, received, broken)
            return ()
        received += len(data)
        answer.feed(data)
        if received > limits.headers + FRAMING * answer.arrived:
            what = "the headers" if answer.in_head else "what frames the body"
            raise AnswerTooLarge(what, limits.headers, "max_headers")
        turns.give_way()
    return control


def _ended(answer: _PooledAnswer, received: int, broken: OSError | None) -> None:
    """The server has closed: that is the end of a body that has neither length nor chunks, and of no other."""
    if not received:
        raise _Unanswered(1006, "closed without an answer") from broken
    if answer.headers_complete:
        try:
            answer.feed(b"")
        except HTTPParseError as error:
            raise ConnectionClosed(1006, "closed inside the answer") from error
    if not answer.message_complete or answer.get_code() < 200:
        raise ConnectionClosed(1006, "closed inside the answer")


def _response(answer: _PooledAnswer, control: Control, *, resent: bool) -> Response:
    arrived = waited = None
    if control:
        read = time.perf_counter()
        waited = CLOCK.waited(control, read)
        arrived = None if waited is None else read - waited
    headers = {name.lower(): value for name, value in answer.items()}
    return Response(answer.get_code(), headers, answer.body(), resent, arrived, waited)
