"""A socket that reconnects: after an unwanted end it opens a new connection and restores its state.

Opt-in, and not for load tests: a reconnect hides the failures that a test looks for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

import gevent
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.backoff import Backoff
from nakama_bots.ledger import Ledger
from nakama_bots.observer import RECONNECTS, NullObserver, Observer
from nakama_bots.realtime.api import RealtimeApi
from nakama_bots.realtime.handlers import DISCONNECT, Handler, KeptListener, PushHandlers, check_event
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session

log = logging.getLogger(__name__)

# Counters beside ``RECONNECTS``: refused rejoins, and giving up.
REJOINS_REFUSED: Final = "rejoins_refused"
RECONNECTS_GIVEN_UP: Final = "reconnects_given_up"

# Message -> where the id stands (in the reply, else in the message), how the same is joined again, and what of
# the message is said again.
_JOINS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "channel_join": ("id", "channel_join", ("target", "type", "persistence", "hidden")),
    "match_create": ("match_id", "match_join", ()),
    "match_join": ("match_id", "match_join", ("metadata",)),
    "party_create": ("party_id", "party_join", ()),
    "party_join": ("party_id", "party_join", ()),
}
_LEAVES: Final[Mapping[str, str]] = {
    "channel_leave": "channel_id",
    "match_leave": "match_id",
    "party_leave": "party_id",
    "party_close": "party_id",
}


class ReconnectingSocket(RealtimeApi, PushHandlers):
    """The operations and handlers of ``Socket``, over one connection after another.

    ``make`` returns a new, unconnected ``Socket``; ``session`` returns the session to connect with, such as
    ``lambda: client.fresh(session)``. Every new connection gets all handlers, the last status set, the
    ids of followed users, and the chats, matches and parties that ``keep`` named. No more: matchmaker
    tickets end with their connection, and match state sent in between is lost.

    Without a connection, requests fail as on a closed ``Socket``; none is sent twice.
    ``on_disconnect`` is called for every unwanted end. The waits of ``backoff`` restart once a connection has
    lasted ``most`` seconds. After the last attempt ``given_up`` has its error. It reconnects
    in its own greenlet, which ``close`` stops.
    """

    def __init__(
        self,
        make: Callable[[], Socket],
        session: Callable[[], Session],
        *,
        backoff: Backoff | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.given_up: errors.CallError | None = None
        self._make = make
        self._session = session
        self._backoff = backoff or Backoff()
        self._waits = self._backoff.waits()
        self._observer: Observer = observer or NullObserver()
        self._create_status = False
        self._lang = "en"
        self._socket: Socket | None = None
        self._since = 0.0
        self._past = Ledger()
        self._listeners: list[KeptListener] = []
        self._status: Mapping[str, object] | None = None
        self._followed: dict[str, None] = {}
        self._joined: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._kept: dict[str, None] = {}
        self._worker: gevent.Greenlet[..., None] | None = None
        self._settled = Event()
        self._closed = False

    @property
    def socket(self) -> Socket:
        """The current socket, for ``tap``, ``expect`` and ``wait_for``; ``ConnectionClosed`` before."""
        if self._socket is None:
            raise errors.ConnectionClosed(1006, "not connected")
        return self._socket

    @property
    def connected(self) -> bool:
        """True if there is a connection with everything restored."""
        return self._socket is not None and self._socket.connected

    @property
    def ledger(self) -> Ledger:
        """The outcomes of all cids of all connections so far."""
        return self._past if self._socket is None else self._past.add(self._socket.ledger)

    def connect(self, *, create_status: bool = False, lang: str = "en") -> None:
        """Open the first connection; all later ones use the same options.

        Raises what ``Socket.connect`` raises: only an established connection is replaced. May be called again.
        """
        if self._socket is not None or self._closed:
            msg = "this socket has been connected or closed already"
            raise RuntimeError(msg)
        self._create_status = create_status
        self._lang = lang
        self._take(self._open())

    def wait_connected(self, timeout: float | None = None) -> None:
        """Wait until there is a connection; ``RequestTimeout`` after ``timeout`` seconds.

        Raises ``given_up`` after the last attempt, and ``Abandoned`` if the socket was closed.
        """
        started = perf_counter()
        if not self._settled.wait(timeout):
            elapsed = perf_counter() - started
            raise errors.RequestTimeout(f"no connection within {elapsed:g} s", elapsed=elapsed)
        if self.given_up is not None:
            raise self.given_up
        if self._closed:
            raise errors.Abandoned("the socket was closed by its owner")

    def keep(self, id: str) -> None:
        """Join the chat channel, match or party ``id`` again after a reconnect, until it is left.

        It must have been joined on this socket. If the server refuses the rejoin, it is no longer kept.
        """
        if id not in self._joined:
            accepted = ", ".join(self._joined) or "the id of a channel, match or party that was joined"
            raise errors.ConfigError("id", id, accepted)
        self._kept[id] = None

    def request(self, key: str, body: Mapping[str, object], timeout: float | None = None) -> Any:
        """Like ``Socket.request``; remembers the state to restore once the server has accepted it."""
        reply = self.socket.request(key, body, timeout)
        self._remember(key, body, reply)
        return reply

    def send(self, key: str, body: Mapping[str, object]) -> None:
        """As ``Socket.send``."""
        self.socket.send(key, body)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Like ``Socket.on``, for this connection and all later ones."""
        check_event(event)
        listener = KeptListener(event, handler)
        self._listeners.append(listener)
        if self._socket is not None:
            listener.remove = self._socket.on(event, handler)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                listener.remove()

        return remove

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, or stop reconnecting. Idempotent."""
        self._closed = True
        self._settled.set()
        worker = self._worker
        if worker is not None and worker is not gevent.getcurrent():
            worker.kill()
        if self._socket is not None:
            self._socket.close(code, reason)

    def _open(self) -> Socket:
        """Open a connection and restore everything; the socket is closed if the attempt fails."""
        session = self._session()
        socket = self._make()
        try:
            # First, so that a blocking handler of the user cannot delay it.
            socket.on(DISCONNECT, lambda _: self._lost(socket))
            for listener in self._listeners:
                listener.remove = socket.on(listener.event, listener.call)
            online = self._create_status and self._status is None
            socket.connect(session, create_status=online, lang=self._lang)
            self._restore(socket)
        except BaseException:
            try:
                socket.close()
            finally:
                self._past = self._past.add(socket.ledger)
            raise
        return socket

    def _restore(self, socket: Socket) -> None:
        if self._status is not None:
            socket.request("status_update", self._status)
        if self._followed:
            socket.request("status_follow", {"user_ids": list(self._followed)})
        for name in list(self._kept):
            try:
                socket.request(*self._joined[name])
            except errors.RealtimeError as error:
                log.warning("not joined again: %r", error)
                self._observer.count(REJOINS_REFUSED)
                self._forget(name)

    def _take(self, socket: Socket) -> None:
        """Make ``socket`` the current one."""
        if self._socket is not None:
            self._past = self._past.add(self._socket.ledger)
        self._socket = socket
        self._since = perf_counter()
        if self._closed:  # while it was being opened, from another greenlet
            socket.close()
            raise errors.Abandoned("the socket was closed by its owner")
        self._settled.set()
        if socket.error is not None:
            self._lost(socket)

    def _lost(self, socket: Socket) -> None:
        """The connection has ended. A failed attempt is not the current socket: its greenlet continues."""
        error = socket.error
        if self._closed or error is None or socket is not self._socket or self._worker is not None:
            return
        if perf_counter() - self._since >= self._backoff.most:
            self._waits = self._backoff.waits()
        self._settled.clear()
        self._worker = gevent.spawn(self._reconnect, error)

    def _reconnect(self, failure: errors.CallError) -> None:
        try:
            for wait in self._waits:
                gevent.sleep(wait)
                try:
                    socket = self._open()
                except errors.SessionExpired as error:
                    failure = error
                    break
                except errors.CallError as error:
                    log.info("not connected again: %r", error)
                    failure = error
                    continue
                self._worker = None
                self._observer.count(RECONNECTS)
                with suppress(errors.Abandoned):
                    self._take(socket)
                return
        except Exception as error:
            log.exception("the attempt to connect again failed")
            failure = errors.ConnectionFailed(type(error).__name__)
        finally:
            if self._worker is gevent.getcurrent():
                self._worker = None
        if not self._closed:
            self._observer.count(RECONNECTS_GIVEN_UP)
            self.given_up = failure
            self._settled.set()

    def _remember(self, key: str, body: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        if key in _JOINS:
            id_field, again, said = _JOINS[key]
            name = reply.get(id_field) or body.get(id_field)
            if not isinstance(name, str):  # a reply without an id: nothing to rejoin
                return
            message = {field: body[field] for field in said if field in body}
            if id_field != "id":  # a channel is joined by its target, never by its id
                message[id_field] = name
            self._joined[name] = (again, message)
        elif key in _LEAVES:
            self._forget(body.get(_LEAVES[key], ""))
        elif key == "status_update":
            self._status = dict(body)
        elif key == "status_follow":
            self._followed.update(dict.fromkeys(body.get("user_ids", ())))
        elif key == "status_unfollow":
            for user_id in body.get("user_ids", ()):
                self._followed.pop(user_id, None)

    def _forget(self, name: str) -> None:
        self._joined.pop(name, None)
        self._kept.pop(name, None)
