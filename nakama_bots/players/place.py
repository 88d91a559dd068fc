"""A match or a party: a player's seat in it, sending to the others, and playing a behaviour there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import gevent

from nakama_bots import observer as names
from nakama_bots.clock import Tick, Ticker
from nakama_bots.players.behaviours.behaviour import State, behaviour_of
from nakama_bots.players.behaviours.driver import Driver, Wait
from nakama_bots.players.behaviours.seat import Seat
from nakama_bots.players.joined import Joined

if TYPE_CHECKING:
    from nakama_bots.players.acts.chat import ChatRoom
    from nakama_bots.players.player import Player


def missed_of(tick: Tick, ticks: int) -> int:
    """How many of a run's ``ticks`` the due ``tick`` ran over; it may itself be beyond the last one."""
    return max(0, min(tick.number, ticks) - (tick.number - tick.missed))


class Place(Joined):
    """A match or a party: a player's seat in it, and sending to the others."""

    paced = True

    def __init__(self, player: Player) -> None:
        super().__init__(player)
        self._state: State | None = None
        self.room: ChatRoom | None = None
        self.seat = Seat(self)
        self.rate = player.world.defaults.tick_rate
        """Ticks a second, by default."""
        self.seconds = player.world.defaults.match_seconds
        """Seconds to play, by default."""
        self.played = False
        """True once a tick has run."""
        self._planned: float | None = None
        self._listeners: list[Callable[[State], object]] = []
        self._tick_lateness = player.calls.series(names.TICK_LATENESS)
        self._ticks_sent = player.calls.tally(names.TICKS_SENT)

    @property
    def state(self) -> State | None:
        """The newest state received."""
        return self._state

    def send(self, op_code: int, data: Any = b"", to: Iterable[str] = ()) -> None:
        """Send ``data`` (bytes, text or a JSON value) to everyone, or to the user ids ``to``."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Send ``text`` to the chat room of this place; the first message joins it."""
        if self.room is None:
            # Players that never send a message cost the server no channel.
            self.room = self.player.chat(self.id, persistence=False)
            self.room.__enter__()
        self.room.say(text)

    def replay(self, messages: Iterable[tuple[float, int, bytes]]) -> None:
        """Send recorded messages (seconds from the first one, op code, data) on their own clock.

        One that is overdue is sent at once; none is left out.
        """
        started = perf_counter()
        try:
            for at, op_code, data in messages:
                due = started + at
                gevent.sleep(max(0.0, due - perf_counter()))
                self._planned = due
                self.send(op_code, data)
                self.played = True
        finally:
            self._planned = None

    def play(
        self,
        behaviour: object = None,
        rate: float | None = None,
        seconds: float | None = None,
        *,
        skip: bool = True,
    ) -> None:
        """Play ``behaviour`` (an object, a class or a generator function) for ``seconds``, or until it leaves.

        ``on_tick`` is called ``rate`` times a second, on the grid of the start time. At the end, messages
        in flight are waited for. May be called again.
        Raises ``BehaviourError`` if the behaviour cannot continue.
        """
        driver = Driver(self, behaviour_of(behaviour))
        driver.run(partial(self._schedule, rate, seconds, skip))
        self.settle()

    def ticks(
        self, rate: float | None = None, seconds: float | None = None, *, skip: bool = True
    ) -> Iterator[Tick]:
        """The ticks for playing step by step: ``rate`` a second for ``seconds``.

        Every tick's lateness is sampled. Overrun ticks are skipped and counted as missed; with
        ``skip=False`` they run late and none is skipped.
        """
        return self._schedule(rate, seconds, skip, self._sleep)

    def on_state(self, listener: Callable[[State], object]) -> Callable[[], None]:
        """Call ``listener`` with every state, in the event loop: it must not block. Returns its removal."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _stop(self) -> None:
        super()._stop()
        room, self.room = self.room, None
        if room is not None and self.player.connected:
            room.__exit__(None, None, None)
        elif room is not None:
            # A lost connection is the visit's to report or to recover, and that has been done.
            room._stop()

    def _check_inside(self, operation: str) -> None:
        if self._member is None:
            raise self._outside(operation, has_left=bool(self.id))

    def _heard(self, state: State) -> None:
        self._state = state
        for listener in self._listeners:
            listener(state)

    def _sleep(self, seconds: float) -> bool:
        gevent.sleep(seconds)
        if not self.player.connected:
            self.player.recover()
        return True

    def _schedule(self, rate: float | None, seconds: float | None, skip: bool, wait: Wait) -> Iterator[Tick]:
        rate = self.rate if rate is None else rate
        seconds = self.seconds if seconds is None else seconds
        calls = self.player.calls
        ticker = Ticker(rate, perf_counter())
        ticks = round(rate * seconds)
        try:
            while wait(ticker.wait(perf_counter())):
                tick = ticker.due(perf_counter()) if skip else ticker.in_turn(perf_counter())
                if tick.missed:
                    calls.count(names.TICKS_MISSED, missed_of(tick, ticks))
                if tick.number >= ticks:
                    return
                self._tick_lateness(tick.late)
                self._ticks_sent(1)
                self._planned = tick.planned
                self.played = True
                yield tick
                self._planned = None
        finally:
            self._planned = None
