"""Giving way between reads, and limits of time."""

from __future__ import annotations

import time
from contextlib import suppress

import gevent
import pytest

from nakama_bots.errors import RequestTimeout
from nakama_bots.net.time_limit import TimeLimit
from nakama_bots.net.turns import Turns


def test_waiting_for_the_first_read_is_not_reading() -> None:
    slept: list[float] = []
    turns = Turns(slept.append)
    time.sleep(0.02)  # the server takes its time
    turns.give_way()
    assert slept == []
    time.sleep(0.02)  # parsing does
    turns.give_way()
    assert len(slept) == 1


def test_a_limit_ends_what_waits_and_is_not_taken_for_its_failure() -> None:
    limit = TimeLimit(0.01, "no answer", " of the request")
    # As a library may do.
    with pytest.raises(RequestTimeout) as caught, limit, suppress(Exception):
        gevent.sleep(60)
    assert str(caught.value) == "no answer within 0.01 s of the request"


def test_the_outer_one_of_two_limits_is_the_one_that_has_ended() -> None:
    with pytest.raises(RequestTimeout, match="outer"), TimeLimit(0.01, "outer"), TimeLimit(60, "inner"):
        gevent.sleep(60)


def test_a_limit_begins_with_its_block_however_long_the_loop_has_not_run() -> None:
    time.sleep(0.5)
    with TimeLimit(0.5, "no answer"):
        gevent.sleep(0.001)


def test_a_limit_that_was_kept_has_no_effect_later() -> None:
    with TimeLimit(0.01, "no answer"):
        pass
    gevent.sleep(0.05)
