"""A player: an account, a session, a socket and a persona."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from time import monotonic, time
from types import TracebackType
from typing import Final, Self

from nakama_bots import observer as names
from nakama_bots.errors import AlreadyExists, ConnectionClosed, HandshakeRefused
from nakama_bots.observer import Observer
from nakama_bots.players.identity import Identity
from nakama_bots.players.pacing import PacedCalls
from nakama_bots.players.persona import Persona
from nakama_bots.realtime.protocol import Ledger
from nakama_bots.realtime.socket import Socket
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport, Transport
from nakama_bots.session import Session
from nakama_bots.settings.locales import DEFAULT, Locales
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class World:
    """What the players of a process share: the server, how it is spoken to, and who hears of it."""

    target: Target
    credentials: Credentials
    timeouts: Timeouts
    network: Network
    observer: Observer
    transport: Callable[[Network], Transport] = GeventTransport
    """Makes a player's transport: each has a keep-alive connection of its own, as real clients have."""
    locales: Locales = DEFAULT
    """What the personas are drawn from."""


class Player:
    """One bot. ``authenticate`` and ``connect`` raise what the client raises; ``close`` is always allowed.

    Once it has logged in, its session is renewed before any REST call or connect that needs it: by a refresh
    when it is about to expire, by a new login when both tokens are expired or the server has refused it (logged
    out elsewhere, account deleted). The session stays the same object. A call that the server refuses has
    failed; the next one renews.

    ``scenario`` is what its delivery is told apart by, where several run at once.
    """

    def __init__(self, world: World, identity: Identity, scenario: str = "") -> None:
        self.world = world
        self.identity = identity
        self.scenario = scenario
        self.persona = _persona(identity.seed, identity.number, world.locales, identity.worker)
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
        # Of the server, by its last login: the clock of this machine may be wrong, or be set.
        self._ahead = time() - monotonic()
        self._profile_due = False
        self._socket: Socket | None = None
        self._socket_user = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def session(self) -> Session:
        """The session; ``authenticate`` comes first."""
        if self._session is None:
            raise RuntimeError("the player has no session: call authenticate() first")
        return self._session

    @property
    def socket(self) -> Socket:
        """The socket; a ``ConnectionClosed`` when the player never connected."""
        if self._socket is None:
            raise ConnectionClosed(1006, "not connected")
        return self._socket

    @property
    def connected(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None and self._socket.connected

    @property
    def pending(self) -> int:
        """How many cids wait for their answer."""
        return self._socket.pending if self._socket is not None else 0

    @property
    def unread(self) -> int:
        """Bytes that have arrived at the socket and wait to be read."""
        return self._socket.unread if self._socket is not None else 0

    def authenticate(self) -> None:
        """Log in with the identity's device id; a new account gets its persona, once.

        A user name that somebody else has (an account that lost its device id, a human) is reported to the
        observer as the failed call it is, and replaced.
        """
        self._log_in(self._session)
        self._write_profile()

    def log_in(self) -> None:
        """``authenticate`` where there is no session; a profile that is due is written."""
        if self._session is None:
            self.authenticate()
        else:
            self._write_profile()

    def connect(self, *, create_status: bool = False) -> None:
        """Open a socket with the session, authenticating first where there is none; nothing when it is open.

        An open socket is replaced when it is another user's: the account was deleted and made anew.
        """
        self.log_in()
        if self.connected and self._socket_user == self.session.user_id:
            return
        session = self.client.fresh(self.session)
        self._write_profile()  # of an account that was made anew
        self._close_socket()
        self._socket = Socket(
            self.world.target,
            timeouts=self.world.timeouts,
            network=self.world.network,
            observer=self.calls,
        )
        self._socket_user = session.user_id
        try:
            self._socket.connect(session, create_status=create_status)
        except HandshakeRefused as error:
            if error.status == _UNAUTHORIZED:
                session.stale = True
            raise

    def register(self) -> None:
        """Make the account, and nothing else: the profile is written by ``connect``."""
        self._enter(self._authenticate(self.identity.username), self._session)

    def refresh(self) -> None:
        """A new token for the session."""
        self._session = self.client.session_refresh(self.session)

    def disconnect(self) -> None:
        """Close the socket only. Idempotent; ``connect`` opens another."""
        self._close_socket()

    def close(self) -> None:
        """Close the socket and the REST connection. Idempotent; the player may connect again."""
        try:
            self._close_socket()
        finally:
            self._transport.close()

    def _log_in(self, session: Session | None) -> None:
        """A new login, whose tokens go into ``session`` if there is one."""
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
        # A token has whole seconds: rather renewed a second early than refused.
        self._ahead = (fresh.created_at + 1 if fresh.created_at else time()) - monotonic()
        # Only the first login says that the account is new, and the profile's own request may fail.
        self._profile_due = self._profile_due or fresh.created
        if session is None:
            self._session = fresh
        else:
            session.update(fresh.token, fresh.refresh_token)
            session.created = fresh.created

    def _server_time(self) -> float:
        return monotonic() + self._ahead

    def _write_profile(self) -> None:
        if not self._profile_due:
            return
        self.client.update_account(self.session, self.persona.profile)
        self._profile_due = False

    def _close_socket(self) -> None:
        """Close the socket, and hand its ledger to the observer."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        try:
            socket.close()
        finally:
            _report(socket.ledger, self.world.observer)


@lru_cache(maxsize=4096)
def _persona(seed: int, number: int, locales: Locales, worker: int) -> Persona:
    # Half a millisecond to draw, nearly all that a player takes: arrivals use an account again and again.
    return Persona.of(seed, number, locales, worker=worker)


def _report(ledger: Ledger, observer: Observer) -> None:
    for field in fields(ledger):
        number = getattr(ledger, field.name)
        if number:
            observer.count(names.LEDGER_PREFIX + field.name, number)
