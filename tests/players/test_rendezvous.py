from __future__ import annotations

import gevent
import pytest

from nakama_bots.errors import RequestTimeout
from nakama_bots.players.rendezvous import Crew, Rendezvous

from .support import failure

LONG = 20.0


def crew(size: int = 2, place: Rendezvous | None = None) -> list[Crew]:
    place = place or Rendezvous()
    comers = [gevent.spawn(place.meet, "a party", size, LONG) for _ in range(size)]
    return [comer.get() for comer in comers]


def test_crews_form_in_order_of_arrival() -> None:
    place = Rendezvous()
    comers = [gevent.spawn(place.meet, "a party", 2, LONG) for _ in range(4)]
    assert [comer.get().index for comer in comers] == [0, 1, 0, 1]
    first, second = comers[0].get(), comers[1].get()
    assert (first.leads, second.leads) == (True, False)
    first.share("the party")
    assert second.hear(LONG) == "the party"


def test_keys_and_sizes_are_independent() -> None:
    place = Rendezvous()
    waiting = gevent.spawn(place.meet, "a", 2, LONG)
    gevent.sleep(0)
    for key, size in (("b", 2), ("a", 3)):
        with pytest.raises(RequestTimeout, match=f"fewer than {size} players"):
            place.meet(key, size, 0.01)
    assert place.meet("a", 2, LONG).index == 1
    assert waiting.get().leads


def test_killed_caller_gives_up_its_place() -> None:
    place = Rendezvous()
    gone = gevent.spawn(place.meet, "a", 2, LONG)
    gevent.sleep(0)
    gone.kill()
    failure(RequestTimeout, place.meet, "a", 2, 0.01)


def test_members_stop_waiting_when_the_leader_fails() -> None:
    leader, member = crew()
    failure(RequestTimeout, member.hear, 0.01)
    leader.leave()
    leader.leave()
    failure(RequestTimeout, member.hear, LONG)


def test_repeated_waits() -> None:
    three = crew(3)
    passed: list[tuple[int, int]] = []

    def walk(one: Crew) -> None:
        for point in range(3):
            one.wait(timeout=LONG)
            passed.append((point, one.index))
        one.leave()

    gevent.joinall([gevent.spawn(walk, one) for one in three], raise_error=True)
    assert [point for point, _ in passed] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_waits_end_when_a_member_has_left() -> None:
    three = crew(3)
    waiting = [gevent.spawn(failure, RequestTimeout, one.wait, "", 0, LONG) for one in three[:2]]
    gevent.sleep(0)
    three[2].leave()
    for one in waiting:
        one.get()
    failure(RequestTimeout, three[0].wait, "", 0, LONG)


def test_wait_of_part_of_the_crew() -> None:
    three = crew(3)
    pair = [gevent.spawn(one.wait, "party", 2, LONG) for one in three[:2]]
    gevent.joinall(pair, raise_error=True)
    failure(RequestTimeout, three[2].wait, "party", 2, 0.01)
    after = gevent.spawn(three[2].after, "first joined", "second joined", timeout=LONG)
    for member, step in zip(three, ("first joined", "second joined"), strict=False):
        gevent.sleep(0)
        assert not after.ready()
        member.done(step)
    after.get()
