"""Recording intervals: each step can fail alone, and missing figures are reported."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from nakama_bots.load.figures.intervals import LOCAL, Intervals, Totals
from nakama_bots.results.record.gaps import FIGURES, GAUGES
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import gauges_only
from nakama_bots.settings.health_limits import HealthLimits

EMFILE = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def raises(error: Exception) -> Any:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(0.0)


def test_a_failing_gauge_affects_no_other_figure(recorder: Recorder) -> None:
    totals = Totals()
    intervals = Intervals(LOCAL, recorder, totals.add)
    intervals.gauges += [lambda: {"users": 2.0}, raises(EMFILE), lambda: {"cpu": 0.5}]
    for _ in range(3):
        recorder.count("fish")
        intervals.close()
    intervals.close()  # the gap of the last interval
    assert totals.recorder.counts == {"fish": 3}
    assert [row["gauges"] for row in totals.timeline] == [{"users": 2.0, "cpu": 0.5}] * 4
    (gap,) = totals.gaps
    assert (gap["what"], gap["reason"]) == (GAUGES, "Too many open files")
    (process,) = totals.health.part()["processes"]
    assert set(process.get("unmeasured", ())) == {"loop_busy", "hub_lag", "receive_wait"}


def test_an_undelivered_interval_is_a_gap_in_the_next(recorder: Recorder) -> None:
    totals = Totals()
    fails = [EMFILE, EMFILE, None]

    def deliver(interval: Any) -> None:
        error = fails.pop(0)
        if error is not None:
            raise error
        totals.add(interval)

    intervals = Intervals(LOCAL, recorder, deliver)
    for _ in range(3):
        recorder.count("fish")
        intervals.close()
    assert totals.recorder.counts == {"fish": 1}
    (gap,) = totals.gaps
    assert (gap["what"], gap["source"], gap["reason"]) == (FIGURES, LOCAL, "Too many open files")


def test_figures_that_are_never_delivered_are_known_at_the_end(recorder: Recorder) -> None:
    intervals = Intervals(LOCAL, recorder, raises(EMFILE))
    intervals.start()
    (gap,) = intervals.stop()
    assert gap["what"] == FIGURES
    assert intervals.stop() == []


def test_a_failing_time_line_loses_no_figures(recorder: Recorder) -> None:
    totals = Totals()
    totals.timeline.add = raises(EMFILE)  # type: ignore[method-assign]
    recorder.count("fish")
    Intervals(LOCAL, recorder, totals.add).close()
    assert totals.recorder.counts == {"fish": 1}
    (gap,) = totals.gaps
    assert gap["what"] == "the time line"


def test_a_hole_in_the_time_line_is_reported_once() -> None:
    totals = Totals()
    started = totals.timeline.started
    totals.complete(LOCAL, started + 9)
    (gap,) = totals.gaps
    assert (gap["what"], gap["source"], round(gap["seconds"])) == (FIGURES, LOCAL, 9)
    totals.complete(LOCAL, started + 9)
    assert len(totals.gaps) == 1
    totals.reset(HealthLimits())
    assert len(totals.gaps) == 0


def test_an_export_that_failed_receives_the_next_interval(caplog: pytest.LogCaptureFixture) -> None:
    totals = Totals()
    received: list[float] = []

    def listen(interval: Any) -> None:
        received.append(interval["at"])
        raise EMFILE

    totals.listeners.append(listen)
    for run in (1, 2):
        totals.reset(HealthLimits())
        for at in (1.0, 2.0, 3.0):
            totals.add(gauges_only(LOCAL, at, 1.0, {}))
        assert caplog.text.count("an export missed an interval") == run
    assert received == [1.0, 2.0, 3.0] * 2
    assert list(totals.gaps) == []
