from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import zoneinfo
from collections import Counter

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.players.identity import MARK
from nakama_bots.players.persona import Persona, apply_profile
from nakama_bots.settings import locales

from .conftest import MakePlayer

MIX = (("en_US", 1.0), ("de_DE", 1.0), ("ja_JP", 2.0))
SEEDS, NUMBERS = st.integers(0, 2**32 - 1), st.integers(0, 10**9)

PRINT_PERSONA = """
import dataclasses, json, random, sys
if sys.argv[1] == "other":
    from faker import Faker
    Faker.seed(99), Faker("ja_JP").name(), random.seed(1)
from nakama_bots.players.persona import Persona
Persona.of(3, 5, (("ja_JP", 1.0),))
MIX = (("en_US", 1.0), ("de_DE", 1.0), ("ja_JP", 2.0))
print(json.dumps([dataclasses.asdict(Persona.of(7, number, MIX, worker=1)) for number in range(20)]))
"""


@given(SEEDS, NUMBERS)
def test_persona_values_are_valid(seed: int, number: int) -> None:
    mine = Persona.of(seed, number, MIX)
    Faker.seed(number)
    Persona.of(seed, number + 1, MIX)

    assert Persona.of(seed, number, MIX) == mine
    # The column widths in the server's database.
    limits = {"display_name": 255, "avatar_url": 512, "lang_tag": 18, "location": 255, "timezone": 255}
    assert all(0 < len(mine.profile[field]) <= limit for field, limit in limits.items())  # type: ignore[literal-required]
    assert mine.profile.keys() == limits.keys()
    assert mine.avatar_url.isascii()
    assert " " not in mine.avatar_url
    assert 0 <= mine.skill <= 1
    assert 0.1 <= mine.reaction_time <= 2


@pytest.mark.parametrize("locale", sorted(locales.known()))
def test_every_locale_has_personas(locale: str) -> None:
    persona = Persona.of(1, 2, ((locale, 1.0),))
    assert persona.lang_tag == locale.replace("_", "-")
    assert persona.display_name
    assert persona.location
    assert persona.timezone.count("/") >= 1


def test_locales_follow_the_mix() -> None:
    personas = [Persona.of(1, number, MIX) for number in range(800)]

    count = Counter(persona.lang_tag for persona in personas)
    assert count.keys() == {"en-US", "de-DE", "ja-JP"}
    assert 330 < count["ja-JP"] < 470
    assert {persona.timezone for persona in personas if persona.lang_tag == "ja-JP"} == {"Asia/Tokyo"}
    assert {persona.timezone for persona in personas} <= zoneinfo.available_timezones() | {"America/Montreal"}
    assert len({persona.display_name for persona in personas}) > 700
    assert len({persona.avatar_url for persona in personas}) == 800


def test_skilled_personas_react_faster() -> None:
    personas = sorted((Persona.of(1, number) for number in range(400)), key=lambda persona: persona.skill)
    slow, fast = personas[:100], personas[-100:]
    assert sum(p.reaction_time for p in fast) < 0.8 * sum(p.reaction_time for p in slow)


def test_personas_differ_between_workers_and_seeds() -> None:
    assert len({Persona.of(1, 4), Persona.of(2, 4), Persona.of(1, 4, worker=1), Persona.of(1, 5)}) == 4


def test_personas_are_the_same_in_every_process() -> None:
    answers = [
        json.loads(
            subprocess.check_output(
                [sys.executable, "-c", PRINT_PERSONA, order],
                env={**os.environ, "PYTHONHASHSEED": seed},
                text=True,
            )
        )
        for seed, order in (("1", "first"), ("2", "other"))
    ]
    mine = [dataclasses.asdict(Persona.of(7, number, MIX, worker=1)) for number in range(20)]
    assert answers == [mine, mine]


def test_unchanged_profile_is_not_written_again(player: MakePlayer) -> None:
    bot, recorder = player(connect=False)
    bot.authenticate()

    def puts() -> int:
        return len(recorder.named("PUT", "/v2/account"))

    before = puts()
    assert not apply_profile(bot.client, bot.session, bot.persona)
    assert puts() == before

    bot.client.update_account(bot.session, display_name="Renamed", location="")
    assert apply_profile(bot.client, bot.session, bot.persona)
    assert not apply_profile(bot.client, bot.session, bot.persona)
    user = bot.client.get_account(bot.session)["user"]
    assert {field: user.get(field) for field in bot.persona.profile} == bot.persona.profile


def test_session_vars_mark_bots_for_server_code(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    bot.authenticate()
    assert bot.session.vars == {MARK: bot.identity.prefix}
