"""One bot of a fleet: a player, a place and a behaviour, in its own greenlet."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from nakama_bots.errors import CallError, ConfigError, PermissionDenied
from nakama_bots.fill.problems import Problems
from nakama_bots.fill.strategies import Strategy
from nakama_bots.players.behaviours.behaviour import Behaviour, BehaviourError
from nakama_bots.players.behaviours.driver import Driver, Wait
from nakama_bots.players.persona import Persona
from nakama_bots.players.place import Place
from nakama_bots.players.player import Player


@dataclass(slots=True)
class BotOutcome:
    """How a visit of a bot ended: what failed, why, and whether the bot had a seat."""

    error: CallError | None = None
    given_up: bool = False
    """A retry cannot help: the bot cannot connect, or the lobby cannot be joined."""
    connecting: bool = False
    behaviour: bool = False
    seated: bool = False
    refused: ConfigError | None = None
    """The query of the user, if the server cannot parse it."""


class Bot:
    """A visit to one lobby: call ``run`` in a greenlet, ``ask_to_leave`` from any other.

    ``changed`` is called whenever a user joins or leaves the place where the bot is.
    """

    def __init__(
        self,
        player: Player,
        lobby_id: str,
        strategy: Strategy,
        behaviour: Behaviour,
        problems: Problems,
        changed: Callable[[], object],
    ) -> None:
        self.player = player
        self.lobby_id = lobby_id
        self.state = "connecting"
        """Then joining, seated, leaving, gone."""
        self.place: Place | None = None
        """The place where it has a seat."""
        self.user_id = ""
        self.outcome = BotOutcome()
        self._strategy = strategy
        self._behaviour = behaviour
        self._problems = problems
        self._changed = changed
        self._driver: Driver | None = None
        self.asked = False
        """True if it has been asked to leave."""

    @property
    def name(self) -> str:
        """Its user name, as it appears in messages."""
        return self.player.identity.username

    @property
    def leaving(self) -> bool:
        """Whether it is giving up its seat, or has been asked to."""
        return self.asked or self.state in ("leaving", "gone")

    def ask_to_leave(self) -> None:
        """Leave after the current hook; a bot without a seat stops trying to get one."""
        self.asked = True
        if self._driver is not None:
            self._driver.stop()

    def run(self) -> None:
        """Connect, join, play and leave; ``outcome`` says how it ended."""
        try:
            self._visit()
        finally:
            self.player.close()
            self.place = None
            self.state = "gone"
            self._changed()

    def _visit(self) -> None:
        doing = "connect"
        try:
            self.player.connect()
            # Others may see it before its own join is answered.
            self.user_id = self.player.user_id
            doing = "join"
            self.state = "joining"
            place = self._strategy.join(self.player, self.lobby_id)
            place.on_change = self._changed
            with place:
                self.place = place
                self.state = "seated"
                self.outcome.seated = True
                self._changed()
                doing = "play"
                self._play(place)
                doing = "leave"
                self.state = "leaving"
        except BehaviourError as error:
            self.outcome.behaviour = self.asked = True
            if not error.logged:
                self._problems.say(f"{error.args[0]}; its bot {self.name} ends")
        except CallError as error:
            self._failed(doing, error)
        except ConfigError as error:
            self.outcome.refused = error

    def _failed(self, doing: str, error: CallError) -> None:
        outcome = self.outcome
        outcome.error = error
        outcome.connecting = doing == "connect"
        final = self._strategy.final if doing == "join" else (PermissionDenied,) if doing == "connect" else ()
        outcome.given_up = isinstance(error, final)
        if not self.asked:
            self._problems.note(doing, error, given_up=outcome.given_up)

    def _play(self, place: Place) -> None:
        self._driver = Driver(place, self._behaviour)
        if not self.asked:
            self._driver.run(partial(_reactions, self.player.persona, place.seat.random))


def _reactions(persona: Persona, own: random.Random, wait: Wait) -> Iterator[None]:
    """Run a step about once per reaction time of the persona."""
    # The first step is at a random time of the first interval, so bots that join together do not act together.
    pause = own.uniform(0.0, persona.reaction_time)
    while wait(pause):
        yield None
        pause = persona.reaction_time * own.uniform(0.8, 1.2)
