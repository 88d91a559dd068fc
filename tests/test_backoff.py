from __future__ import annotations

from typing import Any

import pytest

from nakama_bots.backoff import Backoff
from nakama_bots.errors import ConfigError
from nakama_bots.rest.retry import Retry


def longest(_: float, high: float) -> float:
    return high


def test_waits_grow_with_full_jitter_up_to_the_most() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    assert list(Backoff(attempts=5, first=1, most=5, uniform=uniform).waits()) == [1, 2, 4, 5, 5]
    assert {low for low, _ in asked} == {0.0}


def test_waits_are_never_below_the_least_nor_above_the_most() -> None:
    backoff = Backoff(first=0.1, most=3.0, least=0.25)
    for failures in (1, 2, 5, 10_000):
        assert all(0.25 <= backoff.wait(failures) <= 3.0 for _ in range(50))
    assert Backoff(first=0.1, least=0.25, uniform=longest).wait(1) == 0.25
    assert list(Backoff().waits()) != list(Backoff().waits())


def test_a_retry_waits_after_each_failure_but_the_last() -> None:
    assert list(Retry(attempts=4, uniform=longest).waits()) == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("kind", [Backoff, Retry])
@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": 0}, {"most": -1}])
def test_a_wrong_value_is_named(kind: type[Backoff], wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{kind.__name__}.{name}"):
        kind(**wrong)
