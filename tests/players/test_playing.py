"""Behaviours played by a player: every kind of script, and every way a script can fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError, NotInside, PermissionDenied
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
    behaviour = Swimmer()
    with a.create_match() as match, b.join_match(match.id, players=2) as other:
        match.meet(2)
        other.say("hello")  # before the first player joins the room, which does not receive it
        with a.chat(match.id) as room:
            playing = gevent.spawn(match.play, behaviour, 50.0, 0.4)
            theirs.until("match_received", 1)
            other.send(SWIM, {"from": "b"})
            other.say("good luck")
            other.say("have fun")
            playing.get()
            assert room.id
    assert behaviour.log[0] == ("join", True)
    assert ("state", SWIM, {"from": "b"}, b.identity.username) in behaviour.log
    assert [entry for entry in behaviour.log if entry[0] == "chat"] == [
        ("chat", "good luck", b.identity.username), ("chat", "have fun", b.identity.username),
    ]  # fmt: skip
    assert behaviour.log[-1] == ("leave",)
    assert mine.counts["ticks_sent"] + mine.counts["ticks_missed"] == 20
    assert mine.counts["match_sent"] == mine.counts["ticks_sent"] + 1
    assert mine.counts["matches_played"] == 1


def test_playing_twice_counts_one_match(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.create_match() as match:
        for _ in range(2):
            match.play(Swimmer, 50.0, 0.1)
        for _ in match.ticks(50.0, 0.1):
            pass
    assert (recorder.counts["matches_joined"], recorder.counts["matches_played"]) == (1, 1)


def test_generator_that_returns(player: MakePlayer) -> None:
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


def never_ends(seat: Seat) -> Iterator[None]:
    while True:
        try:
            yield
        except GeneratorExit:
            yield


FILE = r"test_playing\.py"


@pytest.mark.parametrize(
    ("behaviour", "message", "operation"),
    [
        (Raises, rf"{FILE}:\d+: Raises.on_tick raised ValueError: no idea", "Raises.on_tick"),
        (Waits, rf"{FILE}: Waits.on_tick has not returned for 0.2 s", "Waits.on_tick"),
        (Hogs, rf"{FILE}: Hogs.on_tick blocks the whole process for more than 0.2 s", "Hogs.on_tick"),
        (Floods, rf"{FILE}: Floods.on_tick sends more than 1,000 messages a second", "Floods.on_tick"),
        (BadData, rf"{FILE}:\d+: BadData.on_tick raised ConfigError.*a JSON value", "BadData.on_tick"),
        (yields_a_value, rf"{FILE}: yields_a_value.on_join raised TypeError: it yields .*event = yield",
         "yields_a_value.on_join"),
        (never_ends, rf"{FILE}: never_ends.on_leave raised TypeError: it yields again after on_leave",
         "never_ends.on_leave"),
    ],
)  # fmt: skip
def test_behaviour_that_fails(
    player: MakePlayer, behaviour: Callable[..., Any], message: str, operation: str
) -> None:
    bot, recorder = player()
    lines: list[str] = []
    bot.world.watchdog.limit, bot.world.watchdog.report = 0.2, lines.append
    with pytest.raises(BehaviourError, match=message) as caught, bot.create_match() as match:
        match.play(behaviour, 100.0, 0.2)
    assert caught.value.operation == operation
    assert recorder.counts["behaviours_ended"] == 1
    assert recorder.outcomes("BOT", operation) == ["BehaviourError"]
    assert recorder.outcomes("WS", "match_leave") == ["ok"]
    # A behaviour that blocks the process is reported while it blocks.
    assert len(lines) == (1 if behaviour is Hogs else 0)


class Generator(Behaviour):
    def on_tick(self, seat: Seat) -> Any:
        yield seat


def test_not_a_behaviour() -> None:
    with pytest.raises(ConfigError, match=r"Generator\.on_tick: .*a plain method"):
        behaviour_of(Generator)
    with pytest.raises(ConfigError, match="an object with any of on_join"):
        behaviour_of(42)


def test_events_for_a_slow_behaviour_are_dropped_and_counted(player: MakePlayer) -> None:
    (a, mine), (b, _) = player(), player()

    class Slow(Swimmer):
        def on_tick(self, seat: Seat) -> None:
            if mine.counts["match_received"] == 0:
                # In bursts that fit the server's queue for a session.
                for burst in range(50, MOST_EVENTS + 51, 50):
                    for _ in range(50):
                        other.send(SWIM, {})
                    mine.until("match_received", burst)
            seat.leave()

    with a.create_match() as match, b.join_match(match.id, players=2) as other:
        match.meet(2)
        match.play(Slow(), 100.0, 30.0)
    assert mine.counts["behaviour_events_dropped"] == 50


class Reconnects(Swimmer):
    def on_tick(self, seat: Seat) -> None:
        if "away" not in self.log:
            self.log.append("away")
            seat.reconnect()
        else:
            seat.send(SWIM, {"back": True})
            seat.leave()


def test_behaviour_that_reconnects_keeps_its_seat(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    behaviour = Reconnects()
    with a.create_match() as match, b.join_match(match.id, players=2):
        match.meet(2)
        match.play(behaviour, 100.0, 30.0)
        match.settle()
    assert [entry for entry in behaviour.log if entry[0] == "join"] == [("join", True)]
    assert mine.counts["reconnects"] == 1
    assert theirs.delivery()["received"] == theirs.delivery()["expected"] >= 1


def test_seat_after_leaving(player: MakePlayer) -> None:
    bot, _ = player()
    with bot.create_match() as match:
        seat = match.seat
    error = failure(NotInside, seat.send, 1, b"late")
    assert "the player has left" in str(error)


BAN = """
def init_module(nk, initializer):
    def ban(context, payload):
        nk.users_ban_id([payload])
        return "{}"

    initializer.register_rpc(ban, "ban")
"""


def test_reconnect_of_a_banned_user(player: MakePlayer, tmp_path: Path) -> None:
    module = tmp_path / "ban.py"
    module.write_text(BAN)
    with EmulatorProcess.start(extra=["--module", str(module)]) as emulator:
        (bot, recorder), (other, _) = player(url=emulator.url), player(url=emulator.url)
        with bot.create_match():
            other.socket.rpc("ban", bot.user_id)
            bot.session.stale = True  # as after a refused call: tokens of the same second stay valid
            error = failure(PermissionDenied, bot.reconnect)
        for one in (bot, other):
            one.close()
    assert "banned" in str(error)
    assert recorder.counts["reconnects_failed"] == 1


def test_watchdog_stops_with_the_last_driver() -> None:
    dog = Watchdog(0.1, print)
    with dog.watching(object()):  # type: ignore[arg-type]
        assert dog._beat is not None
    assert dog._beat is None
