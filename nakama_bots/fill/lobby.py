"""What a lobby looks like from outside and from its seats, and what a filler may do with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Self

from nakama_bots.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Found:
    """A lobby as the server tells of it; ``size`` is everybody, ``capacity`` None where nobody says.

    ``wanted`` seats are to be taken in it, where that is not the policy's to say.
    """

    lobby_id: str
    size: int
    capacity: int | None = None
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Lobby:
    """Seats by who has them. ``bots`` are this filler's, on their way or seated; ``others`` another's bots."""

    lobby_id: str
    humans: int
    bots: tuple[int, ...]
    others: int = 0
    capacity: int | None = None
    wanted: int | None = None
    guessed: bool = False
    """Whether nobody has told how many humans are in."""

    @property
    def taken(self) -> int:
        """Every seat that is taken or about to be."""
        return self.humans + self.others + len(self.bots)

    @property
    def free(self) -> int | None:
        """Seats that nobody has; None where the capacity or who is in is unknown."""
        return None if self.capacity is None or self.guessed else max(0, self.capacity - self.taken)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours by the local clock; from 22:00 to 06:00 is over midnight, equal ends are all day."""

    opens: time = time()
    closes: time = time()

    @classmethod
    def parse(cls, text: str, *, name: str = "--hours") -> Self:
        """Hours from ``HH:MM-HH:MM``."""
        try:
            opens, closes = (time.fromisoformat(part.strip()) for part in text.split("-"))
        except ValueError:
            raise ConfigError(name, text, "HH:MM-HH:MM, as 18:00-23:30 or 22:00-06:00") from None
        return cls(opens, closes)

    def open_at(self, moment: time) -> bool:
        """Whether bots may play then."""
        if self.opens == self.closes:
            return True
        if self.opens < self.closes:
            return self.opens <= moment < self.closes
        return moment >= self.opens or moment < self.closes


@dataclass(frozen=True, slots=True)
class Policy:
    """How full lobbies are kept. ``seats`` counts humans and bots; ``share`` is of a lobby's capacity."""

    seats: int = 8
    share: float | None = None
    per_lobby: int | None = None
    """Most bots in one lobby."""
    total: int = 100
    """Most bots in all lobbies."""
    wait: float = 0.0
    """Seconds a lobby with a human waits for others before bots come."""
    only_with_humans: bool = False
    ramp: float = 50.0
    """Joins a second."""
    hours: Hours = Hours()

    def target(self, lobby: Lobby) -> int:
        """How many seats of ``lobby`` are to be taken; never more than it has."""
        if lobby.wanted is not None:
            return lobby.wanted
        if self.share is not None and lobby.capacity is not None:
            return int(lobby.capacity * self.share)
        return self.seats if lobby.capacity is None else min(self.seats, lobby.capacity)
