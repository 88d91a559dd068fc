"""From a ticket to a match, timed from the cause: the add to the push that answers it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Self, TypeAlias

import gevent

from nakama_bots import observer as names
from nakama_bots.errors import Abandoned, CallError, RealtimeError, RequestTimeout
from nakama_bots.players.player import Player
from nakama_bots.types.realtime import MatchmakerMatched, MatchmakerTicket

MATCHED: Final = "matchmaker_matched"
PUSH: Final = "PUSH"

_Push: TypeAlias = tuple[MatchmakerMatched, float, int]
"""A push, when it was read, its bytes."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a player looks for; see Nakama's matchmaker for ``query`` and properties."""

    query: str = "*"
    min_count: int = 2
    max_count: int = 2
    string_properties: Mapping[str, str] | None = None
    numeric_properties: Mapping[str, float] | None = None
    count_multiple: int | None = None

    @classmethod
    def among(cls, mode: str, id_prefix: str, min_count: int, max_count: int) -> Self:
        """A ticket that only tickets of the same mode and prefix match: no human is matched with such a bot."""
        # One alphanumeric word: the server's query language splits or negates at most other characters.
        group = f"bots{zlib.crc32(f'{id_prefix}/{mode}'.encode()):08x}"
        return cls(f"+properties.group:{group}", min_count, max_count, {"group": group})


def find_opponents(player: Player, ticket: Ticket, timeout: float) -> MatchmakerMatched:
    """Add ``ticket`` and wait until it is matched, at most ``timeout`` seconds after the add.

    Told to the observer as ``PUSH matchmaker_matched``, from the send of the add to the read of the push. A
    ticket that is not matched in time is removed, and the ``RequestTimeout`` raised.
    """
    return find(player, lambda: add_ticket(player, ticket)["ticket"], player.socket.remove_matchmaker, timeout)


def find(
    player: Player, add: Callable[[], str], remove: Callable[[str], object], timeout: float
) -> MatchmakerMatched:
    """``find_opponents`` for a ticket that ``add`` adds and tells, and ``remove`` takes back."""
    observer = player.world.observer
    early: dict[str, _Push] = {}
    untap = player.socket.tap(
        MATCHED, lambda body, read_at, size: early.update({body.get("ticket", ""): (body, read_at, size)})
    )
    started = perf_counter()
    try:
        own = add()
    finally:
        untap()
    observer.count(names.TICKETS_ADDED)
    if own in early:
        # The matchmaker ran between the add and its reply.
        matched, read_at, size = early[own]
        observer.call(PUSH, MATCHED, started, read_at - started, size, None)
    else:
        matched = _await_match(player, own, started, timeout, remove)
    observer.count(names.TICKETS_MATCHED)
    observer.count(f"{names.MATCH_SIZE_PREFIX}{len(matched.get('users', ()))}")
    return matched


def cancel_ticket(player: Player, ticket: Ticket, after: float) -> bool:
    """Add ``ticket`` and take it back ``after`` seconds later; True unless it was matched meanwhile."""
    observer = player.world.observer
    with player.socket.expect(MATCHED) as expectation:
        own = add_ticket(player, ticket)["ticket"]
        observer.count(names.TICKETS_ADDED)
        gevent.sleep(after)
        # Matched this moment, it is unknown: the same end as matched before.
        with player.calls.provoking("matched_meanwhile", RealtimeError):
            try:
                player.socket.remove_matchmaker(own)
            except RealtimeError:
                observer.count(names.TICKETS_MATCHED)
                observer.count(f"{names.MATCH_SIZE_PREFIX}{len(expectation.wait().get('users', ()))}")
                return False
    observer.count(names.TICKETS_CANCELLED)
    return True


def add_ticket(player: Player, ticket: Ticket) -> MatchmakerTicket:
    """Put ``ticket`` into the pool."""
    return player.socket.add_matchmaker(
        ticket.query,
        ticket.min_count,
        ticket.max_count,
        ticket.string_properties,
        ticket.numeric_properties,
        ticket.count_multiple,
    )


def _await_match(
    player: Player, ticket: str, started: float, timeout: float, remove: Callable[[str], object]
) -> MatchmakerMatched:
    """Wait for the push of ``ticket``; a push of an earlier ticket, removed too late, is not taken for it."""
    observer = player.world.observer
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
            # Told to the observer like every request; a ticket that was matched this moment is unknown.
            with suppress(CallError):
                remove(ticket)
            raise
        except CallError as error:
            failure = error
            raise
        finally:
            if failure is not None:
                observer.count(outcome)
            ended = expectation.read_at or perf_counter()
            observer.call(PUSH, MATCHED, started, ended - started, expectation.size, failure)
    return matched
