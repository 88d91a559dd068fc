from __future__ import annotations

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.settings.health_limits import HealthLimits, parse
from nakama_bots.settings.resolve import Settings


def test_unnamed_limits_keep_their_defaults():
    assert parse("") == HealthLimits()
    assert parse("cpu=0.95, hub_lag = 0.1,share=1") == HealthLimits(cpu=0.95, hub_lag=0.1, share=1.0)


@pytest.mark.parametrize(
    "text", ["cpu", "cpu=", "cpu=x", "cpu=nan", "cpu=-1", "cpu=1e9", "speed=1", "cpu=1,cpu=2", "share=1.5"]
)
def test_a_bad_limit_is_named(text):
    with pytest.raises(ConfigError) as refused:
        Settings.resolve({"health_limits": text}, {})
    assert refused.value.name == "--nakama-health-limits"
    assert "hub_lag" in refused.value.accepted
