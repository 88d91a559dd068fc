from __future__ import annotations

import gevent

from nakama_bots.players.rendezvous import Rendezvous

LONG = 20.0


def test_groups_in_the_order_of_coming() -> None:
    place = Rendezvous(2)
    comers = [gevent.spawn(place.meet, LONG) for _ in range(4)]
    seats = [comer.get() for comer in comers]
    assert [seat.index for seat in seats if seat] == [0, 1, 0, 1]
    first, second = seats[:2]
    assert first is not None
    assert second is not None
    assert (first.leads, second.leads) == (True, False)
    first.told.set("the party")
    assert second.hear(LONG) == "the party"


def test_too_few() -> None:
    place = Rendezvous(2)
    assert place.meet(0.01) is None
    comers = [gevent.spawn(place.meet, LONG) for _ in range(2)]
    assert all(comer.get() for comer in comers)


def test_who_is_killed_keeps_no_place() -> None:
    place = Rendezvous(2)
    gone = gevent.spawn(place.meet, LONG)
    gevent.sleep(0)
    gone.kill()
    assert place.meet(0.01) is None


def test_a_leader_that_fails_keeps_nobody_waiting() -> None:
    place = Rendezvous(2)
    comers = [gevent.spawn(place.meet, LONG) for _ in range(2)]
    leader, member = (comer.get() for comer in comers)
    assert leader is not None
    assert member is not None
    assert member.hear(0.01) is None
    leader.tell_nothing()
    assert member.hear(LONG) is None
    leader.tell_nothing()
