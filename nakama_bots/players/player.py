"""A player: an account, a session, a socket and a persona."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from types import TracebackType
from typing import Self

from nakama_bots import observer as names
from nakama_bots.errors import AlreadyExists, ConnectionClosed
from nakama_bots.observer import Observer
from nakama_bots.players.identity import Identity
from nakama_bots.players.pacing import PacedCalls
from nakama_bots.players.persona import Persona
from nakama_bots.realtime.protocol import Ledger
from nakama_bots.realtime.socket import Socket
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport, Transport
from nakama_bots.session import Session
from nakama_bots.settings.config import Credentials, Target, Timeouts, Tls
from nakama_bots.settings.locales import DEFAULT, Locales


@dataclass(frozen=True, slots=True)
class World:
    """What the players of a process share: the server, how it is spoken to, and who hears of it."""

    target: Target
    credentials: Credentials
    timeouts: Timeouts
    tls: Tls
    observer: Observer
    transport: Callable[[Tls], Transport] = GeventTransport
    """Makes a player's transport: each has a keep-alive connection of its own, as real clients have."""
    locales: Locales = DEFAULT
    """What the personas are drawn from."""


class Player:
    """One bot. ``authenticate`` and ``connect`` raise what the client raises; ``close`` is always allowed.

    ``scenario`` is what its delivery is told apart by, where several run at once.
    """

    def __init__(self, world: World, identity: Identity, scenario: str = "") -> None:
        self.world = world
        self.identity = identity
        self.scenario = scenario
        self.persona = _persona(identity.seed, identity.number, world.locales, identity.worker)
        self.calls = PacedCalls(world.observer)
        self._transport = world.transport(world.tls)
        self.client = Client(
            world.target,
            world.credentials,
            transport=self._transport,
            timeouts=world.timeouts,
            observer=self.calls,
        )
        self._session: Session | None = None
        self._profile_due = False
        self._socket: Socket | None = None

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

        A user name that somebody else has (an account that lost its device id, a human) is told to the observer
        as the failed call it is, and replaced.
        """
        try:
            self._session = self._log_in(self.identity.username)
        except AlreadyExists:
            self._session = self._log_in(self.identity.other_username)
        # Only the first login says that the account is new, and the profile's own request may fail.
        self._profile_due = self._profile_due or self._session.created
        self._write_profile()

    def log_in(self) -> None:
        """``authenticate`` where there is no session."""
        if self._session is None:
            self.authenticate()

    def connect(self, *, create_status: bool = False) -> None:
        """Open a socket with the session, authenticating first where there is none; nothing when it is open."""
        if self.connected:
            return
        self.log_in()
        self._write_profile()
        self._close_socket()
        session = self.client.fresh(self.session)
        self._socket = Socket(
            self.world.target,
            timeouts=self.world.timeouts,
            tls=self.world.tls,
            observer=self.calls,
        )
        self._socket.connect(session, create_status=create_status)

    def forget_session(self) -> None:
        """Log in anew before the next connect: the server no longer accepts this session."""
        self._session = None

    def register(self) -> None:
        """Make the account, and nothing else: the profile is written by ``connect``."""
        self._session = self._log_in(self.identity.username)
        self._profile_due = self._session.created

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

    def _log_in(self, username: str) -> Session:
        return self.client.authenticate_device(
            self.identity.device_id, username=username, vars=self.identity.variables
        )

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
