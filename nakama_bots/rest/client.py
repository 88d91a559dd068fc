"""The two levels of the REST client: ``Client`` by ``Session``, ``NakamaApi`` by token and wire objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from nakama_bots.observer import Observer
from nakama_bots.rest.caller import Caller, basic
from nakama_bots.rest.documents import decode
from nakama_bots.rest.families.account import AccountFamily
from nakama_bots.rest.families.authentication import AuthenticationFamily, RawAuthentication
from nakama_bots.rest.families.channels import ChannelsFamily
from nakama_bots.rest.families.custom import CustomFamily
from nakama_bots.rest.families.events import EventsFamily
from nakama_bots.rest.families.friends import FriendsFamily
from nakama_bots.rest.families.groups import GroupsFamily
from nakama_bots.rest.families.health import HealthFamily
from nakama_bots.rest.families.leaderboards import LeaderboardsFamily
from nakama_bots.rest.families.link import LinkFamily, UnlinkFamily
from nakama_bots.rest.families.matches import MatchesFamily
from nakama_bots.rest.families.notifications import NotificationsFamily
from nakama_bots.rest.families.purchases import PurchasesFamily, RawPurchases
from nakama_bots.rest.families.rpc import RpcFamily
from nakama_bots.rest.families.storage import RawStorageWrites, StorageFamily, StorageWrites
from nakama_bots.rest.families.tournaments import TournamentsFamily
from nakama_bots.rest.families.users import UsersFamily
from nakama_bots.rest.retry import Retry
from nakama_bots.rest.route import Route
from nakama_bots.rest.session import RawSessions, Sessions
from nakama_bots.rest.transports.seam import Transport
from nakama_bots.session import Session
from nakama_bots.settings.target import Credentials, Target, Timeouts
from nakama_bots.types.common import Json, JsonText

T = TypeVar("T")


class NakamaApi(
    RawAuthentication,
    RawSessions,
    RawPurchases[str],
    RawStorageWrites[str],
    AccountFamily[str, JsonText],
    ChannelsFamily[str, JsonText],
    CustomFamily[str],
    EventsFamily[str],
    FriendsFamily[str, JsonText],
    GroupsFamily[str, JsonText],
    HealthFamily[str],
    LeaderboardsFamily[str, JsonText, str],
    LinkFamily[str],
    MatchesFamily[str],
    NotificationsFamily[str, JsonText],
    RpcFamily[str, JsonText],
    StorageFamily[str, JsonText],
    TournamentsFamily[str, JsonText, str],
    UnlinkFamily[str],
    UsersFamily[str, JsonText],
):
    """The raw operations: they take a bearer token or basic credentials and return wire objects.

    ``session`` is the token here. Nothing is refreshed, encoded or decoded; otherwise it is
    like ``Client``.
    """

    def __init__(
        self,
        target: Target,
        *,
        transport: Transport,
        timeouts: Timeouts | None = None,
        observer: Observer | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._caller = Caller(target, transport, timeouts, observer, retry)

    def _bearer(self, route: Route[Any], auth: str) -> str:  # noqa: ARG002
        if not (auth.isascii() and auth.isprintable()):
            # The library that sends would name the token in its own error.
            msg = "the bearer token holds a character that cannot be sent in a header"
            raise ValueError(msg)
        return auth


class Client(
    Sessions,
    AuthenticationFamily,
    AccountFamily[Session, Json],
    ChannelsFamily[Session, Json],
    CustomFamily[Session],
    EventsFamily[Session],
    FriendsFamily[Session, Json],
    GroupsFamily[Session, Json],
    HealthFamily[Session],
    LeaderboardsFamily[Session, Json, int],
    LinkFamily[Session],
    MatchesFamily[Session],
    NotificationsFamily[Session, Json],
    PurchasesFamily[Session],
    RpcFamily[Session, Json],
    StorageFamily[Session, Json],
    StorageWrites[Session],
    TournamentsFamily[Session, Json, int],
    UnlinkFamily[Session],
    UsersFamily[Session, Json],
):
    """Operations of one Nakama server.

    A session that is about to expire is refreshed before a call, once for concurrent callers, in place. When
    neither of its tokens is valid, or the server has refused it, ``log_in`` is called with it first: it puts
    the tokens of a new login into it (``Session.update``). Without ``log_in``, a session with no valid token
    is a ``SessionExpired``. Documents (metadata, values, payloads, content) go in and come out as JSON values,
    int64 numbers as ints: see ``rest.documents``.

    Every failure is a ``CallError``; each call is reported to ``observer`` exactly once. ``retry`` sends
    idempotent requests again after a failure, by default never. ``clock`` gives the server's Unix seconds, for
    tokens only. The creator of the transport closes it.
    """

    def __init__(
        self,
        target: Target,
        credentials: Credentials,
        *,
        transport: Transport,
        timeouts: Timeouts | None = None,
        observer: Observer | None = None,
        retry: Retry | None = None,
        clock: Callable[[], float] = time.time,
        log_in: Callable[[Session], object] | None = None,
    ) -> None:
        self._caller = Caller(target, transport, timeouts, observer, retry)
        self._basic = basic(credentials.server_key)
        self._clock = clock
        self._log_in = log_in
        self._renewals = {}

    @property
    def api_client(self) -> NakamaApi:
        """The raw level over the same transport."""
        api = NakamaApi.__new__(NakamaApi)
        api._caller = self._caller
        return api

    def _read(self, answer: T) -> T:
        return decode(answer)
