"""Giving way between reads."""

from __future__ import annotations

import time

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
