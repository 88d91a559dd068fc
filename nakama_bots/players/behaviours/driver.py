"""Runs a behaviour: calls its hooks for one seat, one at a time, and ends it when it cannot continue."""

from __future__ import annotations

import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent import monkey

from nakama_bots import observer as names
from nakama_bots.errors import CallError
from nakama_bots.observer import FinishedCall
from nakama_bots.players.behaviours.alarm import Alarm
from nakama_bots.players.behaviours.behaviour import Behaviour, BehaviourError, ChatMessage, Together
from nakama_bots.players.behaviours.behaviour import names as names_of
from nakama_bots.players.behaviours.seat import MOST_SENDS, Flooded, Seat

if TYPE_CHECKING:
    from nakama_bots.players.place import Place
    from nakama_bots.types.realtime import ChannelMessage

MOST_EVENTS: Final = 1000
"""Events that may wait for a hook; further ones are dropped and counted."""

Wait = Callable[[float], bool]
"""Waits that many seconds; False if the behaviour ends before that."""


class Driver:
    """One behaviour in one place. ``run`` continues until its schedule ends, the seat is left, or ``stop``."""

    def __init__(self, place: Place, behaviour: Behaviour) -> None:
        self.place = place
        self.behaviour = behaviour
        self.hook = ""
        self.hook_since = 0.0
        self.error: BehaviourError | None = None
        """Why the behaviour ends; set by the watchdog while a hook runs."""
        self.greenlet = gevent.getcurrent()
        self._events: deque[tuple[str, Any]] = deque()
        self._alarm = Alarm()
        self._stopped = False

    @property
    def over(self) -> bool:
        """True if it no longer acts."""
        return self._stopped or self.place.seat.leaving

    def stop(self) -> None:
        """End after the current hook."""
        self._stopped = True
        self._alarm.ring()

    def run(self, schedule: Callable[[Wait], Iterator[object]]) -> None:
        """Play: ``on_join``, ``on_tick`` for every step of the schedule, ``on_leave``.

        Raises ``BehaviourError``, or the ``CallError`` that a hook did not catch or that ended the connection.
        """
        seat, player = self.place.seat, self.place.player
        seat.leaving = seat.reconnecting = False
        self.greenlet = gevent.getcurrent()
        removes = self._listen()
        with player.world.watchdog.watching(self):
            try:
                self.call("on_join")
                for _ in schedule(self._wait):
                    self._call_reconnecting("on_tick")
                    if self.over:
                        break
                if player.connected:
                    self.call("on_leave")
            except BehaviourError as error:
                self._report(error)
                raise
            finally:
                for remove in removes:
                    remove()

    def _listen(self) -> list[Callable[[], None]]:
        removes = [self.place.player.on_lost(self._alarm.ring)]
        if self._has("on_state"):
            removes.append(self.place.on_state(lambda state: self._put("on_state", state)))
        if self._has("on_chat"):
            removes.append(self.place.player.tap("channel_message", self._chat))
        return removes

    def _has(self, hook: str) -> bool:
        """True if the author has defined ``hook``; events without a hook are not queued."""
        parts = self.behaviour.parts if isinstance(self.behaviour, Together) else (self.behaviour,)
        return any(
            getattr(type(part), hook, None) not in (None, getattr(Behaviour, hook))
            or hook in getattr(part, "__dict__", ())
            for part in parts
        )

    def _chat(self, message: ChannelMessage, _arrived_at: float, _size: int) -> None:
        if message.get("sender_id") != self.place.player.session.user_id and not message.get("code"):
            self._put("on_chat", message)

    def _put(self, hook: str, body: Any) -> None:
        if len(self._events) >= MOST_EVENTS:
            self.place.player.calls.count(names.EVENTS_DROPPED)
            return
        self._events.append((hook, body))
        self._alarm.ring()

    def _wait(self, seconds: float) -> bool:
        """Handle events for ``seconds``; False if the behaviour ends before that."""
        due = perf_counter() + seconds
        player = self.place.player
        while True:
            while self._events:
                hook, body = self._events.popleft()
                self._call_reconnecting(hook, ChatMessage(body) if hook == "on_chat" else body)
                if self.over:
                    return False
                if perf_counter() >= due:
                    break
            if self.over:
                return False
            if self.place.ended is not None:
                raise self.place.ended
            if not player.connected:
                player.recover()
            left = due - perf_counter()
            if left <= 0:
                return True
            if not self._events:
                self._alarm.wait(left)

    def _call_reconnecting(self, hook: str, *body: Any) -> None:
        self.call(hook, *body)
        seat = self.place.seat
        if seat.reconnecting and not seat.leaving:
            seat.reconnecting = False
            self.place.player.reconnect()

    def call(self, hook: str, *body: Any) -> None:
        """Call one hook."""
        seat: Seat = self.place.seat
        self.hook, self.hook_since = hook, perf_counter()
        try:
            getattr(self.behaviour, hook)(seat, *body)
        except (CallError, BehaviourError):
            raise
        except Flooded:
            raise self.blame(f"sends more than {MOST_SENDS:,} messages a second") from None
        except Exception as error:
            text = f"raised {type(error).__name__}: {error}"
            raise self.blame(text, _line(error, names_of(self.behaviour)[0])) from error
        finally:
            self.hook = ""
        if self.error is not None:
            raise self.error

    def blame(self, what: str, line: int = 0) -> BehaviourError:
        """The error that ends this player: file, class, hook, and the reason."""
        file, name = names_of(self.behaviour)
        place = f"{file}:{line}: " if line else f"{file}: " if file else ""
        operation = f"{name}.{self.hook}"
        return BehaviourError(f"{place}{operation} {what}", operation=operation)

    def _report(self, error: BehaviourError) -> None:
        calls = self.place.player.calls
        calls.count(names.BEHAVIOURS_ENDED)
        calls.call(FinishedCall("BOT", error.operation, perf_counter(), 0.0, 0, error))


def _line(error: BaseException, file: str) -> int:
    """The innermost line of ``file`` in the error's traceback; 0 if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(file)]
    return (frames[-1].lineno or 0) if frames and file else 0


class Watchdog:
    """Finds hooks that take too long: those that wait, and those that block all other greenlets.

    The former end at once; the latter are reported by a thread that reads the hub's stack, and end when they
    have returned. ``report`` is called with one line for each.
    """

    def __init__(self, limit: float, report: Callable[[str], object]) -> None:
        self.limit = limit
        self.report = report
        self._drivers: dict[Driver, None] = {}
        self._beat: gevent.Greenlet[[], None] | None = None
        self._beat_at = perf_counter()
        self._hub_thread = 0

    @contextmanager
    def watching(self, driver: Driver) -> Iterator[None]:
        """Watch ``driver``."""
        self._drivers[driver] = None
        if self._beat is None:
            self._beat_at = perf_counter()
            self._hub_thread = monkey.get_original("_thread", "get_ident")()
            self._beat = gevent.spawn(self._look)
            # A system thread, even where Locust has replaced threads by greenlets.
            monkey.get_original("_thread", "start_new_thread")(self._watch, (self._beat,))
        try:
            yield
        finally:
            del self._drivers[driver]
            if not self._drivers and self._beat is not None:
                beat, self._beat = self._beat, None
                beat.kill(block=False)

    def _look(self) -> None:
        while True:
            now = perf_counter()
            if now - self._beat_at > self.limit:
                # One hook blocked the hub: the others only waited for it.
                for driver in self._drivers:
                    driver.hook_since = now
            self._beat_at = now
            for driver in list(self._drivers):
                if driver.hook and now - driver.hook_since > self.limit and driver.error is None:
                    driver.error = driver.blame(f"has not returned for {self.limit:g} s")
                    gevent.kill(driver.greenlet, driver.error)
            gevent.sleep(min(0.5, self.limit / 4))

    def _watch(self, beat: object) -> None:
        sleep = monkey.get_original("time", "sleep")
        while self._beat is beat:
            sleep(self.limit / 4)
            if self._beat is beat and perf_counter() - self._beat_at > self.limit:
                driver = _caller(sys._current_frames().get(self._hub_thread))
                if driver is not None and driver.hook and driver.error is None:
                    driver.error = driver.blame(f"blocks the whole process for more than {self.limit:g} s")
                    driver.error.logged = True
                    self.report(f"{driver.error.args[0]}; its player {driver.place.player.identity.username} "
                              f"ends when it returns")  # fmt: skip


def _caller(frame: FrameType | None) -> Driver | None:
    while frame is not None:
        one = frame.f_locals.get("self")
        if isinstance(one, Driver) and frame.f_code.co_name == "call":
            return one
        frame = frame.f_back
    return None
