"""A run's time line in bins of equal length: players, counts, and what the server's figures did in each. Pure.

The server's totals are joined between two reads by a straight line, so that every bin has a rate. Nakama
reports its own counters once per minute by default: for these, what changes within a minute is smeared
(``metrics.reporting_freq_sec`` makes it shorter).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from nakama_bots import observer
from nakama_bots.results.record import gauges
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import no_pause
from nakama_bots.results.record.timeline import SERVER, Interval, Timeline
from nakama_bots.results.server.metrics import report_places, server_figures

WIDTH: Final = 5.0
"""Seconds of a bin; longer for a run of more than ``_MOST`` bins."""
_MOST: Final = 240

Series = list[float | None]
"""A value for each bin; None where it is not known."""

REPORTED: Final = frozenset({
    "db_waits", "db_wait_seconds", "dropped_events", "storage_rejects", "requests", "messages", "errors",
    "received_bytes", "sent_bytes",
})  # fmt: skip
"""Totals that the server reports now and then; all others are current at a read."""
_COUNTS: Final = (
    observer.TICKETS_ADDED, observer.TICKETS_MATCHED, observer.TICKETS_CANCELLED, observer.TICKETS_TIMED_OUT,
    observer.AUTHORITATIVE_JOINED, observer.QUEUE_FULL_CLOSES, observer.SLOW_READERS_CLOSED,
    observer.INPUTS_SENT, observer.INPUTS_DROPPED, observer.SERVER_TICKS, observer.SERVER_TICKS_DUE,
)  # fmt: skip


class RunBins:
    """The bins of a run, oldest first; ``width`` in seconds. ``players`` are the most in each.

    ``log`` has the number of the server's log lines by kind and second (since 1970). ``pause`` is called after
    each interval.
    """

    def __init__(
        self,
        timeline: Timeline,
        log: Mapping[str, Mapping[int, int]] | None = None,
        *,
        pause: Callable[[], object] = no_pause,
    ) -> None:
        length = max(0.0, timeline.ended - timeline.started)
        self.width = max(WIDTH, length / _MOST)
        self.number = int(length / self.width) + 1
        self.delivery = [Histogram() for _ in range(self.number)]
        self._started = timeline.started
        self._counts = {name: [0.0] * self.number for name in _COUNTS}
        self._reads: list[tuple[float, Mapping[str, float]]] = []
        self.players = self._read(timeline.in_order(), pause)
        self._reads.sort(key=lambda read: read[0])
        self._reports = report_places([values for _, values in self._reads])
        self._log: dict[str, list[float]] | None = None
        if log is not None:
            self._log = {kind: [0.0] * self.number for kind in log}
            for kind, seconds in log.items():
                for at, number in seconds.items():
                    self._log[kind][self._place(at)] += number

    def count(self, name: str) -> list[float]:
        """Return how often ``name`` was counted in each bin."""
        return self._counts[name]

    def logged(self, kind: str) -> Series:
        """Return how many lines of ``kind`` the server logged in each bin; None where there is no log."""
        return [None] * self.number if self._log is None else list(self._log.get(kind, [0.0] * self.number))

    def level(self, name: str) -> Series:
        """Return the value of a gauge of the server that was read last, at the end of each bin."""
        reads = [(at, values[name]) for at, values in self._reads if name in values]
        times = [at for at, _ in reads]
        found: Series = []
        for place in range(self.number):
            last = bisect_right(times, self._edge(place + 1)) - 1
            known = last >= 0 and self._edge(place) - times[last] < 2 * self.width
            found.append(reads[last][1] if known else None)
        return found

    def rate(self, name: str) -> Series:
        """Return the growth of a total of the server, per second."""
        reads = self._reads
        if name in REPORTED:
            reads = [reads[place] for place in self._reports]
        known = [(at, values[name]) for at, values in reads if name in values]
        edges = [_between(known, self._edge(place)) for place in range(self.number + 1)]
        return [
            None if before is None or after is None else (after - before) / self.width
            for before, after in pairwise(edges)
        ]

    def smooth(self, values: Sequence[float | None], seconds: float) -> Series:
        """Return the mean of each bin and those before it, over ``seconds``."""
        size = max(1, round(seconds / self.width))
        found: Series = []
        for place in range(len(values)):
            known = [value for value in values[max(0, place + 1 - size) : place + 1] if value is not None]
            found.append(sum(known) / len(known) if known else None)
        return found

    def _read(self, rows: Iterable[Interval], pause: Callable[[], object]) -> list[float]:
        """Put ``rows`` into their bins; return the players of each."""
        users: list[dict[str, float]] = [{} for _ in range(self.number)]
        for row in rows:
            pause()
            middle = row["at"] + row["seconds"] / 2
            place = self._place(middle)
            if row["source"] == SERVER:
                self._reads.append((row["at"] + row["seconds"], server_figures(row)))
                continue
            if gauges.USERS in row["gauges"]:
                most = users[place].get(row["source"], 0.0)
                users[place][row["source"]] = max(most, row["gauges"][gauges.USERS])
            recorded = row["recorded"]
            for name, found in self._counts.items():
                found[place] += recorded["counts"].get(name, 0)
            delivered = recorded["samples"].get(observer.DELIVERY_LATENCY)
            if delivered is not None:
                self.delivery[place].add(Histogram.decode(delivered))
        return [sum(found.values()) for found in users]

    def _place(self, at: float) -> int:
        return min(self.number - 1, max(0, int((at - self._started) / self.width)))

    def _edge(self, place: int) -> float:
        return self._started + place * self.width


def _between(reads: Sequence[tuple[float, float]], at: float) -> float | None:
    """Return the value at ``at`` on the line through the reads around it; None outside of all reads."""
    after = bisect_left(reads, at, key=lambda read: read[0])
    if after == len(reads):
        return None
    later, value = reads[after]
    if later == at:
        return value
    if not after:
        return None
    earlier, before = reads[after - 1]
    return before + (value - before) * (at - earlier) / (later - earlier)
