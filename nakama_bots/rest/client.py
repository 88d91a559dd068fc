"""The two levels of the REST client: ``Client`` by ``Session``, ``NakamaApi`` by token and wire objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from nakama_bots.observer import Observer
from nakama_bots.rest.caller import Caller, basic
from nakama_bots.rest.documents import decode
from nakama_bots.rest.families.account import Account
from nakama_bots.rest.families.authentication import Authentication, RawAuthentication
from nakama_bots.rest.families.channels import Channels
from nakama_bots.rest.families.events import Events
from nakama_bots.rest.families.friends import Friends
from nakama_bots.rest.families.groups import Groups
from nakama_bots.rest.families.health import Health
from nakama_bots.rest.families.leaderboards import Leaderboards
from nakama_bots.rest.families.link import Link, Unlink
from nakama_bots.rest.families.matches import Matches
from nakama_bots.rest.families.notifications import Notifications
from nakama_bots.rest.families.purchases import Purchases, RawPurchases
from nakama_bots.rest.families.rpc import Rpc
from nakama_bots.rest.families.storage import RawStorageWrites, Storage, StorageWrites
from nakama_bots.rest.families.tournaments import Tournaments
from nakama_bots.rest.families.users import Users
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
    Account[str, JsonText],
    Channels[str, JsonText],
    Events[str],
    Friends[str, JsonText],
    Groups[str, JsonText],
    Health[str],
    Leaderboards[str, JsonText, str],
    Link[str],
    Matches[str],
    Notifications[str, JsonText],
    Rpc[str, JsonText],
    Storage[str, JsonText],
    Tournaments[str, JsonText, str],
    Unlink[str],
    Users[str, JsonText],
):
    """The raw operations: the text of a bearer token, or basic credentials, in; objects of the wire out.

    What is called ``session`` is the token here. Nothing is refreshed, encoded or decoded; otherwise it is
    as ``Client``.
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
    Authentication,
    Account[Session, Json],
    Channels[Session, Json],
    Events[Session],
    Friends[Session, Json],
    Groups[Session, Json],
    Health[Session],
    Leaderboards[Session, Json, int],
    Link[Session],
    Matches[Session],
    Notifications[Session, Json],
    Purchases[Session],
    Rpc[Session, Json],
    Storage[Session, Json],
    StorageWrites[Session],
    Tournaments[Session, Json, int],
    Unlink[Session],
    Users[Session, Json],
):
    """Operations of one Nakama server.

    A session that is about to expire is refreshed before a call, once for concurrent callers, in place. When
    neither of its tokens is valid, or the server has refused it, ``log_in`` is called with it first: it puts
    the tokens of a new login into it (``Session.update``). Without ``log_in``, a session with no valid token
    is a ``SessionExpired``. Documents (metadata, values, payloads, content) go in and come out as JSON values,
    int64 numbers as ints: see ``rest.documents``.

    Every failure is a ``CallError``; each call is reported to ``observer`` exactly once. ``retry`` sends
    idempotent requests again after a failure, by default never. ``clock`` gives the server's Unix seconds, for
    tokens only. The transport stays its maker's to close. ``api_client`` is the raw level over the same
    transport.
    """

    api_client: NakamaApi

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
        self.api_client = NakamaApi(
            target, transport=transport, timeouts=timeouts, observer=observer, retry=retry
        )
        self._caller = self.api_client._caller
        self._basic = basic(credentials.server_key)
        self._clock = clock
        self._log_in = log_in
        self._renewals = {}

    def _read(self, answer: T) -> T:
        return decode(answer)
