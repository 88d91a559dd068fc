from __future__ import annotations

import time

from locust.stats import RequestStats

from nakama_bots.load.figures.pruning import KEPT, prune


def test_only_seconds_that_nothing_looks_at_are_forgotten() -> None:
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
