from __future__ import annotations

import math

import msgpack
import orjson
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from nakama_bots.results.record.histogram import HIGHEST, Histogram

HIGHEST_US = 3_600_000_000
PERCENTS = (0.001, 1.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)

microseconds = st.one_of(st.integers(0, 5000), st.integers(0, HIGHEST_US))
# Repetition creates lists that are longer than a batch.
values = st.lists(st.tuples(microseconds, st.integers(1, 300)), min_size=1, max_size=20).map(
    lambda pairs: [value for value, times in pairs for _ in range(times)]
)


def histogram_of(microseconds):
    histogram = Histogram()
    for value in microseconds:
        histogram.record(value / 1e6)
    return histogram


@settings(deadline=None)
@given(values)
def test_counts_equal_those_of_the_library(recorded):
    library = HdrHistogram(1, HIGHEST_US, 3)
    for value in recorded:
        library.record_value(value)
    assert histogram_of(recorded).encode()["hdr"] == library.encode().decode()


@settings(deadline=None)
@given(values)
def test_percentiles_agree_with_the_sorted_list(recorded):
    histogram = histogram_of(recorded)
    recorded.sort()
    found = histogram.percentiles(PERCENTS)
    for percent in PERCENTS:
        exact = recorded[max(int(percent * len(recorded) / 100 + 0.5), 1) - 1]
        assert exact <= round(found[percent] * 1e6) <= exact + exact // 1024
        assert histogram.percentile(percent) == found[percent]


@settings(deadline=None)
@given(values)
def test_count_minimum_maximum_and_mean_are_exact(recorded):
    histogram = histogram_of(recorded)
    assert histogram.count == len(recorded)
    assert histogram.min == min(recorded) / 1e6
    assert histogram.max == max(recorded) / 1e6
    assert histogram.mean == pytest.approx(sum(recorded) / len(recorded) / 1e6, rel=1e-12)
    assert histogram.encode()["total_us"] == sum(recorded)


@settings(deadline=None)
@given(values, values, st.booleans(), st.booleans())
def test_adding_equals_recording_in_one_place(first, second, fold_first, fold_second):
    whole, left, right = histogram_of(first + second), histogram_of(first), histogram_of(second)
    if fold_first:
        assert left.min is not None
    if fold_second:
        assert right.min is not None
    before = histogram_of(second).encode()
    left.add(right)
    assert left.encode() == whole.encode()
    assert left.count == len(first) + len(second)
    assert right.encode() == before


@settings(deadline=None)
@given(st.lists(microseconds, max_size=600), st.booleans())
def test_encoding_round_trips_through_json_and_msgpack(recorded, folded):
    encoded = histogram_of(recorded).encode(folded=folded)
    for carried in (orjson.loads(orjson.dumps(encoded)), msgpack.unpackb(msgpack.packb(encoded))):
        decoded = Histogram.decode(carried)
        assert decoded.count == len(recorded)
        decoded.record(0.5)
        assert decoded.encode() == histogram_of([*recorded, 500_000]).encode()


def test_the_encoding_is_that_of_other_hdr_tools():
    library = HdrHistogram.decode(histogram_of(range(1, 1001)).encode()["hdr"])
    assert library.get_total_count() == 1000
    assert library.get_value_at_percentile(50) == 500


def test_values_are_rounded_to_the_nearest_microsecond():
    histogram = Histogram()
    histogram.record(0.000_001_4)
    assert histogram.max == 1e-6
    histogram.record(0.000_001_6)
    assert histogram.max == 2e-6


def test_a_percentile_is_never_above_the_exact_maximum():
    histogram = Histogram()
    histogram.record(1.000_001)
    assert histogram.percentile(99.9) == histogram.max == 1.000_001


def test_values_above_the_range_are_clamped_and_counted():
    histogram = Histogram()
    for seconds in (HIGHEST, HIGHEST + 0.001, 1e9):
        histogram.record(seconds)
    assert histogram.overflow == 2
    assert histogram.count == 3
    assert histogram.min == histogram.max == histogram.percentile(50) == HIGHEST
    assert Histogram.decode(histogram.encode()).overflow == 2


def test_negative_durations_are_zero_and_counted():
    histogram, other = Histogram(), Histogram()
    histogram.record(-0.25)
    other.record(-1e-9)
    other.record(0.0)
    histogram.add(other)
    assert histogram.underflow == 2
    assert histogram.count == 3
    assert histogram.max == 0.0


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_non_finite_values_are_refused(seconds):
    histogram = Histogram()
    with pytest.raises(ValueError, match="finite"):
        histogram.record(seconds)
    assert histogram.count == 0


def test_an_empty_histogram_has_no_figures():
    histogram = Histogram()
    assert histogram.count == 0
    assert histogram.min is histogram.max is histogram.mean is histogram.percentile(50) is None
    assert histogram.encode()["hdr"] == ""
    histogram.add(Histogram.decode(histogram.encode()))
    assert histogram.count == 0


@pytest.mark.parametrize("percent", [0, -1, 100.1, math.nan])
def test_a_percentile_out_of_range_is_refused(percent):
    with pytest.raises(ValueError, match="percentile must be above 0 and at most 100"):
        Histogram().percentile(percent)


def other_library(lowest=1, highest=HIGHEST_US, digits=3):
    library = HdrHistogram(lowest, highest, digits)
    library.record_value(1000)
    return library.encode().decode()


GOOD = histogram_of([1000]).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hdr": "not base64!"}, "not an encoded HDR histogram"),
        ({"hdr": "AAAA"}, "not an encoded HDR histogram"),
        ({"hdr": "AAAAAAAAAAAAAAAAAAAA"}, "not an encoded HDR histogram"),
        ({"hdr": GOOD["hdr"][:-8]}, "not an encoded HDR histogram"),
        ({"hdr": other_library(highest=1_000_000)}, "has \\(lowest, highest, digits\\) \\(1, 1000000, 3\\)"),
        ({"hdr": other_library(digits=2)}, "digits"),
        ({"hdr": HdrHistogram(1, HIGHEST_US, 3).encode().decode()}, "does not fit its counts"),
        ({"min_us": 900, "total_us": 950}, "does not fit its counts"),
        ({"max_us": 2000}, "does not fit its counts"),
        ({"max_us": -1}, "does not fit its counts"),
        ({"total_us": 1001}, "does not fit its counts"),
        ({"raw_us": [5, -1]}, "raw value"),
        ({"raw_us": [HIGHEST_US + 1]}, "raw value"),
    ],
)
def test_bad_encodings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Histogram.decode({**GOOD, **change})
