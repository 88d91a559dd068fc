from __future__ import annotations

import math
import random

import pytest

from nakama_bots.results.compare.bootstrap import failure_share, log_percentiles, student
from nakama_bots.results.compare.profile import BLOCKS, Blocks

from .synthetic import blocks

# The standard error of the median of n values of a lognormal with sigma 0.5.
MEDIAN_ERROR = math.sqrt(math.pi / 2) * 0.5


def test_the_error_of_independent_samples_matches_theory():
    for count in (1600, 6400):
        samples = [blocks(f"{count} {seed}", count, within=0.0) for seed in range(8)]
        errors = [log_percentiles(each, [50.0], random.Random(1))[0].error for each in samples]
        assert sum(errors) / len(errors) == pytest.approx(MEDIAN_ERROR / math.sqrt(count), rel=0.25)


def test_the_error_includes_differences_between_blocks():
    (alone,) = log_percentiles(blocks("a", 8000, within=0.0), [50.0], random.Random(1))
    (common,) = log_percentiles(blocks("a", 8000, within=0.2), [50.0], random.Random(1))
    # 16 blocks that differ by 20 %: 0.2 / sqrt(16), whatever the number of samples.
    assert common.error == pytest.approx(0.05, rel=0.5)
    assert common.error > 4 * alone.error


def test_the_value_is_the_percentile_of_all_samples():
    samples = blocks("a", 3200)
    values = sorted(bucket for block in samples.ok for bucket, number in block.items() for _ in range(number))
    p50, p99 = log_percentiles(samples, [50.0, 99.0], random.Random(1))
    assert math.exp(p50.value) == pytest.approx(0.0067, rel=0.1)
    assert len(values) == 3200
    assert p99.value > p50.value
    assert p99.freedom == BLOCKS - 1


def test_the_same_seed_gives_the_same_result():
    samples = blocks("a", 800)
    first, again, other = (log_percentiles(samples, [95.0], random.Random(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_share_of_failures():
    steady = failure_share(blocks("a", 1600, failing=25), random.Random(1))
    assert (steady.value, steady.error) == (0.2, 0.0)
    burst = Blocks([{1: 100}] * BLOCKS, [100] + [0] * (BLOCKS - 1))
    assert failure_share(burst, random.Random(1)).error > 0.02


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [(0.975, 7, 2.3646), (0.975, 15, 2.1314), (0.9995, 7, 5.4079), (0.9995, 15, 4.0728), (0.5, 9, 0.0)],
)
def test_quantiles_of_the_t_distribution(probability, freedom, value):
    assert student(probability, freedom) == pytest.approx(value, rel=0.01, abs=1e-9)
