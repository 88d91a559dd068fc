"""What a bot does once it has a seat: plain classes or generators, alone or several together."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import random
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import GeneratorType
from typing import Any, Final, Protocol, TypeAlias

from nakama_bots.errors import ConfigError
from nakama_bots.players.persona import Persona
from nakama_bots.types.realtime import ChannelMessage, MatchData

ENTRY_POINTS: Final = "nakama_bots.behaviours"
HOOKS: Final = ("on_join", "on_tick", "on_state", "on_chat", "on_leave")
ACCEPTED: Final = f"FILE.py:NAME, MODULE:NAME, or the name of an entry point of {ENTRY_POINTS}"


class Seat(Protocol):
    """A place in a match, as a behaviour sees it."""

    persona: Persona
    random: random.Random
    """Seeded by the bot: the same bot draws the same numbers in the next run."""

    @property
    def user_id(self) -> str:
        """The bot's own."""

    @property
    def presences(self) -> Mapping[str, str]:
        """User names of everybody in the match by user id."""

    def send(self, op_code: int, data: bytes | str) -> None:
        """Send match state."""

    def say(self, text: str) -> None:
        """Say something in the match's chat room."""

    def leave(self) -> None:
        """Give the seat up after this hook."""

    def reconnect(self) -> None:
        """Drop the connection after this hook and come back to the same match."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a generator gets from its ``yield``: the hook's name and body (None for join, tick and leave)."""

    hook: str
    body: MatchData | ChannelMessage | None = None


class Behaviour:
    """Does nothing; a base for those who want only some of the hooks."""

    def on_join(self, seat: Seat) -> None:
        """The bot has its seat."""

    def on_tick(self, seat: Seat) -> None:
        """Some time has passed: about the persona's reaction time."""

    def on_state(self, seat: Seat, data: MatchData) -> None:
        """State has come from the match or from a player."""

    def on_chat(self, seat: Seat, message: ChannelMessage) -> None:
        """Somebody else has said something."""

    def on_leave(self, seat: Seat) -> None:
        """The bot is about to leave; it can still send."""


class Together(Behaviour):
    """Several behaviours in one bot, each hook in their order.

    Each draws from a random of its own: what one does by chance does not change what another does.
    """

    def __init__(self, *parts: object) -> None:
        self.parts = parts
        self._randoms: list[random.Random] = []

    def call(self, hook: str, seat: Seat, *body: Any) -> None:
        """Call ``hook`` of those that have it."""
        own = seat.random
        try:
            for part, seat.random in zip(self.parts, self._randoms, strict=True):
                function = getattr(part, hook, None)
                if function is not None:
                    function(seat, *body)
        finally:
            seat.random = own

    def on_join(self, seat: Seat) -> None:
        self._randoms = [random.Random(seat.random.getrandbits(64)) for _ in self.parts]
        self.call("on_join", seat)

    def on_tick(self, seat: Seat) -> None:
        self.call("on_tick", seat)

    def on_state(self, seat: Seat, data: MatchData) -> None:
        self.call("on_state", seat, data)

    def on_chat(self, seat: Seat, message: ChannelMessage) -> None:
        self.call("on_chat", seat, message)

    def on_leave(self, seat: Seat) -> None:
        self.call("on_leave", seat)


class Script(Behaviour):
    """A generator function as a behaviour: ``event = yield`` waits for the next hook; its return leaves."""

    def __init__(self, function: Callable[[Seat], Generator[None, Event, None]]) -> None:
        self._function = function
        self._generator: GeneratorType[None, Event, None] | None = None

    def on_join(self, seat: Seat) -> None:
        generator = self._function(seat)
        assert isinstance(generator, GeneratorType)
        self._generator = generator
        try:
            next(self._generator)
        except StopIteration:
            seat.leave()
            return
        self._send(seat, Event("on_join"))

    def on_tick(self, seat: Seat) -> None:
        self._send(seat, Event("on_tick"))

    def on_state(self, seat: Seat, data: MatchData) -> None:
        self._send(seat, Event("on_state", data))

    def on_chat(self, seat: Seat, message: ChannelMessage) -> None:
        self._send(seat, Event("on_chat", message))

    def on_leave(self, seat: Seat) -> None:
        self._send(seat, Event("on_leave"))
        if self._generator is not None:
            self._generator.close()

    def _send(self, seat: Seat, event: Event) -> None:
        if self._generator is None or inspect.getgeneratorstate(self._generator) == inspect.GEN_CLOSED:
            return
        try:
            self._generator.send(event)
        except StopIteration:
            seat.leave()


Make: TypeAlias = Callable[[], Behaviour]


def load(names: Sequence[str]) -> Make:
    """What makes a bot's behaviour of all ``names`` together; ``ConfigError`` says what cannot be used."""
    found = [_load(name) for name in names]

    def make() -> Behaviour:
        return Together(*(Script(one) if inspect.isgeneratorfunction(one) else one() for one in found))

    # A constructor that fails does so before any bot is connected.
    try:
        make()
    except Exception as error:  # a user's code may raise anything
        raise ConfigError("--script", ", ".join(names), f"a class that can be made ({error})") from error
    return make


def _load(name: str) -> Any:
    place, colon, member = name.rpartition(":")
    if not colon:
        entries = importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)
        if not entries:
            known = ", ".join(sorted(importlib.metadata.entry_points(group=ENTRY_POINTS).names))
            raise ConfigError("--script", name, f"{ACCEPTED} (there are: {known})")
        return next(iter(entries)).load()
    try:
        found = getattr(_module(place), member)
    except AttributeError:
        raise ConfigError("--script", name, f"the name of a class or generator function in {place}") from None
    except Exception as error:  # an import runs a user's code
        raise ConfigError("--script", name, f"{ACCEPTED} ({error})") from error
    if not (inspect.isgeneratorfunction(found) or inspect.isclass(found)):
        raise ConfigError("--script", name, "a class or a generator function")
    if inspect.isclass(found) and not any(callable(getattr(found, hook, None)) for hook in HOOKS):
        raise ConfigError("--script", name, f"a class with any of {', '.join(HOOKS)}")
    return found


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place)
    spec = importlib.util.spec_from_file_location(f"nakama_bots_script_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
