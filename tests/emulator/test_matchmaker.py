"""The matchmaker by itself: which tickets are matched, and when."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nakama_bots.emulator.formats import query
from nakama_bots.emulator.handlers.matchmaker import run_interval
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.matchmaker import (
    Entry,
    FoundMatch,
    MatchmakerQueue,
    QueuedTicket,
    TooManyTickets,
)

from .support import Clock, Recorder, make_core


class Pool:
    """A matchmaker whose tickets have one player each, named in the order of adding."""

    def __init__(self, max_intervals: int = 2, *, precise: bool = False, patience: float = 0) -> None:
        self.clock = Clock()
        self.core: Core = make_core(self.clock)
        self.matchmaker = MatchmakerQueue(
            max_intervals=max_intervals,
            max_tickets=3,
            now=self.clock,
            precise=precise,
            patience=patience,
            # A second later at each call.
            clock=itertools.count(1.0).__next__,
        )
        self.names: dict[str, str] = {}

    def add(
        self,
        name: str,
        low: int,
        high: int,
        multiple: int = 1,
        wanted: str = "*",
        session: Recorder | None = None,
        **properties: str | float,
    ) -> Recorder:
        session = session or Recorder(self.core)
        texts = {k: v for k, v in properties.items() if isinstance(v, str)}
        numbers = {k: float(v) for k, v in properties.items() if not isinstance(v, str)}
        self.clock.seconds += 0.001
        ticket = QueuedTicket(
            self.core.new_id(),
            (Entry(session, texts, numbers),),
            query.parse(wanted),
            low,
            high,
            multiple,
            self.clock(),
        )
        self.matchmaker.add(ticket)
        self.names[ticket.id] = name
        return session

    def run(self) -> list[set[str]]:
        return [self.named(found) for found in self.matchmaker.run()]

    def named(self, found: FoundMatch) -> set[str]:
        return {self.names[ticket.id] for ticket in found.tickets}


@pytest.mark.parametrize("precise", [False, True])
def test_precise_match_is_mutual(*, precise: bool) -> None:
    pool = Pool(precise=precise)
    pool.add("red", 2, 2, wanted="+properties.team:blue", team="red")
    pool.add("blue", 2, 2, wanted="+properties.team:green", team="blue")
    assert pool.run() == ([] if precise else [{"red", "blue"}])
    pool.add("green", 2, 2, wanted="+properties.team:blue", team="green")
    assert pool.run() == ([{"blue", "green"}] if precise else [])


def test_precise_group_adds_only_tickets_that_fit_all_of_it() -> None:
    # Three tickets of one level; the second and the third do not accept each other.
    pool = Pool(precise=True)
    pool.add("a", 3, 3, wanted="*", who="a")
    pool.add("b", 3, 3, wanted="-properties.who:c", who="b")
    pool.add("c", 3, 3, wanted="*", who="c")
    assert pool.run() == []
    pool.add("d", 3, 3, wanted="*", who="d")
    (found,) = pool.run()
    assert not {"b", "c"} <= found


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_slow_run_gives_up_precision(patience: float) -> None:
    pool = Pool(precise=True, patience=patience)
    pool.add("a", 2, 2, wanted="+properties.k:none", k="a")
    pool.add("b", 2, 2, wanted="+properties.k:a", k="b")
    # b accepts a, which does not accept b; b searches in the second interval.
    assert pool.run() == ([{"a", "b"}] if patience == 1 else [])


def test_full_match_in_the_first_interval() -> None:
    pool = Pool()
    pool.add("a", 2, 2)
    pool.add("b", 2, 2)
    assert pool.run() == [{"a", "b"}]
    assert pool.run() == []


def test_fewer_than_the_maximum_wait_for_the_last_interval() -> None:
    pool = Pool()
    pool.add("a", 2, 4)
    pool.add("b", 2, 4)
    assert pool.run() == []
    assert pool.run() == [{"a", "b"}]


def test_count_multiple_leaves_one_out() -> None:
    pool = Pool()
    for name in "abc":
        pool.add(name, 2, 4, 2)
    assert pool.run() == []
    (found,) = pool.run()
    assert len(found) == 2


def test_ticket_past_its_last_interval_can_still_be_found() -> None:
    pool = Pool()
    pool.add("a", 2, 2)
    assert pool.run() == []
    assert pool.run() == []
    pool.add("b", 2, 2)
    assert pool.run() == [{"a", "b"}]


def test_one_accepting_side_is_enough() -> None:
    pool = Pool()
    pool.add("a", 2, 2, wanted="+properties.level:>=10", level=5)
    pool.add("b", 2, 2, wanted="+properties.level:>=100", level=12)
    assert pool.run() == [{"a", "b"}]


def test_queries_keep_players_apart() -> None:
    pool = Pool()
    pool.add("a", 2, 2, wanted="+properties.mode:duel", mode="duel")
    pool.add("b", 2, 2, wanted="+properties.mode:race", mode="race")
    assert pool.run() == []


def test_boost_prefers_the_better_partner() -> None:
    pool = Pool()
    pool.add("a", 2, 2, wanted="+properties.mode:duel properties.region:eu^2", mode="duel")
    pool.add("b", 2, 2, wanted="+properties.x:none", mode="duel", region="asia")
    pool.add("c", 2, 2, wanted="+properties.x:none", mode="duel", region="eu")
    assert pool.run() == [{"a", "c"}]


def test_different_sizes_do_not_mix() -> None:
    pool = Pool()
    pool.add("a", 2, 2)
    pool.add("b", 3, 3)
    pool.add("c", 6, 8)
    assert pool.run() == []


def test_two_tickets_of_a_session_do_not_match() -> None:
    pool = Pool()
    session = pool.add("a", 2, 2)
    pool.add("b", 2, 2, session=session)
    assert pool.run() == []
    pool.add("c", 3, 3)
    pool.add("d", 3, 3, session=session)
    pool.add("e", 3, 3)
    assert pool.run() == [{"c", "d", "e"}]


def test_three_tickets_per_session() -> None:
    pool = Pool()
    session = pool.add("a", 2, 2)
    pool.add("b", 2, 2, session=session)
    pool.add("c", 2, 2, session=session)
    with pytest.raises(TooManyTickets):
        pool.add("d", 2, 2, session=session)
    pool.matchmaker.remove_all(session)
    pool.add("e", 2, 2, session=session)


def test_statistics_of_the_last_run() -> None:
    pool = Pool()
    pool.add("a", 2, 2)
    assert pool.matchmaker.stats() == {}
    pool.run()
    assert pool.matchmaker.stats()["ticket_count"] == 1
    pool.add("b", 2, 2)
    pool.run()
    stats = pool.matchmaker.stats()
    assert "ticket_count" not in stats
    completions = stats["completions"]
    assert isinstance(completions, list)
    assert len(completions) == 2


def test_tickets_end_with_their_session() -> None:
    core = make_core()
    gone, there = Recorder(core), Recorder(core)
    for session in (gone, there):
        ticket = QueuedTicket(core.new_id(), (Entry(session, {}, {}),), query.parse("*"), 2, 2, 1, core.now())
        core.matchmaker.add(ticket)
    core.close_session(gone)
    core.close_session(gone)
    run_interval(core)
    assert there.frames == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(2, 5), st.integers(0, 3), st.integers(1, 3), st.sampled_from("ab"), st.booleans()
        ),
        max_size=14,
    ),
    st.integers(1, 3),
)
def test_matches_suit_all_their_tickets(players: list[tuple[int, int, int, str, bool]], runs: int) -> None:
    pool = Pool()
    tickets: dict[str, tuple[int, int, int]] = {}
    shared = Recorder(pool.core)
    for number, (low, more, multiple, mode, same) in enumerate(players):
        name = str(number)
        try:
            pool.add(
                name, low, low + more, multiple, f"+properties.mode:{mode}", shared if same else None, mode=mode
            )
        except TooManyTickets:
            continue
        tickets[name] = (low, low + more, multiple)
    matched: list[str] = []
    for _ in range(runs):
        for found in pool.matchmaker.run():
            names, size = pool.named(found), len(found.entries)
            matched += names
            for name in names:
                low, high, multiple = tickets[name]
                assert low <= size <= high
                assert size % multiple == 0
            sessions = [entry.session.id for entry in found.entries]
            assert len(set(sessions)) == size
    assert len(matched) == len(set(matched)), "a ticket was matched twice"
