"""Durations in the buckets of an exponential histogram, as OpenTelemetry defines it. Pure.

At scale n, bucket i holds the values above b**i and up to b**(i + 1), where b is 2**(2**-n): 2**n buckets for
each doubling. At scale n - 1, bucket i holds what buckets 2*i and 2*i + 1 hold at scale n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Final

from nakama_bots.results.export.figures import Distributed
from nakama_bots.results.record.histogram import EncodedHistogram

SCALE: Final = 6
"""Durations are counted at this scale: a bucket is 1.1 % wide."""
MOST_BUCKETS: Final = 160
"""Buckets that are sent, as in OpenTelemetry's own histograms; a lower scale has fewer."""


@dataclass(slots=True)
class ExponentialDurations(Distributed):
    """Counts by index of the bucket. ``min_us`` and ``max_us`` are of all durations, 0 if there are none."""

    counts: dict[int, int] = field(default_factory=dict)
    zeros: int = 0
    min_us: int = 0
    max_us: int = 0

    def add(self, encoded: EncodedHistogram) -> None:
        """Add the counts of ``encoded``, which must have been checked."""
        raw = encoded["raw_us"]
        ends = [min(raw), max(raw)] if raw else []
        if encoded["hdr"]:
            ends += encoded["min_us"], encoded["max_us"]
        if ends:
            self.min_us = min(self.min_us, *ends) if self.count else min(ends)
            self.max_us = max(self.max_us, *ends)
        Distributed.add(self, encoded)  # super() does not work in a class with slots

    def _put(self, values: Iterable[tuple[int, int]]) -> None:
        for microseconds, number in values:
            if microseconds:
                index = ceil(log2(microseconds / 1e6) * 2**SCALE) - 1
                self.counts[index] = self.counts.get(index, 0) + number
            else:
                self.zeros += number

    def buckets(self) -> tuple[int, int, list[int]]:
        """Return a scale, the index of the first bucket, and at most ``MOST_BUCKETS`` counts from there on."""
        if not self.counts:
            return SCALE, 0, []
        first, last, shift = min(self.counts), max(self.counts), 0
        while (last >> shift) - (first >> shift) >= MOST_BUCKETS:
            shift += 1
        found = [0] * ((last >> shift) - (first >> shift) + 1)
        for index, number in self.counts.items():
            found[(index >> shift) - (first >> shift)] += number
        return SCALE - shift, first >> shift, found
