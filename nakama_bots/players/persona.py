"""Appearance and skill of a bot: drawn from its seed, the same in every process and run."""

from __future__ import annotations

import math
import random
import threading
from dataclasses import dataclass
from functools import cache
from hashlib import blake2s
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Self

from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.settings.locales import DEFAULT, Locales
from nakama_bots.types.account import UpdateAccountRequest

if TYPE_CHECKING:
    from faker import Faker

_TEXT_LIMIT: Final = 255  # the server's columns
# A fraction of what Faker loads by default: 5 ms and 1 MB per locale.
_PROVIDERS: Final = ("faker.providers.person", "faker.providers.address", "faker.providers.date_time")

# Human simple reaction times are skewed to the right, around 0.25 s, and rarely below 0.12 s.
_SLOWEST_MEDIAN: Final = 0.45
_FASTEST_MEDIAN: Final = 0.2
_SPREAD: Final = 0.25
_LEAST_REACTION: Final = 0.12
_MOST_REACTION: Final = 2.0

# An instance is seeded and then drawn from, which two threads must not do at once.
_drawing: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Persona:
    """The profile of a bot (the fields of ``account update``), and how well it plays."""

    display_name: str
    avatar_url: str
    lang_tag: str
    """BCP 47, such as ``pt-BR``."""
    location: str
    timezone: str
    """A time zone of the IANA database, in the locale's country."""
    skill: float
    """0 to 1, most in the middle."""
    reaction_time: float
    """Seconds until this bot reacts to an event; skilled bots are faster."""

    @classmethod
    def of(cls, seed: int, number: int, locales: Locales = DEFAULT, *, worker: int = 0) -> Self:
        """The persona of a run's ``seed`` and a player's ``number`` in process ``worker``."""
        key = f"{seed}/{worker}/{number}"
        own = random.Random(key)
        locale = own.choices(
            [name for name, _ in locales], cum_weights=list(accumulate(w for _, w in locales))
        )[0]
        skill = own.betavariate(2, 2)
        median = _SLOWEST_MEDIAN - (_SLOWEST_MEDIAN - _FASTEST_MEDIAN) * skill
        reaction = own.lognormvariate(math.log(median), _SPREAD)
        with _drawing:
            fake = _faker(locale)
            fake.seed_instance(key)
            name, city = fake.name(), fake.city()
        return cls(
            display_name=name[:_TEXT_LIMIT],
            # A reserved host name, so that no client requests an avatar from a real service.
            avatar_url=f"https://avatars.example.com/{blake2s(key.encode(), digest_size=8).hexdigest()}.png",
            lang_tag=locale.replace("_", "-"),
            location=city[:_TEXT_LIMIT],
            timezone=own.choice(_timezones(locale)),
            skill=skill,
            reaction_time=min(_MOST_REACTION, max(_LEAST_REACTION, reaction)),
        )

    @property
    def profile(self) -> UpdateAccountRequest:
        """The fields sent to the server; skill and reaction time stay with the bot."""
        return {
            "display_name": self.display_name,
            "avatar_url": self.avatar_url,
            "lang_tag": self.lang_tag,
            "location": self.location,
            "timezone": self.timezone,
        }


def apply_profile(client: Client, session: Session, persona: Persona) -> bool:
    """Write the fields of ``persona`` in which the session's account differs from it; True if there are any."""
    user = client.get_account(session)["user"]
    differing: UpdateAccountRequest = {}
    for field, value in persona.profile.items():
        if user.get(field, "") != value:
            differing[field] = value  # type: ignore[literal-required]
    if differing:
        client.update_account(session, differing)
    return bool(differing)


@cache
def _faker(locale: str) -> Faker:
    # One per process and locale. Imported late: only code that draws a persona pays for the import.
    from faker import Faker  # noqa: PLC0415

    return Faker(locale, providers=list(_PROVIDERS))


@cache
def _timezones(locale: str) -> tuple[str, ...]:
    from faker.providers.date_time import Provider  # noqa: PLC0415

    country = locale.partition("_")[2]
    return tuple(
        zone for entry in Provider.countries if entry.alpha_2_code == country for zone in entry.timezones
    )
