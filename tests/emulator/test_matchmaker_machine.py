"""The matchmaker against a model: which tickets exist, and which may, must or must not be matched."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nakama_bots.emulator.formats import query
from nakama_bots.emulator.store.matchmaker import Entry, MatchmakerQueue, QueuedTicket, TooManyTickets

from .support import Clock, Recorder, make_core

MAX_INTERVALS, MAX_TICKETS = 2, 3
PLAYERS = range(6)
# The players of each party; no player is in two.
PARTIES = {"red": (0, 1), "blue": (2, 3, 4)}
# What each query accepts, by the other ticket's properties.
QUERIES = {
    "*": lambda mode, rank: True,
    "+properties.mode:duel": lambda mode, rank: mode == "duel",
    "+properties.rank:>=5": lambda mode, rank: rank >= 5,
    "+properties.mode:race +properties.rank:<5": lambda mode, rank: mode == "race" and rank < 5,
}
# Minimum, maximum and multiple, as the server accepts them.
COUNTS = st.sampled_from([(2, 2, 1), (2, 4, 1), (2, 4, 2), (3, 3, 1), (3, 6, 3), (2, 6, 2), (4, 5, 1)])
SEARCHES = st.tuples(
    COUNTS, st.sampled_from(list(QUERIES)), st.sampled_from(["duel", "race"]), st.integers(0, 9)
)


@dataclass
class Model:
    """A ticket in the pool, as the model knows it."""

    players: tuple[int, ...]
    counts: tuple[int, int, int]
    wanted: str
    mode: str
    rank: int
    party: str = ""
    age: int = 0
    searched_last: bool = field(default=False, init=False)

    @property
    def searches(self) -> bool:
        low, high, _ = self.counts
        return self.age < (1 if low == high else MAX_INTERVALS)

    def takes(self, size: int) -> bool:
        low, high, multiple = self.counts
        return low <= size <= high and size % multiple == 0

    def finds(self, other: Model) -> bool:
        """True if its search finds ``other``."""
        return (
            other.counts[0] >= self.counts[0]
            and other.counts[1] <= self.counts[1]
            and QUERIES[self.wanted](other.mode, other.rank)
        )

    def accepts(self, other: Model) -> bool:
        """True if its own search allows a match with ``other``."""
        return self.finds(other) and not set(self.players) & set(other.players)


class MatchmakerMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.core = make_core(self.clock)
        self.sessions = [Recorder(self.core) for _ in PLAYERS]
        self.matchmaker = MatchmakerQueue(max_intervals=MAX_INTERVALS, max_tickets=MAX_TICKETS, now=self.clock)
        self.pool: dict[str, Model] = {}

    def put(self, model: Model) -> None:
        self.clock.seconds += 0.001
        properties = ({"mode": model.mode}, {"rank": float(model.rank)})
        ticket = QueuedTicket(
            self.core.new_id(),
            tuple(Entry(self.sessions[player], *properties, model.party) for player in model.players),
            query.parse(model.wanted),
            *model.counts,
            self.clock(),
            model.party,
        )
        full = [
            player
            for player in model.players
            if sum(player in other.players for other in self.pool.values()) >= MAX_TICKETS
        ]
        if full:
            with pytest.raises(TooManyTickets):
                self.matchmaker.add(ticket)
        else:
            self.matchmaker.add(ticket)
            self.pool[ticket.id] = model

    @rule(player=st.sampled_from(PLAYERS), search=SEARCHES)
    def add(self, player: int, search: tuple[tuple[int, int, int], str, str, int]) -> None:
        self.put(Model((player,), *search))

    @rule(party=st.sampled_from(list(PARTIES)), search=SEARCHES)
    def add_party(self, party: str, search: tuple[tuple[int, int, int], str, str, int]) -> None:
        self.put(Model(PARTIES[party], *search, party))

    @precondition(lambda self: self.pool)
    @rule(data=st.data(), player=st.sampled_from(PLAYERS))
    def cancel(self, data: st.DataObject, player: int) -> None:
        """A player can remove their own tickets, but not those of their party."""
        ticket_id = data.draw(st.sampled_from(sorted(self.pool)))
        model = self.pool[ticket_id]
        own = player in model.players and not model.party
        assert self.matchmaker.remove(ticket_id, self.sessions[player]) is own
        if own:
            del self.pool[ticket_id]

    @precondition(lambda self: self.pool)
    @rule(data=st.data(), party=st.sampled_from(list(PARTIES)))
    def cancel_for_party(self, data: st.DataObject, party: str) -> None:
        ticket_id = data.draw(st.sampled_from(sorted(self.pool)))
        own = self.pool[ticket_id].party == party
        assert self.matchmaker.remove_party(ticket_id, party) is own
        if own:
            del self.pool[ticket_id]

    @rule(party=st.sampled_from(list(PARTIES)))
    def party_changes(self, party: str) -> None:
        self.matchmaker.remove_party_all(party)
        self.pool = {key: model for key, model in self.pool.items() if model.party != party}

    @rule(player=st.sampled_from(PLAYERS))
    def socket_ends(self, player: int) -> None:
        self.matchmaker.remove_all(self.sessions[player])
        self.pool = {key: model for key, model in self.pool.items() if player not in model.players}

    @rule()
    def interval(self) -> None:
        before = dict(self.pool)
        searching = {key for key, model in before.items() if model.searches}
        matches = [[ticket.id for ticket in found.tickets] for found in self.matchmaker.run()]
        for model in before.values():
            if model.searches:
                model.age += 1
                model.searched_last = not model.searches
        for match in matches:
            self.may_be(match, searching)
            for ticket_id in match:
                del self.pool[ticket_id]  # KeyError: matched twice
        for key in searching & self.pool.keys():
            self.must_not_be_left(key, before)

    def may_be(self, match: list[str], searching: set[str]) -> None:
        models = [self.pool[key] for key in match]
        players = [player for model in models for player in model.players]
        assert len(players) == len(set(players))
        assert all(model.takes(len(players)) for model in models)
        *others, searcher = models
        assert match[-1] in searching
        assert all(searcher.accepts(other) for other in others)
        # A match below the maximum only in the last interval.
        assert len(players) == searcher.counts[1] or searcher.searched_last

    def must_not_be_left(self, key: str, before: dict[str, Model]) -> None:
        """No searching ticket is left over with a partner that completes the match, or is the only one."""
        left = self.pool[key]
        hits = [name for name, other in before.items() if name != key and left.finds(other)]
        for name in hits:
            other = before[name]
            size = len(left.players) + len(other.players)
            if name in self.pool and left.accepts(other) and left.takes(size) and other.takes(size):
                assert size != left.counts[1]
                assert not (left.searched_last and len(hits) == 1)

    @invariant()
    def the_pool_matches_the_model(self) -> None:
        assert self.matchmaker.tickets == len(self.pool)
        assert self.matchmaker.active == sum(model.searches for model in self.pool.values())


TestMatchmaker = MatchmakerMachine.TestCase
TestMatchmaker.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
