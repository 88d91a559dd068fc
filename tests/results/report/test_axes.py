from __future__ import annotations

import pytest

from nakama_bots.results.show.report import axes


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (5, ["0:00", "0:01", "0:02", "0:03", "0:04", "0:05"]),
        (32.2, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25", "0:30"]),
        (600, ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"]),
        (7200, ["0:00", "15:00", "30:00", "45:00", "1:00:00", "1:15:00", "1:30:00", "1:45:00", "2:00:00"]),
    ],
)
def test_a_time_axis_has_round_ticks(seconds, texts):
    assert [text for _, text in axes.time_axis(seconds).ticks] == texts


@pytest.mark.parametrize(
    ("highest", "texts"),
    [
        (0, ["0", "0.25", "0.5", "0.75", "1"]),
        (10, ["0", "2.5", "5", "7.5", "10"]),
        (43, ["0", "20", "40", "60"]),
        (123_456, ["0", "50k", "100k", "150k"]),
    ],
)
def test_a_linear_axis_starts_at_zero_and_covers_the_values(highest, texts):
    axis = axes.linear_axis(highest)
    assert [text for _, text in axis.ticks] == texts
    assert axis.high >= highest


@pytest.mark.parametrize(
    ("lowest", "highest", "texts"),
    [
        (1.2, 9.0, ["1", "2", "5", "10"]),
        (3.0, 3.0, ["2", "5"]),
        (0.3, 90.0, ["0.3", "1", "3", "10", "30", "100"]),
        (0.02, 5000.0, ["0.01", "0.1", "1", "10", "100", "1000", "10k"]),
    ],
)
def test_a_log_axis_ends_at_round_numbers(lowest, highest, texts):
    axis = axes.log_axis(lowest, highest)
    assert [text for _, text in axis.ticks] == texts
    assert 10**axis.low <= lowest * 1.001
    assert 10**axis.high >= highest * 0.999


def test_nines_are_evenly_spaced():
    places = [axes.percentile_place(percent) for percent in (90, 99, 99.9)]
    assert places == pytest.approx([1, 2, 3])
    assert [text for _, text in axes.percentile_axis(99.0).ticks] == ["0", "50", "75", "90", "95", "99"]
