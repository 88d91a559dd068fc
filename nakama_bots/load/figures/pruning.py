"""Keeps Locust's statistics from growing with the length of a run.

Every entry keeps a count for each second of the run, of which Locust reads only the last twelve: twenty
entries grow by ten megabytes an hour. The points of Locust's own charts, one in five seconds, are kept for
good: a megabyte an hour.
"""

from __future__ import annotations

import time
from typing import Final

import gevent
from locust.stats import RequestStats

KEPT: Final = 60.0
"""Seconds whose counts are kept."""

POINTS: Final = 360
"""The most points of Locust's charts: half an hour as Locust draws it, a longer run with wider gaps."""


def prune(stats: RequestStats, now: float) -> None:
    """Remove counts that are no longer read, as of ``now`` (seconds since 1970), and points above the limit."""
    oldest = now - KEPT
    for entry in (stats.total, *stats.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in counts if second < oldest]:
                del counts[second]
    if len(stats.history) > POINTS:
        del stats.history[1::2]


def keep_pruned(stats: RequestStats) -> None:
    """Prune periodically. Never returns: run it in a greenlet."""
    while True:
        gevent.sleep(KEPT)
        prune(stats, time.time())
