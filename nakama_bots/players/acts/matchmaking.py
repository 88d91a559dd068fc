"""Matchmaking, timed from the send of the add to the push that answers it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypedDict

import orjson

from nakama_bots import observer as names
from nakama_bots.errors import (
    Abandoned,
    CallError,
    ConfigError,
    MatchJoinRejected,
    RequestTimeout,
)
from nakama_bots.net.arrival import time_since
from nakama_bots.observer import FinishedCall
from nakama_bots.players.inbox import PUSH

if TYPE_CHECKING:
    from nakama_bots.players.player import Player
    from nakama_bots.types.realtime import MatchmakerMatched, MatchmakerTicket, PartyMatchmakerTicket
    from nakama_bots.types.realtime import RealtimeMatch as MatchBody

MATCHED: Final = "matchmaker_matched"
MATCH_FULL: Final = "match_full"
_TRIES: Final = 20

_Push: TypeAlias = "tuple[MatchmakerMatched, float, int]"
"""A push, the time of its read, and its size in bytes."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The criteria of a player's search; see Nakama's matchmaker for ``query`` and properties."""

    query: str = "*"
    min_count: int = 2
    max_count: int = 2
    string_properties: Mapping[str, str] | None = None
    numeric_properties: Mapping[str, float] | None = None
    count_multiple: int | None = None

    @classmethod
    def among(cls, mode: str, id_prefix: str, min_count: int, max_count: int) -> Self:
        """A ticket that matches only tickets with the same mode and prefix, so never a human's."""
        # One alphanumeric word: the server's query language splits or negates at most other characters.
        group = f"bots{zlib.crc32(f'{id_prefix}/{mode}'.encode()):08x}"
        return cls(f"+properties.group:{group}", min_count, max_count, {"group": group})


class Criteria(TypedDict, total=False):
    """What a player searches for: ``players``, or ``min_count`` and ``max_count``, and more for the ticket."""

    players: int | None
    min_count: int | None
    max_count: int | None
    count_multiple: int | None
    query: str
    properties: Mapping[str, str | float] | None


def ticket_of(
    player: Player,
    mode: str,
    *,
    players: int | None = None,
    min_count: int | None = None,
    max_count: int | None = None,
    count_multiple: int | None = None,
    query: str = "",
    properties: Mapping[str, str | float] | None = None,
) -> Ticket:
    """A ticket that finds only tickets with the same mode and id prefix; ``ConfigError`` for bad numbers."""
    least = min_count if min_count is not None else players if players is not None else 2
    most = max_count if max_count is not None else players if players is not None else least
    if not 2 <= least <= most:
        raise ConfigError("players", f"{least} to {most}", "numbers of players from 2 on, the least first")
    group = Ticket.among(mode, player.identity.prefix, least, most)
    given = properties or {}
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    numbers = {name: float(value) for name, value in given.items() if not isinstance(value, str)}
    return Ticket(
        f"{group.query} {query}".strip(), least, most, {**(group.string_properties or {}), **texts},
        numbers or None, count_multiple,
    )  # fmt: skip


def joining(player: Player, search: Callable[[], MatchmakerMatched]) -> Callable[[], tuple[MatchBody, int]]:
    """Finds a match by ``search`` and joins it: by the id from a server hook, else by the token."""

    def join() -> tuple[MatchBody, int]:
        matched = search()
        match_id = matched.get("match_id", "")
        match = player.socket.join_match(match_id, token="" if match_id else matched.get("token", ""))
        player.calls.count(names.TICKETS_JOINED)
        return match, len(matched.get("users", ()))

    return join


def join_listed(player: Player, function: str, payload: object = None) -> MatchBody:
    """Join the match that the game's function returns, or the next one if it is full.

    The server's listing lags behind: a match that has filled up meanwhile refuses, which is counted as
    ``provoked.match_full``. ``MatchJoinRejected`` when every match refuses.
    """
    text = "" if payload is None else orjson.dumps(payload).decode()
    with player.calls.provoking(MATCH_FULL, MatchJoinRejected):
        for left in reversed(range(_TRIES)):
            match_id: str = orjson.loads(player.socket.rpc(function, text)["payload"])["match_id"]
            try:
                return player.socket.join_match(match_id)
            except MatchJoinRejected:
                if not left:
                    raise
    raise AssertionError("the last refusal is raised")


def find_opponents(player: Player, ticket: Ticket, timeout: float) -> MatchmakerMatched:
    """Add ``ticket`` and wait until it is matched, at most ``timeout`` seconds after the add.

    Reported to the observer as ``PUSH matchmaker_matched``, from the send of the add to the read of the push. A
    ticket that is not matched in time is removed, and ``RequestTimeout`` is raised.
    """
    return find(player, lambda: add_ticket(player, ticket)["ticket"], player.socket.remove_matchmaker, timeout)


def find(
    player: Player, add: Callable[[], str], remove: Callable[[str], object], timeout: float
) -> MatchmakerMatched:
    """``find_opponents`` for a ticket that ``add`` adds and returns, and ``remove`` removes."""
    observer = player.calls
    early: dict[str, _Push] = {}
    untap = player.socket.tap(
        MATCHED, lambda body, arrived_at, size: early.update({body.get("ticket", ""): (body, arrived_at, size)})
    )
    started = perf_counter()
    try:
        own = add()
    finally:
        untap()
    observer.count(names.TICKETS_ADDED)
    if own in early:
        # The matchmaker ran between the add and its reply.
        matched, arrived_at, size = early[own]
        elapsed, _ = time_since(started, arrived_at, None)
        observer.call(FinishedCall(PUSH, MATCHED, started, elapsed, size, None))
    else:
        matched = _await_match(player, own, started, timeout, remove)
    observer.count(names.TICKETS_MATCHED)
    observer.count(f"{names.MATCH_SIZE_PREFIX}{len(matched.get('users', ()))}")
    return matched


def add_ticket(player: Player, ticket: Ticket, party_id: str = "") -> MatchmakerTicket | PartyMatchmakerTicket:
    """Put ``ticket`` into the pool, for all members of a party if there is one."""
    criteria = (
        ticket.query, ticket.min_count, ticket.max_count, ticket.string_properties, ticket.numeric_properties,
        ticket.count_multiple,
    )  # fmt: skip
    if party_id:
        return player.socket.add_matchmaker_party(party_id, *criteria)
    return player.socket.add_matchmaker(*criteria)


def _await_match(
    player: Player, ticket: str, started: float, timeout: float, remove: Callable[[str], object]
) -> MatchmakerMatched:
    """Wait for the push of ``ticket``; ignores the push of an earlier ticket that was removed too late."""
    observer = player.calls
    socket = player.socket
    failure: CallError | None = Abandoned("stopped before the ticket was matched", operation=MATCHED)
    outcome = names.TICKETS_CANCELLED
    with socket.expect(MATCHED, lambda body: body.get("ticket") == ticket) as expectation:
        try:
            matched: MatchmakerMatched = expectation.wait(max(0.0, started + timeout - perf_counter()))
            failure = None
        except RequestTimeout as error:
            failure = error
            outcome = names.TICKETS_TIMED_OUT
            # Reported to the observer like every request; a ticket matched just now is unknown.
            with suppress(CallError):
                remove(ticket)
            raise
        except CallError as error:
            failure = error
            raise
        finally:
            if failure is not None:
                observer.count(outcome)
            ended = expectation.arrived_at or perf_counter()
            elapsed, waited = time_since(started, ended, expectation.waited)
            observer.call(FinishedCall(PUSH, MATCHED, started, elapsed, expectation.size, failure, waited))
    return matched
