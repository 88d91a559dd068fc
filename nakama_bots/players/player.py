"""A player: an account, a session, a socket and a persona."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from time import monotonic, perf_counter, time
from typing import TYPE_CHECKING, Final, Self

import gevent

from nakama_bots import observer as names
from nakama_bots.backoff import Backoff
from nakama_bots.errors import (
    AlreadyExists,
    CallError,
    ConnectionClosed,
    HandshakeRefused,
    PermissionDenied,
    SessionExpired,
)
from nakama_bots.net.arrival import TcpPath
from nakama_bots.observer import FinishedCall, Observer
from nakama_bots.players.acting import Acts
from nakama_bots.players.behaviours.driver import Watchdog
from nakama_bots.players.bound import BoundClient
from nakama_bots.players.delivery.codecs import Codec, Exact
from nakama_bots.players.delivery.exchange import Exchange
from nakama_bots.players.identity import Identity
from nakama_bots.players.pacing import PacedCalls
from nakama_bots.players.persona import Persona
from nakama_bots.players.rendezvous import Rendezvous
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.handlers import DISCONNECT, KeptListener
from nakama_bots.realtime.socket import Socket, Tap
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.rest.transports.seam import Transport
from nakama_bots.session import Session
from nakama_bots.settings.locales import DEFAULT, Locales
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

if TYPE_CHECKING:
    from nakama_bots.players.joined import Joined

log = logging.getLogger(__name__)

STALL: Final = 5.0
"""Seconds that a hook of a behaviour may take."""
_RECOVERY: Final = Backoff(attempts=5, first=0.5, most=8.0)
_UNAUTHORIZED: Final = 401
QUEUE_FULL: Final = "session outgoing queue full"
"""The reason of the server's close frame."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of the acts, from the settings of a run. Seconds, ticks a second."""

    tick_rate: float = 10.0
    match_seconds: float = 15.0
    matchmaker_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class World:
    """Shared by the players of a process: the server, its transport, and the observer."""

    target: Target
    credentials: Credentials
    timeouts: Timeouts
    network: Network
    observer: Observer
    transport: Callable[[Network], Transport] = GeventTransport
    """Creates a player's transport: each player has its own keep-alive connection, as real clients have."""
    locales: Locales = DEFAULT
    """The source of the personas."""
    defaults: Defaults = Defaults()
    exchange: Exchange = field(default_factory=Exchange)
    """Measures the deliveries between the players of this process."""
    rendezvous: Rendezvous = field(default_factory=Rendezvous)
    watchdog: Watchdog = field(default_factory=lambda: Watchdog(STALL, log.warning))
    """Finds behaviours that stall."""


class Player(Acts):
    """A bot. ``authenticate`` and ``connect`` raise the client's errors; ``close`` is always allowed.

    After the login its session is renewed before any REST call or connect that needs it: by a refresh
    when it is about to expire, by a new login when both tokens are expired or the server has refused it (logged
    out elsewhere, account deleted). The session stays the same object. A refused call has
    failed; the next one renews.

    Its deliveries are reported under the name ``scenario``.
    """

    delivery: Codec = Exact()
    """How receivers recognise its messages."""
    op_codes: Mapping[int, str] = {}
    """Names of op codes; messages are also counted under these names."""
    adapter: Adapter = TEXT_ADAPTER
    """Encodes the messages of its sockets."""
    allow_reconnect: bool = False
    """True if it reconnects by itself when its connection ends while it plays."""

    def __init__(self, world: World, identity: Identity, scenario: str = "") -> None:
        self.world = world
        self.identity = identity
        self.scenario = scenario
        self.calls = PacedCalls(world.observer)
        self._transport = world.transport(world.network)
        self.client = Client(
            world.target,
            world.credentials,
            transport=self._transport,
            timeouts=world.timeouts,
            observer=self.calls,
            clock=self._server_time,
            log_in=self._log_in,
        )
        self._session: Session | None = None
        # The server's time, from the last login: this machine's clock may be wrong or change.
        self._ahead = time() - monotonic()
        self._profile_due = False
        self._socket: Socket | None = None
        self._socket_user = ""
        self.joined: dict[Joined, None] = {}
        """What it has joined: matches, parties, rooms, followed users."""
        self._taps: dict[KeptListener, None] = {}
        self._on_lost: list[Callable[[], object]] = []
        self._connected_at = perf_counter()
        self._lost_at: float | None = None
        self._end_reported = False
        self._gone: Socket | None = None
        self._online = False
        self._status: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def user_id(self) -> str:
        """Its user id."""
        return self.session.user_id

    @cached_property
    def persona(self) -> Persona:
        """Its profile and how well it plays; drawn when it is first used."""
        return self._drawn()

    @cached_property
    def api(self) -> BoundClient:
        """Every REST operation, with the player's session, which is renewed when needed."""
        return BoundClient(self)

    @property
    def session(self) -> Session:
        """The session; ``RuntimeError`` before ``authenticate``."""
        if self._session is None:
            raise RuntimeError("the player has no session: call authenticate() first")
        return self._session

    @property
    def has_session(self) -> bool:
        """Whether it has logged in."""
        return self._session is not None

    @property
    def socket(self) -> Socket:
        """The socket; ``ConnectionClosed`` if the player never connected."""
        if self._socket is None:
            raise ConnectionClosed(1006, "not connected")
        return self._socket

    @property
    def connected(self) -> bool:
        """True if the socket is open."""
        return self._socket is not None and self._socket.connected

    @property
    def lost(self) -> CallError | None:
        """How the newest connection ended; None while it is open, and before the first."""
        return self._socket.error if self._socket is not None else None

    @property
    def pending(self) -> int:
        """Number of cids that wait for their answer."""
        return self._socket.pending if self._socket is not None else 0

    @property
    def unread(self) -> int:
        """Bytes in the socket's receive buffer."""
        return self._socket.unread if self._socket is not None else 0

    @property
    def path(self) -> TcpPath | None:
        """TCP's own measurements of the network to the server; None if there are none."""
        return self._socket.path if self._socket is not None else None

    @property
    def session_id(self) -> str:
        """The server's id of the connection; "" until it has joined a match or a party."""
        own = (
            one["session_id"]
            for joined in self.joined
            for one in joined.presences.sessions.values()
            if one["user_id"] == self.user_id
        )
        return next(own, "")

    def authenticate(self) -> None:
        """Log in with the identity's device id; a new account gets its persona, once.

        A user name that another account has (a human, or an account that lost its device id) is reported to the
        observer as a failed call, and replaced.
        """
        self._log_in(self._session)
        self._write_profile()

    def log_in(self) -> None:
        """Authenticate if there is no session, and write the profile if it is due."""
        if self._session is None:
            self._log_in(None)
        self._write_profile()

    def connect(self, *, create_status: bool = False) -> None:
        """Open a socket with the session, authenticating first if there is none. Does nothing if it is open.

        An open socket of another user is replaced: the account was deleted and created again.
        """
        self.log_in()
        if self.connected and self._socket_user == self.session.user_id:
            return
        session = self.client.fresh(self.session)
        self._write_profile()  # for an account that was created again
        self.disconnect()
        socket = self._socket = Socket(
            self.world.target,
            timeouts=self.world.timeouts,
            network=self.world.network,
            observer=self.calls,
            adapter=self.adapter,
        )
        for heard in self._taps:
            heard.remove = socket.tap(heard.event, heard.call)
        socket.on(DISCONNECT, lambda _: self._went_away(socket))
        self._socket_user = session.user_id
        try:
            socket.connect(session, create_status=create_status)
        except HandshakeRefused as error:
            if error.status == _UNAUTHORIZED:
                session.stale = True
            raise
        self._online, self._status, self._lost_at = create_status, None, None
        self._connected_at, self._end_reported = perf_counter(), False

    def tap(self, event: str, tap: Tap) -> Callable[[], None]:
        """Like ``Socket.tap``, for this connection and all later ones. Returns a function that removes it."""
        heard = KeptListener(event, tap)
        if self._socket is not None:
            heard.remove = self._socket.tap(event, tap)
        self._taps[heard] = None

        def remove() -> None:
            self._taps.pop(heard, None)
            heard.remove()

        return remove

    def on_lost(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call ``call`` whenever a connection has ended, wanted or not. Returns a function that removes it."""
        self._on_lost.append(call)
        return lambda: self._on_lost.remove(call)

    def show(self, status: str | None) -> None:
        """Set the player's status; None is offline."""
        self.socket.update_status(status)
        self._status = status

    def cut(self) -> None:
        """Drop the connection without a close handshake. ``reconnect`` opens another."""
        if self._socket is not None:
            self._socket.cut()
        self.disconnect()

    def reconnect(self) -> None:
        """Drop the connection if there is one, open another, and rejoin what the player had joined.

        Status, matches, parties, rooms and followed users are joined again. The seconds since the connection
        ended are the sample ``reconnect``. A session that the server refuses is replaced by a new login, once:
        ``PermissionDenied`` for a banned user.
        """
        status, online = self._status, self._online
        self.disconnect()
        started = perf_counter() if self._lost_at is None else self._lost_at
        try:
            try:
                self.connect(create_status=online)
            except HandshakeRefused as error:
                if error.status != _UNAUTHORIZED:
                    raise
                self.connect(create_status=online)
            if status is not None:
                self.show(status)
            for one in list(self.joined):
                one.rejoin()
        except CallError as error:
            self._status, self._online = status, online
            self.calls.count(names.RECONNECTS_FAILED)
            if isinstance(error, SessionExpired) and isinstance(error.__cause__, PermissionDenied):
                raise error.__cause__ from None  # the server's answer, such as for a banned user
            raise
        self.calls.count(names.RECONNECTS)
        self.calls.sample(names.RECONNECT, perf_counter() - started)

    def recover(self) -> None:
        """Reconnect after the connection has ended if ``allow_reconnect`` is set; else raise how it ended.

        Up to five attempts, with growing, jittered pauses; the last failure is raised. Without
        ``allow_reconnect`` the end is reported as a failed ``WS hold`` since the connect, once per connection:
        no call may have waited for an answer.
        """
        cause = self.lost or ConnectionClosed(1006, "not connected")
        if not self.allow_reconnect:
            elapsed = (perf_counter() if self._lost_at is None else self._lost_at) - self._connected_at
            error = cause.for_call("hold", elapsed)
            if not self._end_reported:
                self._end_reported = True
                self.calls.call(FinishedCall("WS", "hold", self._connected_at, elapsed, 0, error))
            raise error
        for wait in _RECOVERY.waits():
            gevent.sleep(wait)
            try:
                self.reconnect()
            except PermissionDenied:
                raise
            except CallError as error:
                cause = error
            else:
                return
        raise cause

    def register(self) -> None:
        """Create the account only: ``connect`` writes the profile."""
        self._enter(self._authenticate(self.identity.username), self._session)

    def refresh(self) -> None:
        """Refresh the session."""
        self._session = self.client.session_refresh(self.session)

    def disconnect(self) -> None:
        """Close the socket only, and report its ledger. Idempotent; ``connect`` opens another."""
        socket = self._socket
        if socket is None:
            return
        try:
            socket.close()
        finally:
            self._went_away(socket)
            self._socket = None
            for name, number in socket.ledger.counts().items():
                if number:
                    self.world.observer.count(name, number)

    def close(self) -> None:
        """Close the socket and the REST connection. Idempotent; the player may connect again."""
        try:
            self.disconnect()
        finally:
            self._transport.close()

    def _log_in(self, session: Session | None) -> None:
        """Log in; the new tokens go into ``session`` if there is one."""
        try:
            fresh = self._authenticate(self.identity.username)
        except AlreadyExists:
            fresh = self._authenticate(self.identity.other_username)
        self._enter(fresh, session)

    def _authenticate(self, username: str) -> Session:
        return self.client.authenticate_device(
            self.identity.device_id, username=username, vars=self.identity.variables
        )

    def _enter(self, fresh: Session, session: Session | None) -> None:
        # A token has whole seconds: renew it a second early rather than have it refused.
        self._ahead = (fresh.created_at + 1 if fresh.created_at else time()) - monotonic()
        # Only the first login reports a new account, and the profile's own request may fail.
        self._profile_due = self._profile_due or fresh.created
        if session is None:
            self._session = fresh
        else:
            session.update(fresh.token, fresh.refresh_token)
            session.created = fresh.created

    def _drawn(self) -> Persona:
        identity = self.identity
        return _persona(identity.seed, identity.number, self.world.locales, identity.worker)

    def _server_time(self) -> float:
        return monotonic() + self._ahead

    def _write_profile(self) -> None:
        if not self._profile_due:
            return
        self.client.update_account(self.session, self._drawn().profile)
        self._profile_due = False

    def _went_away(self, socket: Socket) -> None:
        """The connection has ended; notify everything that the player has joined, once."""
        if socket is not self._socket or self._gone is socket:
            return
        self._gone = socket
        if isinstance(socket.error, ConnectionClosed) and socket.error.reason == QUEUE_FULL:
            self.calls.count(names.QUEUE_FULL_CLOSES)
        if self._lost_at is None:
            self._lost_at = perf_counter()
        for call in list(self._on_lost):
            call()


@lru_cache(maxsize=4096)
def _persona(seed: int, number: int, locales: Locales, worker: int) -> Persona:
    # A persona takes half a millisecond to draw, most of a player's cost: arrivals reuse accounts often.
    return Persona.of(seed, number, locales, worker=worker)
