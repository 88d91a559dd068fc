"""Durations counted in an HDR histogram: microseconds, 3 significant digits, up to 1 hour.

The counts are kept by the library ``hdrhistogram``; other HDR tools can read its encoding (V2, compressed,
base64). The exact total, minimum and maximum are kept here, because the library knows them only to the width
of a bucket.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Any, Final, TypedDict

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

HIGHEST: Final = 3600.0
"""Seconds; a longer duration counts as this one, and in ``overflow``."""

_HIGHEST_US: Final = 3_600_000_000
_DIGITS: Final = 3

# A record only appends; counting is done in batches: 0.3 us per record in total, against 0.95 us with the
# library's ``record_value`` each time, and a batch blocks the event loop for at most 0.2 ms.
_BATCH: Final = 256

# For invalid input the library raises whatever its steps raise.
_DECODE_ERRORS: Final = (
    ValueError, IndexError, TypeError, OverflowError, zlib.error, HdrCookieException, HdrLengthException,
)  # fmt: skip


class EncodedHistogram(TypedDict):
    """A histogram as text and integers, for JSON and msgpack.

    ``hdr`` holds the counts in microseconds ("" for none), ``raw_us`` values that are not counted yet.
    Total, minimum and maximum are exact microseconds (0 when empty); ``overflow`` and ``underflow`` say how
    many values were above ``HIGHEST`` or below 0 and are counted as those.
    """

    hdr: str
    raw_us: list[int]
    total_us: int
    min_us: int
    max_us: int
    overflow: int
    underflow: int


def new_hdr() -> Any:
    """Return an empty histogram of the library with our range and precision."""
    return HdrHistogram(1, _HIGHEST_US, _DIGITS)


class Histogram:
    """Counts durations in seconds; adding two histograms gives exactly the one that had recorded everything."""

    __slots__ = ("_buffer", "_hdr", "_max", "_min", "_total", "overflow", "underflow")

    def __init__(self) -> None:
        self._buffer: list[int] = []
        # Created when first needed: its counters take 188 kB, and most rows of an interval stay below a batch.
        self._hdr: Any = None
        self._total = 0
        self._min = _HIGHEST_US
        self._max = 0
        self.overflow = 0
        self.underflow = 0

    def record(self, seconds: float) -> None:
        """Count one duration. Raises ``ValueError`` for NaN and infinity."""
        if not 0.0 <= seconds <= HIGHEST:
            seconds = self._clamp(seconds)
        buffer = self._buffer
        buffer.append(int(seconds * 1e6 + 0.5))
        if len(buffer) >= _BATCH:
            self._fold()

    def record_all(self, durations: list[float]) -> None:
        """Count durations; finite numbers only."""
        if not durations:
            return
        if min(durations) < 0.0 or max(durations) > HIGHEST:
            durations = [self._clamp(one) if not 0.0 <= one <= HIGHEST else one for one in durations]
        self._buffer += [int(seconds * 1e6 + 0.5) for seconds in durations]
        if len(self._buffer) >= _BATCH:
            self._fold()

    def _clamp(self, seconds: float) -> float:
        if not math.isfinite(seconds):
            raise ValueError(f"a duration must be a finite number of seconds, not {seconds}")
        if seconds > HIGHEST:
            self.overflow += 1
            return HIGHEST
        self.underflow += 1
        return 0.0

    def _fold(self) -> None:
        """Count the appended values.

        The index is computed as in the library (``_counts_index_for``) for a lowest value of 1, without five
        calls per value; a test compares the two.
        """
        buffer = self._buffer
        if not buffer:
            return
        if self._hdr is None:
            self._hdr = new_hdr()
        hdr = self._hdr
        counts = hdr.counts
        half_bits = hdr.sub_bucket_half_count_magnitude
        for value in buffer:
            shift = value.bit_length() - half_bits - 1
            counts[value if shift <= 0 else (shift << half_bits) + (value >> shift)] += 1
        hdr.total_count += len(buffer)
        self._total += sum(buffer)
        lowest, highest = min(buffer), max(buffer)
        self._min = min(self._min, lowest)
        self._max = max(self._max, highest)
        # The library encodes up to the bucket of its maximum.
        hdr.max_value = self._max
        buffer.clear()

    def add(self, other: Histogram) -> None:
        """Add all counts of ``other``; ``other`` is unchanged."""
        if other._hdr is not None:
            if self._hdr is None:
                self._hdr = new_hdr()
            self._hdr.add(other._hdr)
            self._total += other._total
            self._min = min(self._min, other._min)
            self._max = max(self._max, other._max)
            self._hdr.max_value = self._max
        self._buffer += other._buffer
        self.overflow += other.overflow
        self.underflow += other.underflow
        # At once, not in batches: a histogram that others are added to lives as long as the run. A rare name
        # that gets its counters after an hour would look like a leak.
        self._fold()

    @property
    def count(self) -> int:
        """The number of recorded durations."""
        return len(self._buffer) + (self._hdr.total_count if self._hdr is not None else 0)

    @property
    def min(self) -> float | None:
        """The shortest duration, exact to the microsecond; None if empty."""
        self._fold()
        return self._min / 1e6 if self._hdr is not None else None

    @property
    def max(self) -> float | None:
        """The longest duration, exact to the microsecond; None if empty."""
        self._fold()
        return self._max / 1e6 if self._hdr is not None else None

    @property
    def mean(self) -> float | None:
        """The arithmetic mean of the exact microseconds, in seconds; None if empty."""
        self._fold()
        return self._total / self._hdr.total_count / 1e6 if self._hdr is not None else None

    def percentile(self, percent: float) -> float | None:
        """Return the duration in seconds that ``percent`` (above 0, at most 100) of all do not exceed."""
        return self.percentiles((percent,))[percent]

    def percentiles(self, percents: Iterable[float]) -> dict[float, float | None]:
        """Return several percentiles in one pass, by percent; each None if empty.

        As in every HDR histogram, a value is the upper end of its bucket (at most 0.1 % above the recorded
        one), here never above the exact maximum or below the exact minimum.
        """
        wanted = list(percents)
        for percent in wanted:
            if not 0 < percent <= 100:
                raise ValueError(f"a percentile must be above 0 and at most 100, not {percent}")
        self._fold()
        if self._hdr is None:
            return dict.fromkeys(wanted)
        found: dict[float, int] = self._hdr.get_percentile_to_value_dict(wanted)
        return {percent: min(max(found[percent], self._min), self._max) / 1e6 for percent in wanted}

    def encode(self, *, folded: bool = True) -> EncodedHistogram:
        """Return everything, for ``decode``.

        With ``folded`` false a short histogram is returned as its values, which saves both sides the cost of
        the library's counters (0.3 ms): for histograms that are merged every few seconds, not for files.
        """
        if folded or self._hdr is not None:
            self._fold()
        hdr = self._hdr
        return {
            "hdr": hdr.encode().decode("ascii") if hdr is not None else "",
            "raw_us": list(self._buffer),
            "total_us": self._total,
            "min_us": self._min if hdr is not None else 0,
            "max_us": self._max,
            "overflow": self.overflow,
            "underflow": self.underflow,
        }

    @classmethod
    def decode(cls, encoded: EncodedHistogram) -> Histogram:
        """Decode a histogram. Raises ``ValueError`` for other data, or another range or precision."""
        self = cls()
        self.overflow, self.underflow = encoded["overflow"], encoded["underflow"]
        self._buffer = list(encoded["raw_us"])
        if self._buffer and not 0 <= min(self._buffer) <= max(self._buffer) <= _HIGHEST_US:
            raise ValueError("a raw value of the encoded histogram is out of range")
        if encoded["hdr"]:
            self._hdr = _decode_counts(encoded)
            self._total, self._min, self._max = encoded["total_us"], encoded["min_us"], encoded["max_us"]
            self._hdr.max_value = self._max
        return self


def decode_hdr(text: str) -> Any:
    """Decode HDR V2 text with the library. Raises ``ValueError`` for other text, range or precision."""
    try:
        hdr = HdrHistogram.decode(text)
    except _DECODE_ERRORS as error:
        raise ValueError(f"not an encoded HDR histogram ({error})") from None
    settings = (hdr.lowest_trackable_value, hdr.highest_trackable_value, hdr.significant_figures)
    if settings != (1, _HIGHEST_US, _DIGITS):
        msg = "the encoded histogram has (lowest, highest, digits) {}, not {}"
        raise ValueError(msg.format(settings, (1, _HIGHEST_US, _DIGITS)))
    return hdr


def _decode_counts(encoded: EncodedHistogram) -> Any:
    hdr = decode_hdr(encoded["hdr"])
    low, high, count = encoded["min_us"], encoded["max_us"], hdr.total_count
    consistent = (
        count > 0
        and 0 <= low <= high <= _HIGHEST_US
        and hdr.values_are_equivalent(low, hdr.min_value)
        and hdr.values_are_equivalent(high, hdr.max_value)
        and count * low <= encoded["total_us"] <= count * high
    )
    if not consistent:
        raise ValueError("the encoded histogram's minimum, maximum or total does not fit its counts")
    return hdr
