"""The mix of locales that personas are drawn from, as a user writes it: ``en_US:3,de_DE,pt_BR:0.5``."""

from __future__ import annotations

from functools import cache
from typing import Final, TypeAlias

from nakama_bots.errors import ConfigError

Locales: TypeAlias = tuple[tuple[str, float], ...]
"""Faker's locale names, each with its weight."""

DEFAULT: Final[Locales] = (("en_US", 1.0),)
DEFAULT_TEXT: Final = "en_US"
ACCEPTED: Final = "locales, each with its weight if that is not 1, such as en_US or en_US:3,de_DE,pt_BR:0.5"


def parse(text: str, *, name: str = "locales") -> Locales:
    """Parse the mix in ``text``. Raises ``ConfigError`` for what cannot be used."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        locale, _, weight = part.strip().partition(":")
        if locale in mix:
            raise ConfigError(name, part.strip(), "each locale once")
        mix[locale] = _weight(weight, part, name)
        # Faker is imported only for unknown names: the import takes a tenth of a second.
        if (locale, 1.0) not in DEFAULT and locale not in known():
            raise ConfigError(name, locale, f"{ACCEPTED}; locales: {', '.join(sorted(known()))}")
    return tuple(mix.items())


def _weight(text: str, part: str, name: str) -> float:
    if not text and ":" not in part:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < 1e6:  # False for NaN as well
        raise ConfigError(name, part.strip(), ACCEPTED)
    return weight


@cache
def known() -> frozenset[str]:
    """The locales of a country that Faker has names or places for; for others it would give American ones."""
    from faker.providers import address, date_time, person  # noqa: PLC0415
    from faker.utils.loading import list_module  # noqa: PLC0415

    countries = {country.alpha_2_code for country in date_time.Provider.countries}
    localized = {*list_module(person), *list_module(address)}
    return frozenset(locale for locale in localized if locale.partition("_")[2] in countries)
