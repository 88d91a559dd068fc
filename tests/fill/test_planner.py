from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ConfigError
from nakama_bots.fill.lobby import Hours, Lobby, Policy
from nakama_bots.fill.planner import Filler, Join, Leave

NOON = time(12)


def joins(filler: Filler, *lobbies: Lobby, now: float = 10.0, local: time = NOON) -> list[str]:
    return [one.lobby_id for one in filler.plan(lobbies, now, local) if isinstance(one, Join)]


def leaves(filler: Filler, *lobbies: Lobby, now: float = 10.0, local: time = NOON) -> list[int]:
    return [one.bot for one in filler.plan(lobbies, now, local) if isinstance(one, Leave)]


def test_emptiest_lobby_is_filled_first() -> None:
    filler = Filler(Policy(seats=4), 0.0)
    assert joins(filler, Lobby("a", 3, ()), Lobby("b", 1, ())) == ["b", "b", "a", "b"]


def test_human_gets_the_newest_bots_seat() -> None:
    assert leaves(Filler(Policy(seats=4), 0.0), Lobby("a", 2, (7, 3, 9))) == [9]


def test_bots_of_another_filler_count() -> None:
    assert joins(Filler(Policy(seats=4), 0.0), Lobby("a", 1, (), others=3)) == []


def test_share_of_the_capacity() -> None:
    assert len(joins(Filler(Policy(share=0.5), 0.0), Lobby("a", 0, (), capacity=10))) == 5


def test_never_more_than_the_capacity() -> None:
    assert len(joins(Filler(Policy(seats=9), 0.0), Lobby("a", 1, (), capacity=4))) == 3


def test_caps() -> None:
    assert len(joins(Filler(Policy(per_lobby=2), 0.0), Lobby("a", 0, ()))) == 2
    assert len(joins(Filler(Policy(total=3), 0.0), Lobby("a", 0, (1,)), Lobby("b", 0, ()))) == 2


def test_bots_leave_a_paused_lobby_but_do_not_join_it() -> None:
    filler = Filler(Policy(seats=2), 0.0)
    lobbies = (Lobby("a", 2, (1,)), Lobby("b", 0, ()), Lobby("c", 1, ()))
    assert filler.plan(lobbies, 10.0, NOON, {"a", "b"}) == [Leave("a", 1), Join("c")]


def test_ramp() -> None:
    filler = Filler(Policy(ramp=2.0), 0.0)
    assert len(joins(filler, Lobby("a", 0, ()), now=1.0)) == 2
    assert len(joins(filler, Lobby("a", 0, (1, 2)), now=1.5)) == 1


def test_lobby_waits_for_humans_first() -> None:
    filler = Filler(Policy(seats=2, wait=5.0), 0.0)
    assert joins(filler, Lobby("a", 1, ()), now=1.0) == []
    assert joins(filler, Lobby("a", 1, ()), now=5.9) == []
    assert joins(filler, Lobby("a", 1, ()), now=6.0) == ["a"]


def test_only_lobbies_with_humans() -> None:
    filler = Filler(Policy(only_with_humans=True), 0.0)
    assert filler.plan([Lobby("a", 0, (1,)), Lobby("b", 0, ())], 10.0, NOON) == [Leave("a", 1)]


def test_closed_at_night() -> None:
    filler = Filler(Policy(hours=Hours.parse("08:00-20:00")), 0.0)
    assert leaves(filler, Lobby("a", 0, (1, 2)), local=time(21)) == [1, 2]
    assert joins(filler, Lobby("a", 0, ()), local=time(21)) == []


@pytest.mark.parametrize(("moment", "is_open"), [(time(23), True), (time(5), True), (time(6), False)])
def test_hours_over_midnight(moment: time, is_open: bool) -> None:
    assert Hours.parse("22:00-06:00").open_at(moment) is is_open


def test_bad_hours() -> None:
    with pytest.raises(ConfigError, match="HH:MM-HH:MM"):
        Hours.parse("early")


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(1, 12), st.integers(1, 12))
def test_plan_fills_exactly_to_the_limit(
    humans: int, bots: int, others: int, seats: int, capacity: int
) -> None:
    lobby = Lobby("a", humans, tuple(range(bots)), others, capacity)
    plan = Filler(Policy(seats=seats), 0.0).plan([lobby], 10.0, NOON)
    change = sum(1 if isinstance(one, Join) else -1 for one in plan)
    if change > 0:
        assert lobby.taken + change == min(seats, capacity)
    elif change < 0:
        assert lobby.taken + change == max(min(seats, capacity), humans + others)
