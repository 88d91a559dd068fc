"""The wait of a behaviour: it ends in time, or when somebody rings, and leaves nothing behind."""

from __future__ import annotations

from time import perf_counter

import gevent
import pytest

from nakama_bots.players.behaviours.alarm import Alarm

LONG = 60.0
SHORT = 0.02


def test_a_wait_ends_in_time() -> None:
    started = perf_counter()
    Alarm().wait(SHORT)
    # libev's own clock has a resolution of a millisecond.
    assert perf_counter() - started >= SHORT - 0.001


def test_a_ring_ends_the_wait_once() -> None:
    alarm, woken = Alarm(), []

    def wait() -> None:
        alarm.wait(LONG)
        woken.append("rung")
        started = perf_counter()
        alarm.wait(SHORT)
        assert perf_counter() - started >= SHORT - 0.001  # the second ring has not ended it
        woken.append("in time")

    waiting = gevent.spawn(wait)
    gevent.idle()
    alarm.ring()
    alarm.ring()
    assert woken == []  # in the next turn of the loop: whoever rings is not interrupted
    waiting.get(timeout=LONG / 2)
    assert woken == ["rung", "in time"]


def test_a_ring_before_the_wait_does_not_count() -> None:
    alarm = Alarm()
    alarm.ring()
    started = perf_counter()
    alarm.wait(SHORT)
    assert perf_counter() - started >= SHORT - 0.001


@pytest.mark.parametrize("rung", [False, True])
def test_a_killed_greenlet_leaves_nothing_behind(rung: bool) -> None:
    alarm, loop = Alarm(), gevent.get_hub().loop
    active = loop.activecnt
    waiting = gevent.spawn(alarm.wait, LONG)
    gevent.idle()
    assert loop.activecnt == active + 1
    if rung:
        alarm.ring()
    waiting.kill()
    assert alarm._waiter is None
    gevent.idle()
    assert loop.activecnt == active


def test_a_wait_leaves_nothing_behind() -> None:
    alarm, loop = Alarm(), gevent.get_hub().loop
    active = loop.activecnt
    waiting = gevent.spawn(alarm.wait, LONG)
    gevent.idle()
    alarm.ring()
    waiting.get(timeout=LONG / 2)
    assert alarm._waiter is None
    assert loop.activecnt == active
