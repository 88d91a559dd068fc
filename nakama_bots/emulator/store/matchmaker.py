"""The matchmaker: tickets, and how a run combines them. No I/O: the caller notifies the players.

Follows ``server/matchmaker_process.go`` (processDefault): every ticket searches for at most ``max_intervals``
runs, a ticket with minimum = maximum only once; then it can only be found by others. One accepting query is
enough. A match of the maximum size is accepted at once, a smaller one only in the searching ticket's last run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.query import Query, QuerySearchError, Value, document
from nakama_bots.emulator.store.limits import UNBOUNDED, Full
from nakama_bots.emulator.store.tracker import OnlineSession

_COMPLETIONS_KEPT: Final = 10


class TooManyTickets(Exception):
    """The session has its maximum number of tickets."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A player of a ticket, with the properties that other tickets' queries match."""

    session: OnlineSession
    string_properties: dict[str, str]
    numeric_properties: dict[str, float]
    party_id: str = ""

    def wire(self) -> JsonObject:
        """Nakama's ``MatchmakerUser``."""
        shape: JsonObject = {
            "presence": {
                "user_id": self.session.user_id,
                "session_id": self.session.id,
                "username": self.session.username,
            }
        }
        if self.party_id:
            shape["party_id"] = self.party_id
        if self.string_properties:
            shape["string_properties"] = dict(sorted(self.string_properties.items()))
        if self.numeric_properties:
            shape["numeric_properties"] = {
                name: int(value) if value.is_integer() else value
                for name, value in sorted(self.numeric_properties.items())
            }
        return shape


@dataclass(slots=True, eq=False)
class QueuedTicket:
    """A request to be matched. ``create_time`` in Unix nanoseconds."""

    id: str
    entries: tuple[Entry, ...]
    query: Query
    min_count: int
    max_count: int
    count_multiple: int
    create_time: int
    party_id: str = ""
    intervals: int = 0
    document: dict[str, list[Value]] = field(init=False)
    sessions: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = frozenset(entry.session.id for entry in self.entries)
        # Players of a party have their ticket's properties; a number wins over a string of that name.
        first = self.entries[0]
        self.document = document(
            {
                "ticket": self.id,
                "min_count": self.min_count,
                "max_count": self.max_count,
                "party_id": self.party_id,
                "created_at": self.create_time,
                "properties": {**first.string_properties, **first.numeric_properties},
            }
        )

    def takes(self, size: int) -> bool:
        """True if the ticket accepts a match of that many players."""
        return self.min_count <= size <= self.max_count and size % self.count_multiple == 0


@dataclass(frozen=True, slots=True)
class FoundMatch:
    """A match: its tickets, the searching one last."""

    tickets: tuple[QueuedTicket, ...]

    @property
    def entries(self) -> list[Entry]:
        """All players."""
        return [entry for ticket in self.tickets for entry in ticket.entries]


class MatchmakerQueue:
    """The pool of tickets. ``now`` returns Unix nanoseconds; ``precise``: all in a match must accept
    each other, until a run has taken ``patience`` seconds of ``clock`` (0: always).

    ``max_tickets``: the most of a session or party; ``most``: of all.
    """

    def __init__(
        self,
        *,
        max_intervals: int,
        max_tickets: int,
        now: Callable[[], int],
        precise: bool = False,
        patience: float = 0,
        clock: Callable[[], float] = time.monotonic,
        most: int = UNBOUNDED.tickets,
    ) -> None:
        self._precise, self._patience, self._clock = precise, patience, clock
        # Whether the current run still heeds ``precise``.
        self._exact = precise
        self._most = most
        self._max_intervals = max_intervals
        self._max_tickets = max_tickets
        self._now = now
        self._tickets: dict[str, QueuedTicket] = {}
        self._active: dict[str, QueuedTicket] = {}
        self._by_session: dict[str, set[str]] = {}
        self._by_party: dict[str, set[str]] = {}
        self._completions: deque[JsonObject] = deque(maxlen=_COMPLETIONS_KEPT)
        self._stats: JsonObject = {}

    def add(self, ticket: QueuedTicket) -> None:
        """Add a ticket to the pool. ``TooManyTickets`` of one session or party, ``Full``."""
        if len(self._tickets) >= self._most:
            raise Full("tickets", self._most)
        if any(len(self._by_session.get(s, ())) >= self._max_tickets for s in ticket.sessions):
            raise TooManyTickets(ticket.id)
        if len(self._by_party.get(ticket.party_id, ())) >= self._max_tickets:
            raise TooManyTickets(ticket.id)
        self._tickets[ticket.id] = self._active[ticket.id] = ticket
        for session in ticket.sessions:
            self._by_session.setdefault(session, set()).add(ticket.id)
        if ticket.party_id:
            self._by_party.setdefault(ticket.party_id, set()).add(ticket.id)

    def remove(self, ticket_id: str, session: OnlineSession) -> bool:
        """Remove a session's ticket; False if it has none of that id, or only as part of a party."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.party_id or session.id not in ticket.sessions:
            return False
        self._drop(ticket)
        return True

    def remove_party(self, ticket_id: str, party_id: str) -> bool:
        """Remove a party's ticket; False if it has none of that id."""
        if ticket_id not in self._by_party.get(party_id, ()):
            return False
        self._drop(self._tickets[ticket_id])
        return True

    def remove_party_all(self, party_id: str) -> None:
        """Remove all tickets of a party."""
        for ticket_id in list(self._by_party.get(party_id, ())):
            self._drop(self._tickets[ticket_id])

    @property
    def tickets(self) -> int:
        """The number of tickets."""
        return len(self._tickets)

    @property
    def active(self) -> int:
        """The number of tickets that still search."""
        return len(self._active)

    def remove_all(self, session: OnlineSession) -> None:
        """Remove all tickets of a session."""
        for ticket_id in list(self._by_session.get(session.id, ())):
            self._drop(self._tickets[ticket_id])

    def _drop(self, ticket: QueuedTicket) -> None:
        del self._tickets[ticket.id]
        self._active.pop(ticket.id, None)
        for session in ticket.sessions:
            _discard(self._by_session, session, ticket.id)
        if ticket.party_id:
            _discard(self._by_party, ticket.party_id, ticket.id)

    def stats(self) -> JsonObject:
        """Return Nakama's ``MatchmakerStats`` as of the last run."""
        return self._stats

    def run(self) -> list[FoundMatch]:
        """Run one interval. Returns the matches found, and removes their tickets from the pool."""
        matches: list[FoundMatch] = []
        self._exact, started = self._precise, self._clock()
        for ticket in list(self._active.values()):
            if self._patience and self._clock() - started >= self._patience:
                self._exact = False
            if ticket.id not in self._active:
                continue  # found by an earlier one in this run
            ticket.intervals += 1
            last = ticket.intervals >= self._max_intervals or ticket.min_count == ticket.max_count
            try:
                found = self._search(ticket, last=last)
            except QuerySearchError:
                found = None  # parsed when it was added, but no search with it succeeds; the server logs it
            if last:
                self._active.pop(ticket.id, None)
            if found is not None:
                matches.append(found)
                self._complete(found)
        self._refresh_stats()
        return matches

    def _complete(self, found: FoundMatch) -> None:
        now = timestamp(self._now())
        for ticket in found.tickets:
            self._drop(ticket)
            self._completions.append({"create_time": timestamp(ticket.create_time), "complete_time": now})

    def _refresh_stats(self) -> None:
        self._stats = {}
        if self._tickets:
            self._stats["ticket_count"] = len(self._tickets)
            oldest = min(ticket.create_time for ticket in self._tickets.values())
            self._stats["oldest_ticket_create_time"] = timestamp(oldest)
        if self._completions:
            self._stats["completions"] = list(self._completions)

    def _hits(self, ticket: QueuedTicket) -> list[QueuedTicket]:
        """Return the hits of a ticket's search, best first, equals by age, with its sessions' other tickets."""
        found: list[tuple[float, QueuedTicket]] = []
        for other in self._tickets.values():
            # Ranges must fit too: 2-4 does not match with 6-8.
            if (
                other is not ticket
                and other.min_count >= ticket.min_count
                and other.max_count <= ticket.max_count
                and (not ticket.party_id or other.party_id != ticket.party_id)
            ):
                score = ticket.query.score(other.document)
                if score is not None:
                    found.append((score, other))
        if ticket.query.ranked:
            found.sort(key=lambda pair: -pair[0])  # stable
        return [other for _, other in found]

    def _search(self, ticket: QueuedTicket, *, last: bool) -> FoundMatch | None:
        """Fill groups with the hits until one is full; in the last run, accept the last group added to."""
        own = len(ticket.entries)
        groups: list[list[QueuedTicket]] = []
        hits = self._hits(ticket)
        for other in hits:
            if other.sessions & ticket.sessions or (self._exact and not _accepts(other, ticket)):
                continue
            group = self._fitting_group(groups, other, ticket.max_count - own)
            group.append(other)
            size = own + _size(group)
            if size == ticket.max_count or (last and other is hits[-1] and size >= ticket.min_count):
                found = self._settle(ticket, group)
                if found is not None:
                    return found
        return None

    def _fitting_group(
        self, groups: list[list[QueuedTicket]], other: QueuedTicket, room: int
    ) -> list[QueuedTicket]:
        for group in groups:
            if _size(group) + len(other.entries) <= room:
                if any(member.sessions & other.sessions for member in group):
                    break  # as the server: no further group is tried
                if self._exact and not all(
                    _accepts(other, member) and _accepts(member, other) for member in group
                ):
                    continue
                return group
        groups.append([])
        return groups[-1]

    @staticmethod
    def _settle(ticket: QueuedTicket, group: list[QueuedTicket]) -> FoundMatch | None:
        """Return a match of ``ticket`` with ``group``, reduced to fit its count multiple."""
        spare = (len(ticket.entries) + _size(group)) % ticket.count_multiple
        left_out = _oldest(group, spare)
        if left_out is None:
            return None
        kept = [member for member in group if member not in left_out]
        size = len(ticket.entries) + _size(kept)
        return FoundMatch((*kept, ticket)) if all(member.takes(size) for member in (ticket, *kept)) else None


def _accepts(ticket: QueuedTicket, other: QueuedTicket) -> bool:
    """True if the query of ``ticket`` matches ``other``."""
    try:
        return ticket.query.score(other.document) is not None
    except QuerySearchError:
        return False


def _oldest(group: list[QueuedTicket], size: int) -> tuple[QueuedTicket, ...] | None:
    """Return the tickets of exactly ``size`` players in total that are oldest on average, or None.

    The server intends to drop the youngest, but sorts the other way round (``matchmaker_process.go``).
    """
    # The lowest sum of times by (players, tickets).
    best: dict[tuple[int, int], tuple[int, tuple[QueuedTicket, ...]]] = {(0, 0): (0, ())}
    for member in group:
        for (players, number), (times, chosen) in list(best.items()):
            key = (players + len(member.entries), number + 1)
            more = times + member.create_time
            if key[0] <= size and (key not in best or more < best[key][0]):
                best[key] = (more, (*chosen, member))
    fitting = [
        (times / max(1, number), chosen)
        for (players, number), (times, chosen) in best.items()
        if players == size
    ]
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _size(group: list[QueuedTicket]) -> int:
    return sum(len(member.entries) for member in group)


def _discard(tickets: dict[str, set[str]], owner: str, ticket_id: str) -> None:
    tickets[owner].discard(ticket_id)
    if not tickets[owner]:
        del tickets[owner]
