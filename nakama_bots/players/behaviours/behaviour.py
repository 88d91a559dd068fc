"""Behaviours of a bot in a match: plain classes or generators, one or several together."""

from __future__ import annotations

import base64
import inspect
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from nakama_bots.errors import CallError, ConfigError

if TYPE_CHECKING:
    from nakama_bots.players.behaviours.seat import Seat
    from nakama_bots.types.realtime import ChannelMessage, MatchData, PartyData

HOOKS: Final = ("on_join", "on_tick", "on_state", "on_chat", "on_leave")


class BehaviourError(CallError):
    """A behaviour cannot continue: it raised, took too long, sent too much, or misused its generator.

    ``operation`` is the class and the hook, such as ``Swimmer.on_tick``. ``logged``: it has been logged.
    """

    logged = False


class State:
    """State from a match or a party."""

    __slots__ = ("_body", "_data")

    def __init__(self, body: MatchData | PartyData) -> None:
        self._body = body
        self._data: bytes | None = None

    @property
    def op_code(self) -> int:
        """Its op code."""
        return int(self._body.get("op_code", 0))

    @property
    def sender(self) -> str:
        """The sender's user id; "" if the match itself sent it."""
        return self._presence.get("user_id", "")

    @property
    def username(self) -> str:
        """The sender's user name."""
        return self._presence.get("username", "")

    @property
    def _presence(self) -> Mapping[str, str]:
        return cast("Mapping[str, str]", self._body.get("presence") or {})

    @property
    def data(self) -> bytes:
        """The payload."""
        if self._data is None:
            self._data = base64.b64decode(self._body.get("data", ""))
        return self._data

    @data.setter
    def data(self, data: bytes) -> None:
        self._data = data

    def json(self) -> Any:
        """The payload parsed as JSON; ``ValueError`` if it is not JSON."""
        return orjson.loads(self.data)


class ChatMessage:
    """A chat message from another user. ``content`` is its JSON object, ``sender`` a user id."""

    __slots__ = ("channel_id", "content", "sender", "username")

    def __init__(self, body: ChannelMessage) -> None:
        self.channel_id = body.get("channel_id", "")
        self.sender = body.get("sender_id", "")
        self.username = body.get("username", "")
        self.content: dict[str, Any] = orjson.loads(body.get("content") or "{}")

    @property
    def text(self) -> str:
        """The field ``text`` of the content, "" if it has none."""
        return str(self.content.get("text", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """The result of a generator's ``yield``: the hook, and its state or message if it has one."""

    hook: str
    body: Any = None


class Behaviour:
    """Base of a player's script: override the hooks you need. A player's hooks never run at the same time."""

    def on_join(self, seat: Seat) -> None:
        """Called when the player has joined."""

    def on_tick(self, seat: Seat) -> None:
        """Called ``rate`` times a second; in ``fill`` about once per reaction time of the persona."""

    def on_state(self, seat: Seat, state: State) -> None:
        """Called for state from the match or from another player."""

    def on_chat(self, seat: Seat, message: ChatMessage) -> None:
        """Called for another user's message in a room that the player is in."""

    def on_leave(self, seat: Seat) -> None:
        """Called before the player leaves; it can still send."""


class Together(Behaviour):
    """Several behaviours of one player; each hook runs in their order.

    Each part has its own random generator, so that one does not change the random choices of another.
    """

    def __init__(self, *parts: object) -> None:
        self.parts = parts
        self._randoms: list[random.Random] = []

    def call(self, hook: str, seat: Seat, *body: Any) -> None:
        """Call ``hook`` on the parts that have it."""
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

    def on_state(self, seat: Seat, state: State) -> None:
        self.call("on_state", seat, state)

    def on_chat(self, seat: Seat, message: ChatMessage) -> None:
        self.call("on_chat", seat, message)

    def on_leave(self, seat: Seat) -> None:
        self.call("on_leave", seat)


class Script(Behaviour):
    """A generator function as a behaviour: ``event = yield`` waits for the next hook; its return leaves."""

    def __init__(self, function: Callable[[Seat], Generator[object, Event, None]]) -> None:
        self.function = function
        self._generator: GeneratorType[object, Event, None] | None = None

    def on_join(self, seat: Seat) -> None:
        generator = self.function(seat)
        assert isinstance(generator, GeneratorType)
        self._generator = generator
        if self._resume(seat, None):
            self._resume(seat, Event("on_join"))

    def on_tick(self, seat: Seat) -> None:
        self._resume(seat, Event("on_tick"))

    def on_state(self, seat: Seat, state: State) -> None:
        self._resume(seat, Event("on_state", state))

    def on_chat(self, seat: Seat, message: ChatMessage) -> None:
        self._resume(seat, Event("on_chat", message))

    def on_leave(self, seat: Seat) -> None:
        self._resume(seat, Event("on_leave"))
        if self._generator is None:
            return
        try:
            self._generator.close()
        except RuntimeError:
            msg = "it yields again after on_leave: a generator must end when it is closed"
            raise TypeError(msg) from None

    def _resume(self, seat: Seat, event: Event | None) -> bool:
        """Run it up to its next ``yield``; False when it has ended."""
        generator = self._generator
        if generator is None or inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED:
            return False
        try:
            given = generator.send(event)  # type: ignore[arg-type]  # None starts it
        except StopIteration:
            seat.leave()
            return False
        if given is not None:
            msg = f"it yields {given!r:.80}: write `event = yield`, which waits for the next hook"
            raise TypeError(msg)
        return True


Make: TypeAlias = Callable[[], Behaviour]


def behaviour_of(given: object) -> Behaviour:
    """``given`` (an instance, a class or a generator function) as a behaviour; otherwise ``ConfigError``."""
    if inspect.isgeneratorfunction(given):
        return Script(given)
    if inspect.isclass(given):
        given = given()
    if not any(callable(getattr(given, hook, None)) for hook in HOOKS):
        raise ConfigError(
            "behaviour", given, f"an object with any of {', '.join(HOOKS)}, or a generator function"
        )
    check_hooks(given)
    return given if isinstance(given, Behaviour) else Together(given)


def check_hooks(given: object) -> None:
    """Raise ``ConfigError`` for a hook that a call would not run."""
    for hook in HOOKS:
        function = getattr(given, hook, None)
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
            kind = given if inspect.isclass(given) else type(given)
            raise ConfigError(
                f"{kind.__name__}.{hook}", "a generator or coroutine",
                "a plain method (a generator function is a behaviour as a whole, not a hook)",
            )  # fmt: skip


def names(behaviour: object) -> tuple[str, str]:
    """The file and the name of the class or function that the author wrote."""
    while isinstance(behaviour, Together) and len(behaviour.parts) == 1:
        behaviour = behaviour.parts[0]
    if isinstance(behaviour, Together):
        found = [names(part) for part in behaviour.parts]
        return ", ".join(dict.fromkeys(file for file, _ in found)), "+".join(name for _, name in found)
    if isinstance(behaviour, Script):
        code = behaviour.function.__code__
        return Path(code.co_filename).name, code.co_name
    kind = type(behaviour)
    try:
        return Path(inspect.getfile(kind)).name, kind.__name__
    except (OSError, TypeError):  # defined in an interactive interpreter
        return "", kind.__name__
