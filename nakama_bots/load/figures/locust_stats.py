"""Locust's statistics: with a resolution below one millisecond, and of bounded size however long a run is."""

from __future__ import annotations

import time
from typing import Final

import gevent
from locust import stats
from locust.stats import RequestStats

KEPT: Final = 60.0
"""Seconds whose counts are kept."""

POINTS: Final = 360
"""The most points of Locust's charts: half an hour as Locust draws it, a longer run with wider gaps."""

locust_bucket = stats.bucket_response_time


def bucket_response_time(response_time: float) -> float:
    """Round ``response_time`` (milliseconds) to two significant digits, from 10 ms on as Locust does.

    In steps of 0.01 ms below 1 ms, where Locust has whole milliseconds; about 500 buckets up to 100 s.
    """
    # round(x, 2) costs three times as much, and Locust calls this twice per request.
    if response_time < 1:
        return int(response_time * 100 + 0.5) / 100
    if response_time < 10:
        return int(response_time * 10 + 0.5) / 10
    return locust_bucket(response_time)


def install_buckets() -> None:
    """Replace Locust's function, as its documentation allows. Idempotent.

    In every process: the master adds up its workers' buckets.
    """
    stats.bucket_response_time = bucket_response_time  # type: ignore[assignment]


def prune(table: RequestStats, now: float) -> None:
    """Remove counts that are no longer read, as of ``now`` (seconds since 1970), and points above the limit.

    Every entry keeps a count for each second, of which Locust reads only the last twelve: twenty entries grow
    by ten megabytes an hour. The points of Locust's charts, one in five seconds, take a megabyte an hour.
    """
    oldest = now - KEPT
    for entry in (table.total, *table.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in counts if second < oldest]:
                del counts[second]
    if len(table.history) > POINTS:
        del table.history[1::2]


def keep_pruned(table: RequestStats) -> None:
    """Prune periodically. Never returns: run it in a greenlet."""
    while True:
        gevent.sleep(KEPT)
        prune(table, time.time())
