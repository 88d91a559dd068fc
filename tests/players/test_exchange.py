"""Deliveries between players of one process: each expected one ends exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nakama_bots.players.delivery.exchange import (
    IN_FLIGHT,
    PATIENCE,
    ChannelMember,
    DeliveryTally,
    Exchange,
    To,
)

CHANNEL = ("match", "m")


def players(exchange: Exchange, number: int) -> list[ChannelMember]:
    return [exchange.join(CHANNEL, f"user {index}", 0.0) for index in range(number)]


def ends(tally: DeliveryTally) -> dict[str, int]:
    names = ("expected", "received", "missed", "lost", "unknown", "duplicated", "reordered")
    return {name: getattr(tally, name) for name in names if getattr(tally, name)}


def waiting(exchange: Exchange) -> int:
    return sum(bool(message.waiting) for message in exchange._order)


def not_ended(tally: DeliveryTally) -> int:
    return tally.expected - tally.received - tally.missed - tally.lost - tally.unknown


def test_message_reaches_all_other_members() -> None:
    exchange = Exchange()
    a, b, c = players(exchange, 3)
    exchange.send(a, "hello", 1.0, late=0.5)
    for receiver in (b, c):
        found = exchange.receive(receiver, "hello", 1.25, "user 0")
        assert found is not None
        assert (found.at, found.late, found.sender) == (1.0, 0.5, a)
    assert [ends(one.tally) for one in (a, b, c)] == [{}, *[{"expected": 1, "received": 1}] * 2]
    assert waiting(exchange) == 0


def test_equal_messages_arrive_in_order() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    for at in (1.0, 2.0, 3.0):
        exchange.send(a, "same", at)
    found = [exchange.receive(b, "same", 4.0, "user 0") for _ in range(3)]
    assert [one.at for one in found if one] == [1.0, 2.0, 3.0]
    assert ends(b.tally) == {"expected": 3, "received": 3}


@pytest.mark.parametrize(
    ("to", "expected"),
    [(To.OTHERS, [0, 1, 1]), (To.ALL, [1, 1, 1]), (To.SENDER, [1, 0, 0]), (To.LEARNED, [1, 1, 1])],
)
def test_expected_receivers(to: To, expected: list[int]) -> None:
    exchange = Exchange()
    members = players(exchange, 3)
    exchange.send(members[0], "x", 0.0, to=to)
    assert [one.tally.expected for one in members] == expected


def test_expected_receivers_given_by_user_id() -> None:
    exchange = Exchange()
    a, b, c = players(exchange, 3)
    exchange.send(a, "x", 0.0, users=frozenset({"user 2"}))
    assert [one.tally.expected for one in (a, b, c)] == [0, 0, 1]


def test_missed_while_away_and_lost_while_connected() -> None:
    exchange = Exchange()
    a, b, c = players(exchange, 3)
    exchange.send(a, 1, 10.0)  # lost on the way to both
    exchange.away(b, 20.0)
    exchange.send(a, 2, 21.0)
    exchange.receive(c, 2, 21.1, "user 0")
    exchange.back(b, 30.0)
    exchange.send(a, 3, 31.0)
    for one in (b, c):
        exchange.receive(one, 3, 31.1, "user 0")
    for one in (a, b, c):
        exchange.leave(one, 40.0)
    assert ends(b.tally) == {"expected": 3, "received": 1, "missed": 1, "lost": 1}
    assert ends(c.tally) == {"expected": 3, "received": 2, "lost": 1}


def test_message_that_arrives_after_a_reconnect_is_received() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    exchange.away(b, 1.0)
    exchange.send(a, 1, 1.5)
    exchange.back(b, 2.0)
    assert exchange.receive(b, 1, 2.1, "user 0") is not None
    exchange.leave(b, 50.0)
    assert ends(b.tally) == {"expected": 1, "received": 1}


def test_equal_messages_after_a_reconnect_do_not_match_missed_ones() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    exchange.away(b, 1.0)
    for at in (2.0, 3.0):
        exchange.send(a, "same", at)
    exchange.back(b, 10.0, asked=9.9)
    assert ends(b.tally) == {"expected": 2, "missed": 2}
    exchange.send(a, "same", 11.0)
    found = exchange.receive(b, "same", 11.5, "user 0")
    assert found is not None
    assert found.at == 11.0


def test_overtaken_message_does_not_match_a_later_equal_one() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    for key, at in (("x", 1.0), ("y", 2.0), ("x", 3.0)):
        exchange.send(a, key, at)
    # The first x is lost: y of the same sender arrived before any x.
    exchange.receive(b, "y", 2.1, "user 0")
    found = exchange.receive(b, "x", 3.1, "user 0")
    assert found is not None
    assert found.at == 3.0
    exchange.leave(b, 9.0)
    assert ends(b.tally) == {"expected": 3, "received": 2, "lost": 1}


def test_messages_to_a_receiver_that_stops_at_once_are_unknown() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    exchange.send(a, 1, 10.0)
    exchange.leave(b, 10.0 + IN_FLIGHT / 2)
    assert ends(b.tally) == {"expected": 1, "unknown": 1}


def test_messages_of_a_sender_that_disconnects_are_unknown() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    exchange.send(a, 1, 10.0)
    exchange.away(a, 10.5)
    exchange.leave(b, 20.0)
    assert ends(b.tally) == {"expected": 1, "unknown": 1}


def test_old_messages_are_dropped_as_lost() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    exchange.send(a, 1, 0.0)
    exchange.send(a, 2, PATIENCE + 1)
    assert ends(b.tally) == {"expected": 2, "lost": 1}
    assert waiting(exchange) == 1
    assert exchange.receive(b, 1, PATIENCE + 2, "user 0") is None


def test_duplicated_and_reordered() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    for key in (1, 2):
        exchange.send(a, key, 10.0)
    for key in (2, 1, 1):
        exchange.receive(b, key, 11.0, "user 0")
    assert ends(b.tally) == {"expected": 2, "received": 2, "duplicated": 1, "reordered": 1}


def test_members_that_left_are_dropped() -> None:
    """A member of a busy channel does not keep every sender it has ever seen."""
    exchange = Exchange()
    stays = exchange.join(CHANNEL, "stays", 0.0)
    for number in range(100):
        comer = exchange.join(CHANNEL, f"user {number}", 1.0)
        exchange.send(comer, f"hello {number}", 2.0)
        exchange.send(comer, f"bye {number}", 2.0)
        assert exchange.receive(stays, f"hello {number}", 2.1, comer.user_id) is not None
        exchange.leave(comer, 2.2)
        assert exchange.receive(stays, f"bye {number}", 2.3, comer.user_id) is not None
    assert stays.newest == {}
    assert ends(stays.tally) == {"expected": 200, "received": 200}


def test_strangers_and_messages_before_the_join_are_not_counted() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    assert exchange.receive(b, "x", 50.0, "a human") is None
    late = exchange.join(CHANNEL, "late", 50.0)
    exchange.receive(late, "x", 50.1, "user 0")
    assert ends(b.tally) == ends(late.tally) == {}
    assert a.tally.expected == 0


def test_kinds_that_the_server_never_relays_are_unknown() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    for kind in ("input", "chat"):
        for number in range(3):
            exchange.send(a, (kind, number), 0.0, to=To.LEARNED, kind=kind)
    exchange.receive(b, ("chat", 0), 0.1, "user 0")
    assert not exchange.settled(b)
    for one in (a, b):
        exchange.leave(one, 10.0)
    # Other members receive chat. Input, and the sender's own copies, were never received.
    assert ends(b.tally) == {"expected": 6, "received": 1, "lost": 2, "unknown": 3}
    assert ends(a.tally) == {"expected": 6, "unknown": 6}


def test_equal_messages_are_matched_by_the_reported_sender() -> None:
    exchange = Exchange()
    a, b, c = players(exchange, 3)
    for at, sender in ((10.0, a), (11.0, b), (12.0, c)):
        exchange.send(sender, "same", at, to=To.LEARNED, kind=7)
    # A relayed match sends them to the other members only.
    found = [exchange.receive(a, "same", 13.0, sender, by_sender=True) for sender in ("user 2", "user 1")]
    assert exchange.settled(a) is False  # b and c wait for its message
    exchange.receive(b, "same", 13.0, "user 0", by_sender=True)
    exchange.receive(c, "same", 13.0, "user 0", by_sender=True)
    assert exchange.settled(a)  # its own message will not arrive
    assert [one.sender for one in found if one] == [c, b]
    assert exchange.receive(a, "same", 13.1, "user 1", by_sender=True) is None
    exchange.leave(a, 20.0)
    assert ends(a.tally) == {"expected": 3, "received": 2, "unknown": 1, "duplicated": 1}
    # A match that reports no sender: matched in order.
    assert (one := exchange.receive(b, "same", 21.0, by_sender=True)) is not None
    assert one.sender is b


def test_messages_to_a_match_that_the_server_ended_are_unknown() -> None:
    exchange = Exchange()
    a, b = players(exchange, 2)
    for at in (10.0, 11.5, 20.0):  # lost; then the match ends
        exchange.send(a, at, at)
    b.channel.heard = 12.0
    exchange.leave(b, 30.0)
    assert ends(b.tally) == {"expected": 3, "lost": 1, "unknown": 2}


def test_repeated_key_is_not_a_duplicate() -> None:
    exchange = Exchange()
    (a,) = players(exchange, 1)
    exchange.send(a, 1, 10.0, to=To.SENDER)
    for _ in range(3):
        exchange.receive(a, 1, 11.0, "user 0", repeats=True)
    assert ends(a.tally) == {"expected": 1, "received": 1}


def test_settled_when_nothing_is_pending_for_connected_members() -> None:
    exchange = Exchange()
    a, b, c = players(exchange, 3)
    assert exchange.settled(a)
    exchange.away(c, 0.5)
    exchange.send(a, 1, 1.0)
    assert not exchange.settled(a)
    assert not exchange.settled(b)
    assert exchange.settled(c)
    exchange.receive(b, 1, 1.1, "user 0")
    assert exchange.settled(a)


def test_empty_channel_is_dropped() -> None:
    exchange = Exchange()
    members = players(exchange, 3)
    for number in range(5):
        exchange.send(members[0], number, 1.0)
    for one in members:
        exchange.leave(one, 2.0)
        exchange.leave(one, 2.0)
    assert waiting(exchange) == 0
    assert exchange._channels == {}
    assert all(not_ended(one.tally) == 0 for one in members)


class Deliveries(RuleBasedStateMachine):
    """Compares the expected deliveries with a plain model; the outcomes always add up to them."""

    @initialize()
    def start(self) -> None:
        self.exchange = Exchange()
        self.now = 0.0
        self.members: list[ChannelMember] = []
        self.gone: list[ChannelMember] = []
        self.expected: Counter[int] = Counter()
        self.flying: list[tuple[ChannelMember, object]] = []
        self.names = 0

    def rooms(self, member: ChannelMember) -> Iterable[ChannelMember]:
        return (one for one in self.members if one.channel is member.channel)

    @rule(channel=st.sampled_from("ab"), wait=st.floats(0, 5))
    def join(self, channel: str, wait: float) -> None:
        self.now += wait
        self.names += 1
        self.members.append(self.exchange.join(channel, f"user {self.names}", self.now))

    @precondition(lambda self: self.members)
    @rule(data=st.data(), key=st.integers(0, 3), to=st.sampled_from(To), wait=st.floats(0, 8))
    def send(self, data: st.DataObject, key: int, to: To, wait: float) -> None:
        self.now += wait
        sender = data.draw(st.sampled_from(self.members))
        self.exchange.send(sender, key, self.now, to=to, kind=key)
        for one in self.rooms(sender):
            own = one is sender
            if (to is To.OTHERS and not own) or (to is To.SENDER and own) or to in (To.ALL, To.LEARNED):
                self.expected[id(one)] += 1
                self.flying.append((one, key))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), wait=st.floats(0, 3), copies=st.integers(1, 2))
    def arrive(self, data: st.DataObject, wait: float, copies: int) -> None:
        self.now += wait
        at = data.draw(st.integers(0, len(self.flying) - 1))
        member, key = self.flying.pop(at)
        if member in self.members:
            for _ in range(copies):
                self.exchange.receive(member, key, self.now)

    @precondition(lambda self: self.members)
    @rule(data=st.data(), wait=st.floats(0, 5), back=st.booleans())
    def connection(self, data: st.DataObject, wait: float, back: bool) -> None:
        self.now += wait
        member = data.draw(st.sampled_from(self.members))
        if back:
            self.exchange.back(member, self.now, self.now - wait / 2)
        else:
            self.exchange.away(member, self.now)

    @precondition(lambda self: self.members)
    @rule(data=st.data(), wait=st.floats(0, 5))
    def leave(self, data: st.DataObject, wait: float) -> None:
        self.now += wait
        member = data.draw(st.sampled_from(self.members))
        self.members.remove(member)
        self.gone.append(member)
        self.exchange.leave(member, self.now)

    @invariant()
    def the_sum_holds(self) -> None:
        for member in getattr(self, "members", []):
            assert member.tally.expected == self.expected[id(member)]
            assert not_ended(member.tally) == len(self.exchange._waiting_for(member))
        for member in getattr(self, "gone", []):
            assert member.tally.expected == self.expected[id(member)]
            assert not_ended(member.tally) == 0

    def teardown(self) -> None:
        for member in getattr(self, "members", []):
            self.exchange.leave(member, self.now)
            assert not_ended(member.tally) == 0
        if hasattr(self, "exchange"):
            assert waiting(self.exchange) == 0
            assert self.exchange._channels == {}


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("xyz")), max_size=40), st.randoms())
def test_everything_is_received_when_nothing_is_lost(sends: list[tuple[int, str]], random: object) -> None:
    """Messages of one sender stay in order; senders may interleave."""
    exchange = Exchange()
    members = players(exchange, 4)
    queues: dict[tuple[int, int], list[object]] = {}
    for index, key in sends:
        exchange.send(members[index], (index, key), 1.0)
        for receiver in range(4):
            if receiver != index:
                queues.setdefault((index, receiver), []).append((index, key))
    while queues:
        pair = random.choice(list(queues))  # type: ignore[attr-defined]
        key = queues[pair].pop(0)
        assert exchange.receive(members[pair[1]], key, 1.5, f"user {pair[0]}") is not None
        if not queues[pair]:
            del queues[pair]
    for one in members:
        exchange.leave(one, 1.6)
        assert one.tally.expected == one.tally.received
        assert one.tally.reordered == one.tally.duplicated == 0
