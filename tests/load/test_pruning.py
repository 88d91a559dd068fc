from __future__ import annotations

import time

from locust.stats import RequestStats

from nakama_bots.load.figures.locust_stats import KEPT, POINTS, prune


def test_only_unused_seconds_are_pruned() -> None:
    stats = RequestStats()
    stats.log_request("WS", "ping", 1.0, 10)
    stats.log_error("WS", "ping", "refused")
    entry = stats.get("ping", "WS")
    second = max(entry.num_reqs_per_sec)
    for counts in (entry.num_reqs_per_sec, stats.total.num_reqs_per_sec, entry.num_fail_per_sec):
        counts[second - 3600] = 7
    prune(stats, time.time())
    for counts in (entry.num_reqs_per_sec, stats.total.num_reqs_per_sec, entry.num_fail_per_sec):
        assert min(counts) >= second
    prune(stats, second + KEPT + 2)
    assert not entry.num_reqs_per_sec
    assert (entry.num_requests, entry.num_failures) == (1, 1)
    assert entry.current_rps == 0


def test_the_charts_of_a_long_run_have_fewer_points() -> None:
    stats = RequestStats()
    for second in range(0, 86_400, 60):
        stats.history += [{"time": second + part} for part in range(0, 60, 5)]
        prune(stats, second)
    times = [point["time"] for point in stats.history]
    assert POINTS / 2 <= len(times) <= POINTS
    assert (times[0], times[-1]) == (0, 86_395)
    assert times == sorted(times)
