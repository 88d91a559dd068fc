"""Behaviours as a player plays them: every kind of script, and every way that one cannot go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import Abandoned, ConfigError, PermissionDenied
from nakama_bots.players.behaviours.behaviour import Behaviour, BehaviourError, ChatMessage, State, behaviour_of
from nakama_bots.players.behaviours.driver import MOST_EVENTS, Watchdog
from nakama_bots.players.behaviours.seat import MOST_SENDS, Seat

from .conftest import MakePlayer
from .support import failure

SWIM = 7


class Swimmer(Behaviour):
    def __init__(self) -> None:
        self.log: list[Any] = []

    def on_join(self, seat: Seat) -> None:
        self.log.append(("join", seat.user_id in seat.presences))

    def on_tick(self, seat: Seat) -> None:
        seat.send(SWIM, {"x": len(self.log)})

    def on_state(self, seat: Seat, state: State) -> None:
        assert seat.state is state
        self.log.append(("state", state.op_code, state.json(), state.username))

    def on_chat(self, seat: Seat, message: ChatMessage) -> None:
        self.log.append(("chat", message.text, message.username))

    def on_leave(self, seat: Seat) -> None:
        seat.send(SWIM, "bye")
        self.log.append(("leave",))


def test_every_hook(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    one = Swimmer()
    with a.create_match() as match, b.join_match(match.id, players=2) as other:
        match.meet(2)
        other.say("hello")  # before the first has joined the room: it does not hear it
        with a.chat(match.id) as room:
            playing = gevent.spawn(match.play, one, 50.0, 0.4)
            theirs.until("match_received", 1)
            other.send(SWIM, {"from": "b"})
            other.say("good luck")
            other.say("have fun")
            playing.get()
            assert room.id
    assert one.log[0] == ("join", True)
    assert ("state", SWIM, {"from": "b"}, b.identity.username) in one.log
    assert [entry for entry in one.log if entry[0] == "chat"] == [
        ("chat", "good luck", b.identity.username), ("chat", "have fun", b.identity.username),
    ]  # fmt: skip
    assert one.log[-1] == ("leave",)
    assert mine.counts["ticks_sent"] + mine.counts["ticks_missed"] == 20
    assert mine.counts["match_sent"] == mine.counts["ticks_sent"] + 1
    assert mine.counts["matches_played"] == 1


def test_played_twice_is_one_match(player: MakePlayer) -> None:
    bot, heard = player()
    with bot.create_match() as match:
        for _ in range(2):
            match.play(Swimmer, 50.0, 0.1)
        for _ in match.ticks(50.0, 0.1):
            pass
    assert (heard.counts["matches_joined"], heard.counts["matches_played"]) == (1, 1)


def test_a_generator_and_its_return(player: MakePlayer) -> None:
    bot, _ = player()
    events: list[str] = []

    def script(seat: Seat) -> Iterator[None]:
        while len(events) < 3:
            event: Any = yield
            events.append(event.hook)
            seat.send(1, b"x")

    with bot.create_match() as match:
        match.play(script, 100.0, 30.0)
    assert events == ["on_join", "on_tick", "on_tick"]


class Raises(Behaviour):
    def on_tick(self, seat: Seat) -> None:
        raise ValueError("no idea")


class Waits(Behaviour):
    def on_tick(self, seat: Seat) -> None:
        gevent.sleep(1000)


class Hogs(Behaviour):
    def on_tick(self, seat: Seat) -> None:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            pass


class Floods(Behaviour):
    def on_tick(self, seat: Seat) -> None:
        for _ in range(MOST_SENDS + 1):
            seat.send(1, b"x")


class BadData(Behaviour):
    def on_tick(self, seat: Seat) -> None:
        seat.send(1, object())


def yields_a_value(seat: Seat) -> Iterator[Any]:
    yield seat


def goes_on(seat: Seat) -> Iterator[None]:
    while True:
        try:
            yield
        except GeneratorExit:
            yield


FILE = r"test_playing\.py"


@pytest.mark.parametrize(
    ("behaviour", "told", "operation"),
    [
        (Raises, rf"{FILE}:\d+: Raises.on_tick raised ValueError: no idea", "Raises.on_tick"),
        (Waits, rf"{FILE}: Waits.on_tick has not returned for 0.2 s", "Waits.on_tick"),
        (Hogs, rf"{FILE}: Hogs.on_tick blocks the whole process for more than 0.2 s", "Hogs.on_tick"),
        (Floods, rf"{FILE}: Floods.on_tick sends more than 1,000 messages a second", "Floods.on_tick"),
        (BadData, rf"{FILE}:\d+: BadData.on_tick raised ConfigError.*a JSON value", "BadData.on_tick"),
        (yields_a_value, rf"{FILE}: yields_a_value.on_join raised TypeError: it yields .*event = yield",
         "yields_a_value.on_join"),
        (goes_on, rf"{FILE}: goes_on.on_leave raised TypeError: it yields again after on_leave",
         "goes_on.on_leave"),
    ],
)  # fmt: skip
def test_a_behaviour_that_cannot_go_on(
    player: MakePlayer, behaviour: Callable[..., Any], told: str, operation: str
) -> None:
    bot, heard = player()
    lines: list[str] = []
    bot.world.watchdog.limit, bot.world.watchdog.report = 0.2, lines.append
    with pytest.raises(BehaviourError, match=told) as caught, bot.create_match() as match:
        match.play(behaviour, 100.0, 0.2)
    assert caught.value.operation == operation
    assert heard.counts["behaviours_ended"] == 1
    assert heard.outcomes("BOT", operation) == ["BehaviourError"]
    assert heard.outcomes("WS", "match_leave") == ["ok"]
    # The one that lets nobody else run is named while it does.
    assert len(lines) == (1 if behaviour is Hogs else 0)


class Generator(Behaviour):
    def on_tick(self, seat: Seat) -> Any:
        yield seat


def test_what_is_no_behaviour() -> None:
    with pytest.raises(ConfigError, match=r"Generator\.on_tick: .*a plain method"):
        behaviour_of(Generator)
    with pytest.raises(ConfigError, match="an object with any of on_join"):
        behaviour_of(42)


def test_events_of_a_behaviour_that_is_too_slow_are_dropped_and_counted(player: MakePlayer) -> None:
    (a, mine), (b, _) = player(), player()

    class Slow(Swimmer):
        def on_tick(self, seat: Seat) -> None:
            if mine.counts["match_received"] == 0:
                # In bursts that the server's queue for a session takes.
                for burst in range(50, MOST_EVENTS + 51, 50):
                    for _ in range(50):
                        other.send(SWIM, {})
                    mine.until("match_received", burst)
            seat.leave()

    with a.create_match() as match, b.join_match(match.id, players=2) as other:
        match.meet(2)
        match.play(Slow(), 100.0, 30.0)
    assert mine.counts["behaviour_events_dropped"] == 50


class ComesBack(Swimmer):
    def on_tick(self, seat: Seat) -> None:
        if "away" not in self.log:
            self.log.append("away")
            seat.reconnect()
        else:
            seat.send(SWIM, {"back": True})
            seat.leave()


def test_a_behaviour_that_reconnects_keeps_its_seat(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    one = ComesBack()
    with a.create_match() as match, b.join_match(match.id, players=2):
        match.meet(2)
        match.play(one, 100.0, 30.0)
        match.settle()
    assert [entry for entry in one.log if entry[0] == "join"] == [("join", True)]
    assert mine.counts["reconnects"] == 1
    assert theirs.delivery()["received"] == theirs.delivery()["expected"] >= 1


def test_a_seat_that_was_left(player: MakePlayer) -> None:
    bot, _ = player()
    with bot.create_match() as match:
        seat = match.seat
    error = failure(Abandoned, seat.send, 1, b"late")
    assert "the player has left" in str(error)


BAN = """
def init_module(nk, initializer):
    def ban(context, payload):
        nk.users_ban_id([payload])
        return "{}"

    initializer.register_rpc(ban, "ban")
"""


def test_a_reconnect_of_a_banned_user(player: MakePlayer, tmp_path: Path) -> None:
    module = tmp_path / "ban.py"
    module.write_text(BAN)
    with EmulatorProcess.start(extra=["--module", str(module)]) as emulator:
        (bot, heard), (other, _) = player(url=emulator.url), player(url=emulator.url)
        with bot.create_match():
            other.socket.rpc("ban", bot.user_id)
            bot.session.stale = True  # as after a refused call: tokens of the same second are still accepted
            error = failure(PermissionDenied, bot.reconnect)
        for one in (bot, other):
            one.close()
    assert "banned" in str(error)
    assert heard.counts["reconnects_failed"] == 1


def test_the_watchdog_stops_with_the_last_driver() -> None:
    dog = Watchdog(0.1, print)
    with dog.watching(object()):  # type: ignore[arg-type]
        assert dog._beat is not None
    assert dog._beat is None
