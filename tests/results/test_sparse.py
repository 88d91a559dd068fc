from __future__ import annotations

import random

import pytest

from nakama_bots.results.record import sparse
from nakama_bots.results.record.histogram import Histogram

PERCENTS = (1.0, 50.0, 90.0, 95.0, 99.0, 99.9)


@pytest.fixture
def histogram():
    generator = random.Random(3)
    histogram = Histogram()
    for _ in range(5000):
        histogram.record(generator.lognormvariate(-5, 2))
    histogram.record(0.0)
    histogram.record(3600.0)
    return histogram


def test_percentiles_equal_those_of_the_histogram(histogram):
    buckets = {}
    sparse.add_encoded(buckets, histogram.encode())
    assert sparse.percentiles(buckets, PERCENTS) == list(histogram.percentiles(PERCENTS).values())


def test_raw_values_are_in_the_same_buckets(histogram):
    plain = Histogram()
    values = [0.0, 1e-6, 0.002047, 0.002048, 0.0040961, 1.5, 3600.0]
    for value in values:
        plain.record(value)
    raw, folded = {}, {}
    sparse.add_encoded(raw, plain.encode(folded=False))
    sparse.add_encoded(folded, plain.encode())
    assert raw == folded
    assert sum(raw.values()) == len(values)


@pytest.mark.parametrize("value", [0, 1, 2047, 2048, 4095, 4096, 123_456_789, 3_600_000_000])
def test_a_bucket_contains_its_highest_value(value):
    bucket = sparse.bucket_of(value)
    highest = sparse.highest_in(bucket)
    assert value <= highest <= value * 1.001
    assert sparse.bucket_of(highest) == bucket
    assert sparse.bucket_of(highest + 1) == bucket + 1


def test_encoding_round_trips(histogram):
    buckets = {}
    sparse.add_encoded(buckets, histogram.encode())
    assert sparse.decode(sparse.encode(buckets)) == buckets
    assert sparse.encode({}) == ""


def test_an_empty_histogram_has_no_percentiles():
    assert sparse.percentiles({}, (50.0, 99.0)) == [None, None]


@pytest.mark.parametrize("text", ["x", "AAAA", "HISTFAAAACV42pNpmSzMwMDAAMUIBA"])
def test_bad_encodings_are_refused(text):
    with pytest.raises(ValueError, match="encoded"):
        sparse.decode(text)
