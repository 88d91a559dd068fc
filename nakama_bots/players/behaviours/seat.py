"""A player's place in a match or a party, for a behaviour: the same in a load test and in ``fill``."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from nakama_bots.errors import ConfigError

if TYPE_CHECKING:
    from nakama_bots.players.behaviours.behaviour import State
    from nakama_bots.players.persona import Persona
    from nakama_bots.players.place import Place

MOST_SENDS: Final = 1000
"""Messages that a behaviour may send per second."""


class Flooded(Exception):
    """A behaviour sends too much."""


def payload(data: Any) -> bytes:
    """``data`` as bytes: bytes unchanged, text as UTF-8, anything else as JSON."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    try:
        return orjson.dumps(data)
    except TypeError as error:
        raise ConfigError("data", type(data).__name__, f"bytes, text or a JSON value ({error})") from None


class Seat:
    """The seat of a behaviour. ``random`` is seeded by the player: the same numbers in every run."""

    def __init__(self, place: Place) -> None:
        self.random = random.Random(place.player.identity.device_id)
        self.leaving = False
        self.reconnecting = False
        self._place = place
        self._window = 0.0
        self._sends = 0

    @property
    def persona(self) -> Persona:
        """How the player appears and plays."""
        return self._place.player.persona

    @property
    def user_id(self) -> str:
        """The player's user id."""
        return self._place.player.session.user_id

    @property
    def username(self) -> str:
        """The player's user name."""
        return self.presences.get(self.user_id, self._place.player.identity.username)

    @property
    def id(self) -> str:
        """The id of the match or the party."""
        return self._place.id

    @property
    def presences(self) -> Mapping[str, str]:
        """User names of all users present, by user id, the player included."""
        return self._place.presences

    @property
    def state(self) -> State | None:
        """The newest state received; None before the first."""
        return self._place.state

    def send(self, op_code: int, data: Any = b"", to: Iterable[str] = ()) -> None:
        """Send ``data`` (bytes, text or a JSON value) to everyone, or to the user ids ``to``."""
        now = perf_counter()
        if now - self._window > 1.0:
            self._window, self._sends = now, 0
        self._sends += 1
        if self._sends > MOST_SENDS:
            raise Flooded
        self._place.send(op_code, data, to)

    def say(self, text: str) -> None:
        """Send ``text`` to the chat room of the match or party."""
        self._place.say(text)

    def leave(self) -> None:
        """Leave after this hook."""
        self.leaving = True

    def reconnect(self) -> None:
        """Drop the connection after this hook and rejoin the same match."""
        self.reconnecting = True
