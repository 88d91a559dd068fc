"""A lobby as seen from outside and from its seats, and the policy of a filler. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Self

from nakama_bots.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FoundLobby:
    """A lobby as the server lists it; ``size`` counts all users, ``capacity`` is None if unknown.

    ``wanted`` is the number of seats to keep taken, if the policy does not decide it.
    """

    lobby_id: str
    size: int
    capacity: int | None = None
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Lobby:
    """The seats of a lobby. ``bots`` belong to this filler (joining or seated), ``others`` to another one."""

    lobby_id: str
    humans: int
    bots: tuple[int, ...]
    others: int = 0
    capacity: int | None = None
    wanted: int | None = None
    guessed: bool = False
    """Whether the number of humans inside is unknown."""

    @property
    def taken(self) -> int:
        """The number of seats that are taken or about to be taken."""
        return self.humans + self.others + len(self.bots)

    @property
    def free(self) -> int | None:
        """The number of free seats; None if the capacity or the users inside are unknown."""
        return None if self.capacity is None or self.guessed else max(0, self.capacity - self.taken)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours in local time; 22:00 to 06:00 spans midnight, equal ends mean all day."""

    opens: time = time()
    closes: time = time()

    @classmethod
    def parse(cls, text: str, *, name: str = "--hours") -> Self:
        """Parse hours from ``HH:MM-HH:MM``."""
        try:
            opens, closes = (time.fromisoformat(part.strip()) for part in text.split("-"))
        except ValueError:
            raise ConfigError(name, text, "HH:MM-HH:MM, such as 18:00-23:30 or 22:00-06:00") from None
        return cls(opens, closes)

    def open_at(self, moment: time) -> bool:
        """Whether bots may play at that time."""
        if self.opens == self.closes:
            return True
        if self.opens < self.closes:
            return self.opens <= moment < self.closes
        return moment >= self.opens or moment < self.closes


@dataclass(frozen=True, slots=True)
class Policy:
    """How full to keep lobbies. ``seats`` counts humans and bots; ``share`` is a share of the capacity."""

    seats: int = 8
    share: float | None = None
    per_lobby: int | None = None
    """Most bots in one lobby."""
    total: int = 100
    """Most bots in all lobbies."""
    wait: float = 0.0
    """Seconds that a lobby with a human waits for others before bots join."""
    only_with_humans: bool = False
    ramp: float = 50.0
    """Joins per second."""
    hours: Hours = Hours()

    def target(self, lobby: Lobby) -> int:
        """The number of seats to keep taken in ``lobby``; never more than it has."""
        if lobby.wanted is not None:
            return lobby.wanted
        if self.share is not None and lobby.capacity is not None:
            return int(lobby.capacity * self.share)
        return self.seats if lobby.capacity is None else min(self.seats, lobby.capacity)
