"""Keeps Locust's statistics from growing with the length of a run.

Every entry of them has a count for each second of the run, of which Locust looks at the last twelve: twenty
entries take ten megabytes an hour.
"""

from __future__ import annotations

import time
from typing import Final

import gevent
from locust.stats import RequestStats

KEPT: Final = 60.0
"""Seconds whose counts stay."""


def prune(stats: RequestStats, now: float) -> None:
    """Forget the counts of seconds before ``now`` (since 1970) that nothing looks at any more."""
    oldest = now - KEPT
    for entry in (stats.total, *stats.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in counts if second < oldest]:
                del counts[second]


def keep_pruned(stats: RequestStats) -> None:
    """Prune again and again, for a greenlet; does not return."""
    while True:
        gevent.sleep(KEPT)
        prune(stats, time.time())
