from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.clock import Deadline, Ticker

SECONDS = st.floats(0, 1e6, allow_nan=False)


def test_a_deadline_is_one_point_in_time() -> None:
    deadline = Deadline.after(100.0, 5.0)
    assert (deadline.left(100.0), deadline.left(103.0), deadline.left(105.0), deadline.left(200.0)) == (
        5,
        2,
        0,
        0,
    )
    assert (deadline.expired(104.999), deadline.expired(105.0)) == (False, True)


def test_no_limit_never_expires() -> None:
    deadline = Deadline.after(100.0, None)
    assert deadline.left(1e12) is None
    assert not deadline.expired(1e12)


@given(SECONDS, SECONDS, SECONDS)
def test_the_remaining_time_is_never_negative_and_zero_once_expired(
    now: float, seconds: float, later: float
) -> None:
    deadline = Deadline.after(now, seconds)
    left = deadline.left(now + later)
    assert left is not None
    assert left >= 0.0
    assert deadline.expired(now + later) == (left == 0.0)


def test_ticks_are_on_the_grid_of_the_start() -> None:
    ticker = Ticker(10.0, 50.0)
    assert ticker.wait(49.0) == 1.0
    first = ticker.due(50.03)
    assert (first.number, first.planned, first.missed) == (0, 50.0, 0)
    assert first.late == pytest.approx(0.03)
    assert ticker.wait(50.03) == pytest.approx(0.07)
    assert ticker.wait(51.0) == 0.0


def test_missed_ticks_are_counted_and_not_repeated() -> None:
    ticker = Ticker(10.0, 0.0)
    ticker.due(0.0)
    late = ticker.due(0.55)
    assert (late.number, late.missed, late.planned) == (5, 4, 0.5)
    assert late.late == pytest.approx(0.05)
    assert ticker.wait(0.55) == pytest.approx(0.05)


def test_ticks_in_turn_leave_none_out() -> None:
    ticker = Ticker(10.0, 0.0)
    ticks = [ticker.in_turn(now) for now in (0.0, 0.55, 0.55, 0.56)]
    assert [(tick.number, tick.missed) for tick in ticks] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert [tick.late for tick in ticks] == pytest.approx([0.0, 0.45, 0.35, 0.26])
    assert ticker.wait(0.3) == pytest.approx(0.1)


@given(
    st.floats(0.1, 1000), st.floats(0, 1e6), st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=50)
)
def test_no_tick_is_lost_or_repeated_however_late_the_loop_runs(
    rate: float, start: float, delays: list[float]
) -> None:
    ticker = Ticker(rate, start)
    now, missed = start, 0
    for count, delay in enumerate(delays):
        now += ticker.wait(now) + delay
        tick = ticker.due(now)
        missed += tick.missed
        assert tick.number == count + missed
        assert tick.planned == start + tick.number / rate
        assert 0.0 <= tick.late <= 1 / rate + 1e-6
        assert tick.planned <= now + 1e-6
        assert tick.missed >= 0


@pytest.mark.parametrize("rate", [0, -1.0])
def test_a_rate_must_be_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match=f"not {rate}"):
        Ticker(rate, 0.0)
