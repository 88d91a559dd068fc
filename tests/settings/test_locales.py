from __future__ import annotations

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.settings import locales


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("en_US", (("en_US", 1.0),)),
        ("en_US:3, de_DE ,pt_BR:0.5", (("en_US", 3.0), ("de_DE", 1.0), ("pt_BR", 0.5))),
    ],
)
def test_a_mix(text: str, mix: locales.Locales) -> None:
    assert locales.parse(text) == mix


def test_the_default_matches_its_text() -> None:
    assert locales.parse(locales.DEFAULT_TEXT) == locales.DEFAULT
    assert {locale for locale, _ in locales.DEFAULT} <= locales.known()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("xx_XX", "xx_XX"),
        ("de", "de"),  # no country, so no timezone
        ("en_US,,de_DE", "''"),
        ("en_US:0", "en_US:0"),
        ("en_US:", "en_US:"),
        ("en_US:nan", "en_US:nan"),
        ("en_US:-1", "en_US:-1"),
        ("de_DE:much", "de_DE:much"),
        ("de_DE,de_DE:2", "de_DE:2"),
    ],
)
def test_a_bad_mix_is_named(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        locales.parse(text, name="--nakama-locales")
    assert "--nakama-locales" in str(caught.value)
    assert named in str(caught.value)
