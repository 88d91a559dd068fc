"""Who a bot is: an account of its own in every process of every machine, the same again in the next run."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import quote

from faker import Faker

LOCALE: Final = "en_US"
_TIMEZONE_LIMIT: Final = 255  # Nakama's column


@dataclass(frozen=True, slots=True)
class Identity:
    """``prefix`` and ``seed`` are the run's, ``worker`` is the process's index under one master.

    ``number`` is the player's in its process.
    """

    prefix: str
    seed: int
    worker: int
    number: int

    @property
    def device_id(self) -> str:
        """The account's device id; 10 to 128 characters, as Nakama wants."""
        return f"{self.prefix}-{self.seed}-w{self.worker:03d}-{self.number:06d}"

    @property
    def username(self) -> str:
        """The account's user name; unique because the device id is."""
        return self.device_id


@dataclass(frozen=True, slots=True)
class Persona:
    """What a bot shows of itself: the fields of ``account update``."""

    display_name: str
    avatar_url: str
    lang_tag: str
    location: str
    timezone: str


class NumberPool:
    """Numbers of the players of a process, the lowest free one first: restarted users reuse accounts."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._taken: set[int] = set()

    def take(self) -> int:
        """A number that nobody has."""
        number = heapq.heappop(self._free) if self._free else len(self._taken)
        self._taken.add(number)
        return number

    def release(self, number: int) -> None:
        """``number`` is free again; a ``ValueError`` when nobody had it, or two players would get it."""
        if number not in self._taken:
            msg = f"number {number} is not taken"
            raise ValueError(msg)
        self._taken.remove(number)
        heapq.heappush(self._free, number)


@cache
def _faker() -> Faker:
    # One for the process: each holds megabytes. It is seeded anew for every persona.
    return Faker(LOCALE)


def persona(identity: Identity) -> Persona:
    """The persona of an identity, the same in every process and run."""
    fake = _faker()
    fake.seed_instance(identity.device_id)
    name = fake.name()
    return Persona(
        display_name=name,
        avatar_url=f"https://avatars.example.com/{quote(name)}.png",
        lang_tag="en",
        location=fake.city(),
        timezone=fake.timezone()[:_TIMEZONE_LIMIT],
    )
