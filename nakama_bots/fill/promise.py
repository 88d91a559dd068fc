"""A limit for how long a single human waits in the matchmaker, checked by measuring with two tickets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Final

import gevent
from gevent.event import AsyncResult, Event

from nakama_bots.errors import CallError, ConnectionClosed, RealtimeError, RequestTimeout
from nakama_bots.players.acts.matchmaking import MATCHED, Ticket, add_ticket
from nakama_bots.players.player import Player
from nakama_bots.realtime.handlers import DISCONNECT
from nakama_bots.types.realtime import MatchmakerMatched

PROBE: Final = "nakama_bots_probe"
PROBES: Final = 2
_PARTNER: Final = 30.0
_LONGEST: Final = 300.0
_LATE: Final = 5.0
_ATTEMPTS: Final = 3


class Promise:
    """The promise that a human with a ticket for ``min_count`` to ``max_count`` waits at most ``seconds``.

    With ``max_count`` minus one tickets in the pool, the human is matched in the next run of the matchmaker;
    with fewer, in the last run that its ticket takes part in. The API does not say how often the matchmaker
    runs or how often a ticket searches, so two bots measure both with tickets that match only each other: first
    full with two players, then not. At least ``least`` tickets are kept; ``log`` is called once if the promise
    cannot be kept.
    """

    def __init__(self, seconds: float, ticket: Ticket, least: int, log: Callable[[str], None]) -> None:
        self.seconds = seconds
        self.interval: float | None = None
        self.longest: float | None = None
        """Seconds for which a ticket searches."""
        self._ticket = ticket
        self._least = least
        self._log = log
        self._group = secrets.token_hex(8)
        self._attempts = _ATTEMPTS
        self._lent: _Lent | None = None
        self._measuring = False

    @property
    def tickets(self) -> int:
        """The number of tickets to keep in the pool."""
        if self.longest is None:
            return max(self._ticket.max_count - 1, self._least) + (PROBES if self._attempts else 0)
        enough = self._ticket.min_count if self.longest <= self.seconds else self._ticket.max_count
        return max(enough - 1, self._least)

    @property
    def kept(self) -> bool | None:
        """Whether the server is fast enough; None while unknown."""
        return None if self.interval is None else self.interval <= self.seconds

    def measure(self, player: Player) -> MatchmakerMatched | None:
        """Use the connected ``player`` for the measurement if one is due.

        Return None if the player may enter the pool now, or the match if a human was matched with it meanwhile.
        """
        met = None
        while met is None and player.connected and self._due:
            if self._lent is not None:
                met = self._drive(player, self._lent)
                continue
            lent = self._lent = _Lent(player)
            try:
                if not lent.taken.wait(_PARTNER):
                    break
            finally:
                if self._lent is lent:
                    self._lent = None
            met = lent.outcome.get()
        return met

    @property
    def _due(self) -> bool:
        return self.longest is None and self._attempts > 0 and not self._measuring

    def _drive(self, player: Player, lent: _Lent) -> MatchmakerMatched | None:
        self._lent = None
        self._measuring = True
        lent.taken.set()
        mine, theirs = _Side(player), _Side(lent.player)
        met = None
        try:
            self._rounds(mine, theirs)
        except CallError as error:
            self._attempts -= 1
            if not self._attempts:
                self._log(f"how often the matchmaker runs could not be measured ({error.label})")
        finally:
            self._measuring = False
            try:
                met = theirs.end()
            finally:
                lent.outcome.set(met)
        return mine.end()

    def _rounds(self, one: _Side, other: _Side) -> None:
        # The first match only shows when a run happens; a ticket added right after it waits a full interval.
        times: list[float] = []
        for most in (2, 2, 3):
            ticket = replace(
                self._ticket, query=f"+properties.{PROBE}:{self._group}", min_count=2, max_count=most,
                string_properties={**(self._ticket.string_properties or {}), PROBE: self._group},
                count_multiple=None,
            )  # fmt: skip
            if not _meet(one, other, ticket):
                return
            times.append(one.at)
        self.interval, self.longest = times[1] - times[0], times[2] - times[1]
        if not self.kept:
            self._log(
                f"--wait-at-most {self.seconds:g} cannot be kept: the server's matchmaker was measured to run "
                f"every {self.interval:.2f} s, and a human waits up to that long"
            )


class _Lent:
    """A player that waits for a partner to measure with."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.taken = Event()
        self.outcome: AsyncResult[MatchmakerMatched | None] = AsyncResult()


class _Side:
    """One of the two players: its ticket and its match."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.matched: MatchmakerMatched | None = None
        self.at = 0.0
        self.lost = False
        self.news = Event()
        self._ticket = ""
        self._remove = [
            player.socket.tap(MATCHED, self._on_matched),
            player.socket.on(DISCONNECT, self._on_disconnect),
        ]

    def add(self, ticket: Ticket) -> None:
        """Add a new ticket."""
        self.matched = None
        self._ticket = add_ticket(self.player, ticket)["ticket"]

    def end(self) -> MatchmakerMatched | None:
        """Remove a ticket that still waits; return the match with a human, if there is one."""
        try:
            if self._ticket and self.matched is None and not self.lost:
                try:
                    self.player.socket.remove_matchmaker(self._ticket)
                except RealtimeError:
                    # It was matched just now.
                    self.wait(_LATE)
        except CallError:
            return None
        finally:
            for remove in self._remove:
                remove()
        return self.matched

    def settle(self) -> None:
        """Drop the match with the other side: it is not a match to join."""
        self.matched = None
        self._ticket = ""

    def wait(self, seconds: float) -> None:
        """Wait until it is matched or disconnected, or until the timeout."""
        with suppress(gevent.Timeout), gevent.Timeout(seconds):
            while self.matched is None and not self.lost:
                self.news.clear()
                self.news.wait()

    def _on_matched(self, body: MatchmakerMatched, arrived_at: float, _size: int) -> None:
        self.matched, self.at = body, arrived_at
        self.news.set()

    def _on_disconnect(self, _: object) -> None:
        self.lost = True
        self.news.set()


def _meet(one: _Side, other: _Side, ticket: Ticket) -> bool:
    """Match the two with each other; False if a human was faster."""
    news = one.news = other.news = Event()
    one.add(ticket)
    other.add(ticket)
    deadline = perf_counter() + _LONGEST
    while not (one.matched or other.matched):
        if one.lost or other.lost:
            raise ConnectionClosed(1006, "while measuring", operation=MATCHED)
        news.clear()
        if not news.wait(max(0.0, deadline - perf_counter())):
            raise RequestTimeout(f"no {MATCHED} within {_LONGEST:g} s", operation=MATCHED)
    both = {one.player.session.user_id, other.player.session.user_id}
    pushes = [side.matched for side in (one, other) if side.matched is not None]
    met = {user["presence"]["user_id"] for push in pushes for user in push.get("users", ())}
    if met != both:
        return False
    for side in (one, other):
        side.wait(_LATE)
        if side.matched is None:
            raise RequestTimeout(f"no {MATCHED} within {_LATE:g} s", operation=MATCHED)
        side.settle()
    return True
