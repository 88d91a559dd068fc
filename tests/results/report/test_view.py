from __future__ import annotations

import pytest

from nakama_bots.results.record.timeline import Timeline, gauges_only
from nakama_bots.results.show.report.view import bin_width, bins_of

from .conftest import SECONDS, START


def test_every_second_of_a_short_run_is_a_bin(view):
    bins = view.bins
    assert (bins.width, bins.number) == (1, SECONDS)
    join = bins.calls["WS", "match_join"]
    assert [sum(block.values()) for block in join.ok] == [20] * SECONDS
    assert join.failed == [1] * SECONDS
    assert bins.calls["WS", "channel_join"].failed == [0] * 7 + [1] + [0] * 22
    assert sum(map(sum, bins.errors.values())) == SECONDS + 1
    assert bins.counts["tickets_added"][0] == 22


def test_process_gauges_are_summed_and_server_gauges_kept_apart(view):
    assert view.bins.gauges == {"sockets": [18.0] * SECONDS, "users": [20.0] * SECONDS}
    assert view.bins.server["server.sessions"] == [18.0 + second for second in range(SECONDS)]


@pytest.mark.parametrize(
    ("seconds", "width"), [(1, 1), (150, 1), (151, 2), (600, 5), (3600, 30), (86_400, 600), (10**9, 86_400)]
)
def test_a_long_run_has_longer_bins(seconds, width):
    assert bin_width(seconds) == width


def test_a_bin_has_the_last_value_of_a_gauge_or_none():
    timeline = Timeline(START)
    for second in (0, 1, 200):
        timeline.add(gauges_only("local", START + second, 1.0, {"users": float(second)}))
    bins = bins_of(timeline)
    assert bins.width == 2
    assert bins.gauges["users"] == [1.0] + [None] * 99 + [200.0]


def test_without_a_time_line_there_are_no_bins():
    assert bins_of(None).number == 0
    assert bins_of(Timeline(START)).number == 0


def test_binning_yields_to_other_greenlets(timeline):
    pauses = []
    bins_of(timeline, pause=lambda: pauses.append(1))
    assert len(pauses) == len(timeline)
