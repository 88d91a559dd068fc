"""CRON schedules: the next and the previous time, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats.schedule import Schedule, ScheduleError


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "after", "following"),
    [
        ("0 0 * * *", "2026-11-23T20:40:03", "2026-11-24T00:00:00"),
        ("0 0 * * *", "2026-11-24T00:00:00", "2026-11-25T00:00:00"),
        ("*/15 * * * *", "2026-11-23T20:40:03", "2026-11-23T20:45:00"),
        ("5/20 3 * * *", "2026-11-23T03:25:00", "2026-11-23T03:45:00"),
        ("0 12 * * 1", "2026-11-23T12:00:00", "2026-11-30T12:00:00"),
        ("0 12 * * MON-WED", "2026-11-23T12:00:00", "2026-11-24T12:00:00"),
        ("0 12 * * 7", "2026-11-23T00:00:00", "2026-11-29T12:00:00"),
        ("0 0 1 JAN,jul *", "2026-11-23T00:00:00", "2027-01-01T00:00:00"),
        # A day and a weekday: either matches.
        ("0 0 1 * MON", "2026-11-24T00:00:00", "2026-11-30T00:00:00"),
        ("0 0 1 * MON", "2026-11-30T00:00:00", "2026-12-01T00:00:00"),
        ("0 0 L * *", "2027-02-01T00:00:00", "2027-02-28T00:00:00"),
        ("0 0 29 2 *", "2026-11-23T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 * * * 2030", "2026-11-23T00:00:00", "2030-01-01T00:00:00"),
        ("30 59 23 31 12 ? 2026", "2026-11-23T00:00:00", "2026-12-31T23:59:30"),
        ("@hourly", "2026-11-23T20:40:03", "2026-11-23T21:00:00"),
        ("@weekly", "2026-11-23T20:40:03", "2026-11-29T00:00:00"),
        ("@monthly", "2026-11-23T20:40:03", "2026-12-01T00:00:00"),
        ("@yearly", "2026-11-23T20:40:03", "2027-01-01T00:00:00"),
    ],
)
def test_next(text: str, after: str, following: str) -> None:
    schedule = Schedule.parse(text)
    assert schedule.next(unix(after)) == unix(following)
    assert schedule.previous(unix(following) + 1) == unix(following)


@given(
    st.sampled_from(("0 0 * * *", "*/7 1-5 * * *", "0 6 1,15 * *", "0 0 * * 0", "10 */6 * 2-4 *")),
    st.integers(1_000_000_000, 2_000_000_000),
)
def test_next_and_previous_are_consistent(text: str, now: int) -> None:
    schedule = Schedule.parse(text)
    following = schedule.next(now)
    assert following > now
    before = schedule.previous(following)
    assert before is not None
    assert before <= now < following
    assert schedule.next(before) == following


def test_no_previous_time_before_the_first() -> None:
    assert Schedule.parse("0 0 * * * 2030").previous(unix("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 0 * *",
        "60 0 * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "5-1 0 * * *",
        "*/0 * * * *",
        "x 0 * * *",
        "0 0 30 2 *",
        "@never",
    ],
)
def test_bad_schedules(text: str) -> None:
    with pytest.raises(ScheduleError, match="accepted: 5 to 7 CRON fields"):
        Schedule.parse(text)
