"""Yielding between reads, and time limits."""

from __future__ import annotations

import time
from contextlib import suppress

import gevent
import pytest

from nakama_bots.errors import RequestTimeout
from nakama_bots.net.time_limit import TimeLimit
from nakama_bots.net.turns import Turns


def test_wait_for_the_first_read_is_not_counted() -> None:
    slept: list[float] = []
    turns = Turns(slept.append)
    time.sleep(0.02)  # a slow server
    turns.give_way()
    assert slept == []
    time.sleep(0.02)  # slow parsing
    turns.give_way()
    assert len(slept) == 1


def test_limit_is_not_caught_by_the_code_that_waits() -> None:
    limit = TimeLimit(0.01, "no answer", " of the request")
    # A library may suppress every Exception.
    with pytest.raises(RequestTimeout) as caught, limit, suppress(Exception):
        gevent.sleep(60)
    assert str(caught.value) == "no answer within 0.01 s of the request"


def test_outer_limit_expires_first() -> None:
    with pytest.raises(RequestTimeout, match="outer"), TimeLimit(0.01, "outer"), TimeLimit(60, "inner"):
        gevent.sleep(60)


def test_limit_starts_with_its_block_after_a_blocked_event_loop() -> None:
    time.sleep(0.5)
    with TimeLimit(0.5, "no answer"):
        gevent.sleep(0.001)


def test_limit_has_no_effect_after_its_block() -> None:
    with TimeLimit(0.01, "no answer"):
        pass
    gevent.sleep(0.05)
