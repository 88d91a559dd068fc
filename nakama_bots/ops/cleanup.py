"""Finds the accounts that bots with a prefix have created, and deletes them and the groups they own.

The client API cannot list accounts, so the search tries every identity with a login that creates nothing.
Deletion goes from the highest number down, so that a second cleanup finds what an interrupted one left
without any saved state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from itertools import count, islice
from time import perf_counter
from typing import Any, Final, ParamSpec, TypeVar

import gevent
from gevent.event import Event
from gevent.pool import Pool

from nakama_bots.backoff import Backoff
from nakama_bots.errors import (
    CallError,
    ConnectionClosed,
    ConnectionFailed,
    InternalError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RequestTimeout,
    ResourceExhausted,
    SessionExpired,
    Unauthenticated,
    Unavailable,
)
from nakama_bots.players.identity import Identity
from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.types.account import Account
from nakama_bots.types.groups import GroupState

P = ParamSpec("P")
T = TypeVar("T")

CONCURRENCY: Final = 8
_BACKOFF: Final = Backoff(attempts=3, first=1.0, most=4.0, least=0.25)
_PAGE: Final = 100
_TRANSIENT: Final = (
    ConnectionClosed, ConnectionFailed, InternalError, RequestTimeout, ResourceExhausted, Unavailable
)  # fmt: skip
# Errors that a retry with a new login can solve: an expired session, a group that another bot deleted.
_STALE: Final = (InvalidArgument, SessionExpired, Unauthenticated)
GONE: Final = (ConnectionFailed, ConnectionClosed, RequestTimeout, Unavailable)
"""Errors of a server that is gone."""

_OTHER_IDENTITIES: Final = (
    "facebook_id", "google_id", "gamecenter_id", "steam_id", "facebook_instant_game_id", "apple_id"
)  # fmt: skip


class By(StrEnum):
    """The kind of identity that the bots log in with."""

    DEVICE = "device"
    CUSTOM = "custom"


class Fate(Enum):
    """What happens to a group in which a bot is superadmin."""

    DELETE = "deleted with its owner"
    LEAVE = "left: it has another superadmin"
    KEEP = "kept with its owner: it has other members"
    GONE = "does not exist any more"


@dataclass(frozen=True, slots=True)
class AccountSearch:
    """The identities to try: those of ``seeds``, or ``ids``.

    For each worker, numbers count up from 0 until ``misses`` in a row have no account; for each seed, workers
    count up from 0 until ``worker_misses`` in a row have none.
    """

    prefix: str
    seeds: Sequence[int] = (1,)
    misses: int = 50
    worker_misses: int = 3
    by: By = By.DEVICE
    ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BotAccount:
    """An account with the prefix, and the groups in which it is superadmin."""

    id: str
    user_id: str
    session: Session = field(repr=False)
    groups: tuple[str, ...]


@dataclass(slots=True)
class CleanupTally:
    """What was found, deleted and kept."""

    tried: int = 0
    bots: list[BotAccount] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    """Groups to be deleted with their owners."""
    deleted: int = 0
    groups_deleted: int = 0
    kept: dict[str, str] = field(default_factory=dict)
    """Reason by id for accounts that the prefix does not own alone."""
    failed: dict[str, str] = field(default_factory=dict)
    """Error by id, after the last attempt."""


class Pace:
    """Limits all greenlets together to ``rate`` requests a second."""

    def __init__(self, rate: float) -> None:
        self._period = 1.0 / rate
        self._next = perf_counter()

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        now = perf_counter()
        at = max(now, self._next)
        self._next = at + self._period
        gevent.sleep(at - now)


class Cleaner:
    """One cleanup: ``find``, then optionally ``delete``. Both raise the ``CallError`` that ends the cleanup.

    ``stop`` may be set at any time: requests in progress finish, and no new ones start.
    """

    def __init__(
        self,
        client: Client,
        search: AccountSearch,
        *,
        rate: float,
        on_progress: Callable[[CleanupTally], object],
        groups_with_others: bool = False,
    ) -> None:
        self.tally = CleanupTally()
        self.stop = Event()
        self._client = client
        self._search = search
        self._pace = Pace(rate)
        self._on_progress = on_progress
        self._groups_with_others = groups_with_others
        self._own: set[str] = set()
        self._fatal: CallError | None = None

    def find(self) -> None:
        """Fill ``tally.bots``, lowest number first, and ``tally.groups``. Deletes nothing.

        A group with other members is kept together with its owner, unless ``groups_with_others``.
        """
        if self._search.ids:
            self._look_at(iter(self._search.ids), len(self._search.ids))
        else:
            for seed in self._search.seeds:
                self._find_workers(seed)
        self._raise()
        self._own = {bot.user_id for bot in self.tally.bots}
        owners = [] if self.stop.is_set() else [bot for bot in self.tally.bots if bot.groups]
        for bot in owners:
            fates = self._fates(bot)
            if Fate.KEEP in fates.values():
                self._keep(bot)
                self.tally.bots.remove(bot)
            else:
                self.tally.groups |= {group for group, fate in fates.items() if fate is Fate.DELETE}

    def delete(self) -> None:
        """Delete what ``find`` has found, highest number first."""
        # In order, a few at a time: an interrupt leaves no gap at which the next search would stop.
        pool = Pool(CONCURRENCY)
        for bot in reversed(self.tally.bots):
            if self.stop.is_set():
                break
            pool.spawn(self._guarded, self._delete_surely, bot)
        pool.join()
        self._raise()

    def _find_workers(self, seed: int) -> None:
        empty = 0
        for worker in count():
            if empty == self._search.worker_misses or self.stop.is_set():
                return
            ids = (Identity(self._search.prefix, seed, worker, number).device_id for number in count())
            empty = 0 if self._look_at(ids, self._search.misses) else empty + 1

    def _look_at(self, ids: Iterator[str], misses: int) -> int:
        """Try ``ids`` until ``misses`` in a row have no account; returns how many had one."""
        found = missed = 0
        while missed < misses and not self.stop.is_set():
            batch = list(islice(ids, CONCURRENCY))
            if not batch:
                break
            looks = [gevent.spawn(self._guarded, self._look, one) for one in batch]
            gevent.joinall(looks)
            for look in looks:
                there, bot = look.value or (False, None)
                self.tally.bots += [bot] if bot is not None else []
                found += there
                missed = 0 if there else missed + 1
            self.tally.tried += len(batch)
            self._on_progress(self.tally)
        return found

    def _look(self, id: str) -> tuple[bool, BotAccount | None]:  # noqa: A002
        """Whether the id has an account, and the bot if it belongs to the prefix."""
        for wait in (*_BACKOFF.waits(), None):
            try:
                return True, self._bot(id)
            except NotFound:
                return False, None
            except PermissionDenied as error:
                self.tally.kept[id] = f"login is not allowed ({error.message})"
                return True, None
            except _TRANSIENT:
                if wait is None or self.stop.is_set():
                    raise
                self.stop.wait(wait)
        raise AssertionError("unreachable")

    def _bot(self, id: str) -> BotAccount | None:  # noqa: A002
        """The bot with this id; None, with a reason in the tally, when the prefix does not own it alone."""
        custom = self._search.by is By.CUSTOM
        login = self._client.authenticate_custom if custom else self._client.authenticate_device
        session = self._call(login, id, create=False)
        account = self._call(self._client.get_account, session)
        reason = self._not_ours(account)
        if reason:
            self.tally.kept[id] = reason
            return None
        user_id = account["user"]["id"]

        def page(cursor: str | None) -> tuple[list[str], str]:
            answer = self._client.list_user_groups(session, user_id, GroupState.SUPERADMIN, _PAGE, cursor)
            return [row["group"]["id"] for row in answer.get("user_groups", ())], answer.get("cursor", "")

        return BotAccount(id, user_id, session, tuple(self._pages(page)))

    def _not_ours(self, account: Account[Any]) -> str:
        """Why the prefix does not own the account alone, by the server's answer; "" when it does."""
        own = [device["id"] for device in account.get("devices", ())]
        own += [account["custom_id"]] if "custom_id" in account else []
        foreign = sum(not one.startswith(f"{self._search.prefix}-") for one in own)
        if foreign == len(own):
            return "none of its ids has the prefix"
        user: Mapping[str, object] = account["user"]
        if foreign or account.get("email") or any(user.get(name) for name in _OTHER_IDENTITIES):
            return "it has another login as well"
        return ""

    def _fates(self, bot: BotAccount) -> dict[str, Fate]:
        """What happens to each group in which ``bot`` is superadmin."""
        return {group_id: self._fate(self._members(bot, group_id)) for group_id in bot.groups}

    def _fate(self, members: Mapping[str, int]) -> Fate:
        others = members.keys() - self._own
        if not members:
            return Fate.GONE
        if any(members[other] == GroupState.SUPERADMIN for other in others):
            return Fate.LEAVE
        return Fate.KEEP if others and not self._groups_with_others else Fate.DELETE

    def _keep(self, bot: BotAccount) -> None:
        self.tally.kept[bot.id] = "it owns a group with other members"

    def _members(self, bot: BotAccount, group_id: str) -> dict[str, int]:
        """State by user id of every member of the group; banned users are not members."""

        def page(cursor: str | None) -> tuple[list[tuple[str, int]], str]:
            answer = self._client.list_group_users(bot.session, group_id, None, _PAGE, cursor)
            rows = [(row["user"]["id"], row["state"]) for row in answer.get("group_users", ())]
            return rows, answer.get("cursor", "")

        return {user: state for user, state in self._pages(page) if state <= GroupState.MEMBER}

    def _delete_surely(self, bot: BotAccount) -> None:
        """Delete one bot, with retries after transient errors; a refusal concerns only this account."""
        there: BotAccount | None = bot
        for attempt, wait in enumerate((*_BACKOFF.waits(), None)):
            try:
                if attempt:
                    # The answer to its deletion may have been lost, or its session may have expired.
                    there = self._bot(bot.id)
                if there is not None:
                    self._delete(there)
            except NotFound:
                self.tally.deleted += 1
            except CallError as error:
                again = wait is not None and not self.stop.is_set()
                if again and isinstance(error, _STALE + _TRANSIENT):
                    self.stop.wait(wait)
                    continue
                if isinstance(error, GONE):
                    raise
                self.tally.failed[bot.id] = str(error)
            break
        self._on_progress(self.tally)

    def _delete(self, bot: BotAccount) -> None:
        # Checked again: a user may have joined since the search.
        fates = self._fates(bot)
        if Fate.KEEP in fates.values():
            self._keep(bot)
            return
        for group_id, fate in fates.items():
            if fate is Fate.LEAVE:
                self._call(self._client.leave_group, bot.session, group_id)
            elif fate is Fate.DELETE:
                self._call(self._client.delete_group, bot.session, group_id)
                self.tally.groups_deleted += 1
        self._call(self._client.delete_account, bot.session)
        self.tally.deleted += 1

    def _pages(self, page: Callable[[str | None], tuple[list[T], str]]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            rows, cursor = self._call(page, cursor)
            yield from rows
            if not cursor:
                return

    def _call(self, call: Callable[P, T], *positional: P.args, **named: P.kwargs) -> T:
        self._pace.wait()
        return call(*positional, **named)

    def _guarded(self, work: Callable[[Any], T], argument: Any) -> T | None:
        """Run ``work``; an error ends the cleanup, which raises it later, because gevent would print it."""
        try:
            return work(argument)
        except CallError as error:
            self._fatal = self._fatal or error
            self.stop.set()
            return None

    def _raise(self) -> None:
        if self._fatal is not None:
            raise self._fatal
