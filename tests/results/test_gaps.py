"""Gaps in the figures: one per stretch of seconds, bounded, with a line of text for each."""

from __future__ import annotations

import errno
import os

from nakama_bots.results.record.gaps import FIGURES, MOST, Gaps, gap_lines, reason_of
from nakama_bots.results.record.timeline import SERVER, Timeline, gauges_only

STARTED = 1_700_000_000.0
EMFILE = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def gap(second: float, seconds: float = 1.0, reason: str = "full", source: str = "local"):
    return {
        "source": source, "what": FIGURES, "at": STARTED + second, "seconds": seconds, "reason": reason,
    }  # fmt: skip


def test_consecutive_seconds_are_one_gap():
    gaps = Gaps()
    assert [gaps.add(gap(second, reason=reason_of(EMFILE))) for second in (3, 4, 5, 6, 7, 8)] == [
        True, *[False] * 5,
    ]  # fmt: skip
    assert gap_lines(gaps.parts(STARTED)) == [
        "figures of seconds 3 to 9 are missing (local): Too many open files"
    ]


def test_other_seconds_reasons_and_sources_are_separate_gaps():
    gaps = Gaps()
    for one in (gap(1), gap(9), gap(2, reason="other"), gap(2, source="worker")):
        assert gaps.add(one)
    assert [(part["first_s"], part["source"]) for part in gaps.parts(STARTED)] == [
        (1, "local"), (9, "local"), (2, "local"), (2, "worker"),
    ]  # fmt: skip


def test_the_number_of_gaps_is_bounded():
    gaps = Gaps()
    for number in range(3 * MOST):
        gaps.add(gap(10.0 * number))
    assert len(gaps) == MOST
    assert gaps.parts(STARTED)[-1]["last_s"] == 10.0 * (3 * MOST - 1) + 1


def test_reasons_are_short():
    assert reason_of(EMFILE) == "Too many open files"
    assert reason_of(ZeroDivisionError("by 0")) == "ZeroDivisionError: by 0"
    assert len(reason_of(ValueError("x" * 9999))) <= 200


def timeline(*rows: tuple[str, float, float]) -> Timeline:
    line = Timeline(STARTED)
    for source, at, seconds in rows:
        line.add(gauges_only(source, STARTED + at, seconds, {}))
    return line


def holes(line: Timeline, ended: float) -> list[tuple[str, float, float]]:
    found = line.holes("local", STARTED + ended)
    return [(source, first - STARTED, last - STARTED) for source, first, last in found]


def test_a_complete_time_line_has_no_holes():
    assert holes(timeline(("local", 0, 1), ("local", 1.2, 1), ("worker", 5, 1), (SERVER, 0, 5)), 3) == []


def test_holes_in_the_middle_and_at_the_ends():
    line = timeline(("local", 2, 1), ("worker", 1, 1), ("local", 7, 1), ("worker", 9, 1))
    assert holes(line, 12) == [("local", 0, 2), ("local", 3, 7), ("worker", 2, 9), ("local", 8, 12)]


def test_a_time_line_without_rows_is_one_hole():
    assert holes(timeline(), 9) == [("local", 0, 9)]
