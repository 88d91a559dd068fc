"""One bot of a fleet: a player, a seat and a behaviour, in a greenlet of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import gevent
from gevent.queue import Empty, Queue

from nakama_bots.errors import Abandoned, CallError, ConfigError, PermissionDenied
from nakama_bots.fill.problems import Problems
from nakama_bots.fill.strategies import Seating, Strategy
from nakama_bots.players.behaviour import Behaviour, Seat
from nakama_bots.players.player import Player
from nakama_bots.realtime.socket import DISCONNECT
from nakama_bots.types.realtime import ChannelMessage, PartyClose, UserPresence

STATES: Final = ("connecting", "joining", "seated", "leaving")
BANNED: Final[tuple[type[CallError], ...]] = (PermissionDenied,)
_MOST_EVENTS: Final = 1000


@dataclass(slots=True)
class Outcome:
    """How a bot's visit ended: what failed, what is to blame, and whether it had a seat."""

    error: CallError | None = None
    given_up: bool = False
    """Trying again cannot help: the bot where it cannot connect, the lobby where it cannot be joined."""
    connecting: bool = False
    behaviour: bool = False
    seated: bool = False
    refused: ConfigError | None = None
    """The user's query, which the server cannot read."""


class BotSeat(Seat):
    """The ``Seat`` of a behaviour."""

    def __init__(self, bot: Bot, seating: Seating) -> None:
        self.persona = bot.player.persona
        self.random = random.Random(bot.player.identity.device_id)
        self.seating = seating
        self.names: dict[str, str] = {}
        self._sessions: dict[str, str] = {}
        for one in seating.presences:
            self.comes(one)
        self.names[bot.player.session.user_id] = bot.player.identity.username
        self.leaving = False
        self.reconnecting = False
        self.channel_id = ""
        self._player = bot.player

    @property
    def user_id(self) -> str:
        return self._player.session.user_id

    @property
    def presences(self) -> Mapping[str, str]:
        return self.names

    def comes(self, one: UserPresence) -> None:
        """Somebody is there."""
        self.names[one["user_id"]] = one["username"]
        self._sessions[one["user_id"]] = one["session_id"]

    def goes(self, one: UserPresence) -> None:
        """Somebody has left; not where the user is back already, over another connection."""
        if one["user_id"] != self.user_id and self._sessions.get(one["user_id"]) == one["session_id"]:
            del self.names[one["user_id"]], self._sessions[one["user_id"]]

    def send(self, op_code: int, data: bytes | str) -> None:
        if self.seating.party:
            self._player.socket.send_party_data(self.seating.id, op_code, data)
        else:
            self._player.socket.send_match_state(self.seating.id, op_code, data)

    def say(self, text: str) -> None:
        if not self.channel_id:
            # Joined by the first word: bots that never speak cost the server no channel.
            self.channel_id = self._player.socket.join_chat(self.seating.id, persistence=False)["id"]
        self._player.socket.write_chat_message(self.channel_id, {"text": text})

    def leave(self) -> None:
        self.leaving = True

    def reconnect(self) -> None:
        self.reconnecting = True


class Bot:
    """Visits one lobby: ``run`` in a greenlet; ``ask_to_leave`` from any other.

    ``changed`` is called whenever somebody comes or goes where the bot is.
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
        self.seat: BotSeat | None = None
        self.user_id = ""
        self.hook = ""
        self.hook_since = 0.0
        self.outcome = Outcome()
        self._strategy = strategy
        self._behaviour = behaviour
        self._problems = problems
        self._changed = changed
        self._events: Queue[tuple[str, Any]] = Queue(_MOST_EVENTS)
        self._asked = False

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return self.player.identity.username

    @property
    def asked(self) -> bool:
        """Whether it has been asked to leave."""
        return self._asked

    @property
    def leaving(self) -> bool:
        """Whether it gives its seat up, or has been asked to."""
        return self._asked or self.state in ("leaving", "gone")

    def blame(self) -> None:
        """End it for what its behaviour does, once the hook that runs has returned. From any thread."""
        self.outcome.behaviour = self._asked = True

    def ask_to_leave(self) -> None:
        """Leave after the hook that runs now; a bot without a seat gives up trying."""
        self._asked = True
        if self.state == "seated":
            with suppress(gevent.queue.Full):
                self._events.put_nowait(("", None))

    def run(self) -> None:
        """Connect, join, play, leave; every end is in ``outcome``."""
        again = True
        try:
            while again and not self._asked:
                again = self._visit()
        finally:
            self.player.close()
            self.seat = None
            self.state = "gone"
            self._changed()

    def _visit(self) -> bool:
        """True when the behaviour wants to come back to the same lobby."""
        doing = "connect"
        try:
            self.state = "connecting"
            self.player.connect()
            # Others may hear of it before its own join is answered.
            self.user_id = self.player.session.user_id
            doing = "join"
            self.state = "joining"
            remove = self._listen()
            seating = self._strategy.join(self.player, self.lobby_id)
            self.seat = BotSeat(self, seating)
            self._catch_up()
            self.state = "seated"
            self.outcome.seated = True
            self._changed()
            doing = "play"
            self._play(self.seat)
            if self.seat.reconnecting and self.outcome.error is None and not self.outcome.behaviour:
                for one in remove:
                    one()
                self.player.close()
                self.seat = None
                return True
            doing = "leave"
            self._leave(self.seat)
        except CallError as error:
            outcome = self.outcome
            outcome.error = error
            outcome.connecting = doing == "connect"
            final = {"connect": BANNED, "join": self._strategy.final}
            outcome.given_up = isinstance(error, final.get(doing, ()))
            if not self._asked:
                self._problems.note(doing, error, given_up=outcome.given_up)
        except ConfigError as error:
            self.outcome.refused = error
        return False

    def _listen(self) -> list[Callable[[], object]]:
        socket = self.player.socket
        self._early: list[tuple[str, Any]] = []
        return [
            socket.on("match_presence_event", lambda body: self._presence("match_id", body)),
            socket.on("party_presence_event", lambda body: self._presence("party_id", body)),
            socket.on("match_data", lambda body: self._put("on_state", body)),
            socket.on("channel_message", self._chat),
            socket.on("party_close", self._party_close),
            socket.on(DISCONNECT, lambda error: self._put(DISCONNECT, error)),
        ]

    def _catch_up(self) -> None:
        # Who came between the join and its reply.
        early, self._early = self._early, []
        for key, body in early:
            self._presence(key, body)

    def _put(self, hook: str, body: Any) -> None:
        # A behaviour that is too slow for what comes loses the newest, not the process's memory.
        with suppress(gevent.queue.Full):
            self._events.put_nowait((hook, body))

    def _chat(self, message: ChannelMessage) -> None:
        if message.get("sender_id") != self.player.session.user_id:
            self._put("on_chat", message)

    def _party_close(self, body: PartyClose) -> None:
        if self.seat is not None and body.get("party_id") == self.seat.seating.id:
            text = "the party was closed, or the bot put out of it"
            self._put(DISCONNECT, Abandoned(text, operation="party_close"))

    def _presence(self, key: str, event: Any) -> None:
        seat = self.seat
        if seat is None:
            self._early.append((key, event))
            return
        if event.get(key) != seat.seating.id:
            return
        for one in event.get("leaves", ()):
            seat.goes(one)
        for one in event.get("joins", ()):
            seat.comes(one)
        self._changed()

    def _play(self, seat: BotSeat) -> None:
        persona = self.player.persona
        self._call("on_join", seat)
        # The first tick anywhere in the first interval: bots that came together do not act together.
        due = perf_counter() + seat.random.uniform(0.0, persona.reaction_time)
        while not (self._asked or seat.leaving or seat.reconnecting):
            try:
                hook, body = self._events.get(timeout=max(0.0, due - perf_counter()))
            except Empty:
                if self.asked:
                    # Blamed while it waited: nobody has woken it.
                    break
                self._call("on_tick", seat)
                due = perf_counter() + persona.reaction_time * seat.random.uniform(0.8, 1.2)
                continue
            if hook == DISCONNECT:
                raise body
            if not hook:
                break
            self._call(hook, seat, body)

    def _leave(self, seat: BotSeat) -> None:
        self.state = "leaving"
        if not self.player.connected:
            return
        if not self.outcome.behaviour:
            self._call("on_leave", seat)
        if seat.seating.party:
            self.player.socket.leave_party(seat.seating.id)
        else:
            self.player.socket.leave_match(seat.seating.id)

    def _call(self, hook: str, seat: Seat, *body: Any) -> None:
        self.hook, self.hook_since = hook, perf_counter()
        try:
            getattr(self._behaviour, hook)(seat, *body)
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001  # a user's code may raise anything
            self.outcome.behaviour = self._asked = True
            self._problems.say(
                f"a behaviour's {hook} raised {type(error).__name__}: {error}; its bot {self.name} ends"
            )
        finally:
            self.hook = ""
