"""The socket of a player: connect, request, push handlers, heartbeat, close."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import gevent
from gevent.hub import Waiter

from nakama_bots import errors
from nakama_bots.clock import Deadline
from nakama_bots.ledger import Ledger
from nakama_bots.net.arrival import TcpPath
from nakama_bots.observer import FinishedCall, NullObserver, Observer
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.api import RealtimeApi
from nakama_bots.realtime.connection import Connection, Reading, open_connection
from nakama_bots.realtime.expectation import Expectation, Where
from nakama_bots.realtime.handlers import DISCONNECT, FAILURES, Handler, PushHandlers, check_event
from nakama_bots.realtime.protocol import KIND, RealtimeProtocol
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target, Timeouts

log = logging.getLogger(__name__)

MAX_BACKLOG: Final = 10_000
"""Pushes that may wait for a blocking handler; further ones are dropped and counted."""
MAX_BACKLOG_BYTES: Final = 64 * 1024 * 1024
"""Their total size on the wire, in bytes."""

CLOSE_TIMEOUT: Final = 2.0
CONNECT: Final = "connect"

Tap = Callable[[Any, float, int], object]
T = TypeVar("T")


class Socket(RealtimeApi, PushHandlers):
    """A realtime connection of one session. One ``connect`` per socket: a reconnect creates a new one.

    ``request`` waits for the reply to its cid; requests may overlap. Each ends exactly once and
    is reported to the observer as ``WS <message key>``. ``adapter`` encodes the messages: as JSON text, or as
    protobuf with ``protobuf.ProtobufAdapter()``.
    """

    def __init__(
        self,
        target: Target,
        *,
        timeouts: Timeouts | None = None,
        network: Network | None = None,
        observer: Observer | None = None,
        adapter: Adapter = TEXT_ADAPTER,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._target = target
        self._adapter = adapter
        self._network = network or Network()
        self._observer: Observer = observer or NullObserver()
        self._protocol = RealtimeProtocol(self._observer, adapter, self._network.limits.sent)
        self._connection: Connection | None = None
        # Tuples: a listener may remove itself while all are called.
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._taps: dict[str, tuple[Tap, ...]] = {}
        self._expectations: dict[str, list[Expectation]] = {}
        self._backlog: deque[tuple[str, Any, int]] | None = None
        self._backlog_bytes = 0
        self._drain: gevent.Greenlet[[], None] | None = None
        self._hub = gevent.get_hub()
        self._sweeper = self._hub.loop.timer(0.0)
        self._sweep_at = float("inf")
        self._heartbeat = self._hub.loop.timer(
            self.timeouts.heartbeat_interval, repeat=self.timeouts.heartbeat_interval
        )
        self._connecting = False
        self._stopping = False

    @property
    def connected(self) -> bool:
        """True if the connection is open."""
        return self._connection is not None and self._connection.error is None

    @property
    def error(self) -> errors.CallError | None:
        """The error that ended the connection; None before that."""
        return self._connection.error if self._connection is not None else None

    @property
    def ledger(self) -> Ledger:
        """A copy of the outcomes of all cids so far."""
        return replace(self._protocol.ledger)

    @property
    def pending(self) -> int:
        """Number of cids that wait for their answer."""
        return len(self._protocol.pending)

    @property
    def awaiting(self) -> int:
        """As ``Receiver.awaiting``: a socket that has had one push may get others."""
        pending = len(self._protocol.pending)
        return pending + 1 if pending and (self._taps or self._protocol.ledger.pushes) else pending

    @property
    def unread(self) -> int:
        """Bytes received by the kernel and not yet read."""
        return self._connection.unread if self._connection is not None else 0

    @property
    def path(self) -> TcpPath | None:
        """TCP's own measurements of the network to the server; None if there are none."""
        return self._connection.path if self._connection is not None else None

    def connect(self, session: Session, *, create_status: bool = False, lang: str = "en") -> None:
        """Open the connection with the session's token; reported to the observer as ``WS connect``.

        With ``create_status`` the user appears online. Raises what ``open_connection`` raises, and
        ``Abandoned`` if the socket was closed meanwhile. May be called again after a failure.
        """
        self._check_unused()
        self._connecting = True
        status = "true" if create_status else "false"
        query = urlencode({"lang": lang, "status": status, "format": self._adapter.format})
        # A header keeps the token out of the URL, and so out of access logs.
        headers = {"Authorization": f"Bearer {session.token}"}
        started = perf_counter()
        stopped = errors.Abandoned("stopped while connecting", operation=CONNECT)
        failure: errors.CallError | None = stopped
        try:
            connection = open_connection(
                self._target, query, headers, self._network, self.timeouts.connect, self, self._adapter.opcode
            )
            if self._stopping:
                connection.abort(stopped)
                raise stopped.for_call(CONNECT, perf_counter() - started)
            failure = None
        except errors.CallError as error:
            failure = error
            raise
        except Exception as error:
            failure = errors.CallError(f"fault in the client: {type(error).__name__}", operation=CONNECT)
            raise
        finally:
            self._connecting = False
            self._observer.call(FinishedCall(KIND, CONNECT, started, perf_counter() - started, 0, failure))
        self._connection = connection
        self._heartbeat.start(self._beat)

    def request(self, key: str, body: Mapping[str, object], timeout: float | None = None) -> Any:
        """Send one message and wait for its reply's body (``{}`` for an empty acknowledgement).

        Raises the ``RealtimeError`` the server answered with, ``RequestTimeout``, ``ConnectionClosed``,
        ``HeartbeatTimeout``, or ``MessageTooBig`` if the server's limit is known (``Limits.sent``). A killed
        greenlet leaves no pending cid.
        """
        connection = self._connection
        if connection is None or connection.closing:
            raise self._refused(key)
        limit = self.timeouts.request if timeout is None else timeout
        if connection.backlogged:
            limit = self._wait_drained(connection, key, limit)
        waiter: Waiter[Any] = Waiter(self._hub)
        now = perf_counter()
        cid, payload = self._protocol.request(key, body, waiter, now, limit)
        if now + limit < self._sweep_at:
            self._arm_sweeper(now, now + limit)
        connection.write_message(payload)
        try:
            return waiter.get()
        except BaseException:
            # No effect if the failure came from the pending table; a killed caller must leave the table.
            self._protocol.abandon(cid, perf_counter())
            raise

    def send(self, key: str, body: Mapping[str, object]) -> None:
        """Send one message that the server does not answer, such as ``match_data_send``."""
        payload = self._protocol.message(key, body)
        if 0 < self._protocol.max_sent < len(payload):
            raise self._protocol.too_big(key, len(payload), perf_counter())
        connection = self._connection
        if connection is None or connection.closing:
            raise self._refused(key)
        if connection.backlogged:
            self._wait_drained(connection, key, self.timeouts.request)
        connection.write_message(payload)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call ``handler(body)`` for every push with that key, in order, in the socket's own greenlet.

        The handler may block and may use this socket: replies, pings and taps do not wait for it.
        ``event`` is a push key of the catalogue or ``disconnect``. Returns a function that removes it.
        """
        check_event(event)
        return _add(self._handlers, event, handler)

    def tap(self, event: str, tap: Tap) -> Callable[[], None]:
        """Call ``tap(body, arrived_at, size)`` in the event loop itself, before any handler. It must not block.

        For measurements: ``arrived_at`` is the ``perf_counter`` time at which the kernel received the push (of
        the read, where it has no stamps), ``size`` the payload's bytes.
        """
        check_event(event)
        return _add(self._taps, event, tap)

    def expect(self, event: str, where: Where | None = None) -> Expectation:
        """Expect a push before causing it; use as a context manager, then ``wait``."""
        check_event(event)
        return Expectation(self, event, where, self._expectations.setdefault(event, []))

    def wait_for(self, event: str, where: Where | None = None, timeout: float | None = None) -> Any:
        """Wait for the next push with that key (for which ``where(body)`` is true) and return its body."""
        with self.expect(event, where) as expectation:
            return expectation.wait(timeout)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection. Pending requests end as abandoned, pushes that wait for a handler are dropped
        and a running handler (unless it is the caller) is killed. Idempotent.
        """
        self._stopping = True
        self._stop_timers()
        self._backlog = None
        self._backlog_bytes = 0
        if self._drain is not None and self._drain is not gevent.getcurrent():
            self._drain.kill(block=False)
        if self._connection is not None and self._connection.error is None:
            # Settled before the handshake: an answer that arrives during it is late, not lost.
            self._fail_pending(errors.Abandoned("the socket was closed by its owner"))
            self._connection.close(code, reason, CLOSE_TIMEOUT)

    def cut(self) -> None:
        """End the connection without a close handshake, as a lost network does. Idempotent."""
        self._stopping = True
        self._stop_timers()
        if self._connection is not None:
            self._connection.abort(errors.Abandoned("the connection was cut by its owner"))

    def pause_reading(self) -> None:
        """Stop reading until ``resume_reading``: the server's buffers fill, then it closes the connection."""
        if self._connection is not None:
            self._connection.pause()

    def resume_reading(self) -> None:
        """Read on."""
        if self._connection is not None:
            self._connection.resume()

    def reading(self, first: float, last: float, size: int) -> Reading:
        """As ``Connection.reading``."""
        connection = self._connection
        return connection.reading(first, last, size) if connection is not None else Reading(0.0, late=False)

    def on_message(self, payload: bytes, arrived: float, waited: float | None) -> None:
        """``Receiver``: one message from the hub."""
        push = self._protocol.receive(payload, arrived, waited)
        if push is None:
            return
        event, body = push
        for tap in self._taps.get(event, ()):
            try:
                tap(body, arrived, len(payload))
            except BaseException as error:  # noqa: BLE001 - propagated, it would end the reading, or the process
                FAILURES.failed("tap", event, error, self._observer)
        if self._expectations.get(event):
            for expectation in self._expectations[event][:]:
                expectation.offer(body, arrived, waited, len(payload))
        if event in self._handlers and not self._stopping:
            self._queue(event, body, len(payload))

    def on_slack(self, seconds: float) -> None:
        """``Receiver``: how much too late the arrivals may be from now on."""
        self._protocol.slack = seconds

    def on_lost(self, error: errors.CallError) -> None:
        """``Receiver``: the connection has ended."""
        self._stop_timers()
        self._fail_pending(error)
        for waiting in list(self._expectations.values()):
            for expectation in waiting[:]:
                expectation.fail(error)
        if not self._stopping and self._handlers.get(DISCONNECT):
            # Not queued behind the pushes: a handler that never returns must not delay it.
            gevent.spawn(self._handle, DISCONNECT, error)

    def _check_unused(self) -> None:
        if self._connection is not None or self._connecting or self._stopping:
            msg = "this socket has been connected or closed already; a new connection needs a new Socket"
            raise RuntimeError(msg)

    def _refused(self, key: str, started: float | None = None) -> errors.CallError:
        if gevent.getcurrent() is not self._hub:
            # A caller that retries in a loop must not block other greenlets.
            gevent.sleep(0)
        error = self.error or errors.ConnectionClosed(
            1006, "not connected" if self._connection is None else "the connection is closing"
        )
        now = perf_counter()
        return self._protocol.refuse(key, error, now if started is None else started, now)

    def _wait_drained(self, connection: Connection, key: str, limit: float) -> float:
        """Wait until the send backlog is empty. Returns the seconds that are left of ``limit``."""
        started = perf_counter()
        deadline = Deadline.after(started, limit)
        if not connection.wait_drained(deadline):
            error = errors.RequestTimeout(f"the server has not read for {limit:g} s")
            raise self._protocol.refuse(key, error, started, perf_counter())
        if connection.closing:
            raise self._refused(key, started)
        return deadline.left(perf_counter()) or 0.0

    def _fail_pending(self, error: errors.CallError) -> None:
        for waiter, failure in self._protocol.close(error, perf_counter()):
            # The caller may be a greenlet; waiters are only switched from the event loop.
            self._hub.loop.run_callback(waiter.throw, failure)

    def _arm_sweeper(self, now: float, at: float) -> None:
        # One timer per socket, re-armed for the earliest deadline: one per request costs more than the request.
        self._sweep_at = at
        self._sweeper.stop()
        self._sweeper.close()
        self._sweeper = self._hub.loop.timer(max(0.0, at - now))
        self._sweeper.start(self._sweep)

    def _sweep(self) -> None:
        self._sweep_at = float("inf")
        earliest = self._protocol.expire(perf_counter())
        if earliest is not None and earliest < self._sweep_at and self.connected:
            self._arm_sweeper(perf_counter(), earliest)

    def _stop_timers(self) -> None:
        self._heartbeat.stop()
        self._sweeper.stop()
        self._sweep_at = float("inf")

    def _beat(self) -> None:
        connection = self._connection
        if connection is None or connection.closing:
            return
        now = perf_counter()
        limit = self.timeouts.heartbeat_timeout
        _, payload = self._protocol.request("ping", {}, _Heartbeat(connection, limit), now, limit)
        if now + limit < self._sweep_at:
            self._arm_sweeper(now, now + limit)
        connection.write_message(payload)

    def _queue(self, event: str, body: Any, size: int) -> None:
        if self._backlog is None:
            self._backlog = deque()
        if len(self._backlog) >= MAX_BACKLOG or self._backlog_bytes > MAX_BACKLOG_BYTES:
            if self._protocol.ledger.pushes_dropped == 0:
                log.warning(
                    "a handler of %s is too slow: %d pushes of %d bytes wait, dropping the next ones",
                    event,
                    len(self._backlog),
                    self._backlog_bytes,
                )
            self._protocol.ledger.pushes_dropped += 1
            return
        self._backlog.append((event, body, size))
        self._backlog_bytes += size
        if self._drain is None:
            self._drain = gevent.spawn(self._run_handlers)

    def _run_handlers(self) -> None:
        try:
            while self._backlog:
                event, body, size = self._backlog.popleft()
                self._backlog_bytes -= size
                self._handle(event, body)
        finally:
            self._drain = None

    def _handle(self, event: str, body: Any) -> None:
        for handler in self._handlers.get(event, ()):
            try:
                handler(body)
            except gevent.GreenletExit:
                raise
            except BaseException as error:  # noqa: BLE001 - such as ``sys.exit``, which would end the process
                FAILURES.failed("handler", event, error, self._observer)


def _add(listeners: dict[str, tuple[T, ...]], event: str, listener: T) -> Callable[[], None]:
    listeners[event] = (*listeners.get(event, ()), listener)

    def remove() -> None:
        left = list(listeners[event])
        if listener in left:
            left.remove(listener)
            listeners[event] = tuple(left)

    return remove


class _Heartbeat:
    """The waiter of an application ping: no caller waits, but a missing pong ends the connection."""

    __slots__ = ("_connection", "_limit")

    def __init__(self, connection: Connection, limit: float) -> None:
        self._connection = connection
        self._limit = limit

    def switch(self, value: Any) -> None:
        """The pong arrived."""

    def throw(self, error: BaseException) -> None:
        """A timeout ends the connection; any other failure has ended it already."""
        if isinstance(error, errors.RequestTimeout):
            self._connection.abort(
                errors.HeartbeatTimeout(1006, f"no pong within {self._limit:g} s of the ping")
            )
