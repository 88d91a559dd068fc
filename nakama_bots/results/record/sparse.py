"""An encoded histogram as its filled buckets only, for work on thousands of small histograms.

``Histogram`` has counters for every bucket up to one hour (188 kB) and its library walks over them for a
percentile; an interval's rows mostly hold some dozen values. The buckets are the same: 3 significant digits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final

from nakama_bots.results.record.histogram import EncodedHistogram, decode_hdr, new_hdr

Buckets = dict[int, int]
"""Counts by the index of the bucket."""

_HALF_BITS: Final = 10
_HALF: Final = 1 << _HALF_BITS


def bucket_of(microseconds: int) -> int:
    """Return the bucket that counts a value."""
    shift = microseconds.bit_length() - _HALF_BITS - 1
    return microseconds if shift <= 0 else (shift << _HALF_BITS) + (microseconds >> shift)


def highest_in(bucket: int) -> int:
    """Return the highest value, in microseconds, that ``bucket`` counts."""
    if bucket < 2 * _HALF:
        return bucket
    shift = (bucket >> _HALF_BITS) - 1
    return (((bucket & (_HALF - 1)) + _HALF + 1) << shift) - 1


def add(buckets: Buckets, other: Buckets) -> None:
    """Add the counts of ``other``."""
    for bucket, number in other.items():
        buckets[bucket] = buckets.get(bucket, 0) + number


def add_encoded(buckets: Buckets, encoded: EncodedHistogram) -> None:
    """Add the counts of ``encoded``, which must have been checked."""
    add(buckets, Counter(map(bucket_of, encoded["raw_us"])))
    if encoded["hdr"]:
        add(buckets, decode(encoded["hdr"]))


def merged(blocks: Iterable[Buckets]) -> Buckets:
    """Return the counts of all blocks together."""
    total: Buckets = {}
    for block in blocks:
        add(total, block)
    return total


def decode(hdr: str) -> Buckets:
    """Return the filled buckets of an HDR V2 text. Raises ``ValueError`` if it is not one of ours."""
    counted = decode_hdr(hdr)
    until = bucket_of(int(counted.get_max_value())) + 1
    return {bucket: number for bucket, number in enumerate(counted.counts[:until]) if number}


def encode(buckets: Mapping[int, int]) -> str:
    """Return HDR V2 text, which other HDR tools can read; "" for no counts."""
    if not buckets:
        return ""
    counted = new_hdr()
    for bucket, number in buckets.items():
        counted.record_value(highest_in(bucket), number)
    return str(counted.encode().decode("ascii"))


def percentiles(buckets: Mapping[int, int], percents: Iterable[float]) -> list[float | None]:
    """Return each percentile in seconds, as ``Histogram`` but without exact ends; None if empty."""
    order = sorted(buckets)
    totals = list(accumulate(buckets[bucket] for bucket in order))
    if not totals:
        return [None for _ in percents]
    ranks = (rank(percent, totals[-1]) for percent in percents)
    return [highest_in(order[bisect_left(totals, wanted)]) / 1e6 for wanted in ranks]


def rank(percent: float, count: int) -> int:
    """Return the rank of the percentile in ``count`` values, from 1: the nearest, as in the library."""
    return max(1, int(percent / 100 * count + 0.5))
