"""One match as a bot plays it: join, wait for the others, send state on a drift-free tick, measure, leave."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter
from types import TracebackType
from typing import Final, Self

import gevent
from gevent.event import Event

from nakama_bots import observer as names
from nakama_bots.clock import Tick, Ticker
from nakama_bots.errors import CallError, RequestTimeout
from nakama_bots.players.delivery import END, Stamp
from nakama_bots.players.inbox import MATCH, Inbox, Outbox
from nakama_bots.players.player import Player
from nakama_bots.realtime.socket import DISCONNECT
from nakama_bots.types.realtime import Match, MatchData, MatchmakerMatched, MatchPresenceEvent

STATE_OP_CODE: Final = 1
END_OP_CODE: Final = 2
GRACE: Final = 2.0
"""Seconds that the last messages of the others are waited for."""


def missed_of(tick: Tick, ticks: int) -> int:
    """How many of a run's ``ticks`` the due ``tick`` ran over; it may itself be beyond the last one."""
    return max(0, min(tick.number, ticks) - (tick.number - tick.missed))


class MatchRun:
    """A player in a match; a context manager that leaves it and reports the delivery.

    Listens from before the join, so that nothing which the server sends to the player is missed.

    With ``drop_in`` players come and go while others play. An authoritative match is sent ``op_codes`` that its
    handler gives to everybody, for state and for the end.
    """

    def __init__(
        self,
        player: Player,
        *,
        drop_in: bool = False,
        op_codes: tuple[int, int] = (STATE_OP_CODE, END_OP_CODE),
    ) -> None:
        self._player = player
        self._observer = player.world.observer
        self._op_codes = op_codes
        self._drop_in = drop_in
        self._outbox = Outbox(_sender(player.session.user_id))
        self._inbox = Inbox(player, MATCH, drop_in=drop_in)
        self._present: dict[str, str] = {}
        self._changed = Event()
        self._early: list[Callable[[], None]] = []
        self._match: Match | None = None
        self._remove = [
            player.socket.tap("match_presence_event", self._on_presence),
            player.socket.tap("match_data", self._on_data),
            player.socket.on(DISCONNECT, lambda _: self._changed.set()),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._match is not None and self._player.connected:
                # A failed leave is told to the observer; it must not hide what ended the match.
                with suppress(CallError):
                    self._player.socket.leave_match(self._match["match_id"])
        finally:
            for remove in self._remove:
                remove()
            self._inbox.report()

    @property
    def match_id(self) -> str:
        """The match that was joined."""
        return self._match["match_id"] if self._match else ""

    @property
    def _relayed(self) -> bool:
        return self._op_codes == (STATE_OP_CODE, END_OP_CODE)

    @property
    def _own_session(self) -> str:
        return self._match["self"]["session_id"] if self._match else ""

    @property
    def players(self) -> int:
        """How many presences the player knows of, its own included."""
        return len(self._present)

    def join(self, matched: MatchmakerMatched) -> Match:
        """Join what the matchmaker matched: by the match id of a server hook, else by the token."""
        match_id = matched.get("match_id", "")
        match = self._player.socket.join_match(match_id, token="" if match_id else matched.get("token", ""))
        self._observer.count(names.TICKETS_JOINED)
        return self._enter(match)

    def join_id(self, match_id: str) -> Match:
        """Join the match of that id."""
        return self._enter(self._player.socket.join_match(match_id))

    def join_named(self, name: str) -> Match:
        """Join the relayed match of that name; whoever comes first starts it."""
        return self._enter(self._player.socket.create_match(name))

    def _enter(self, match: Match) -> Match:
        self._match = match
        for presence in [*match.get("presences", ()), match["self"]]:
            self._present[presence["session_id"]] = presence["user_id"]
        # The server may send a presence event or state before the reply that tells the match's id.
        for push in self._early:
            push()
        self._early.clear()
        self._observer.count(names.MATCHES_JOINED)
        return match

    def wait_for_players(self, number: int, timeout: float) -> bool:
        """Wait until ``number`` players are present; False after ``timeout`` seconds or at the socket's end."""
        return self._wait(lambda: len(self._present) >= number, timeout)

    def meet(self, number: int, timeout: float) -> None:
        """Wait until ``number`` players are present; a match that they do not come to is a failure.

        Told to the observer as a failed ``PUSH match_presence_event``, counted as a deserted match, and raised
        as ``RequestTimeout``, or as how the connection ended.
        """
        started = perf_counter()
        if self.wait_for_players(number, timeout):
            return
        elapsed = perf_counter() - started
        cause = self._player.socket.error or RequestTimeout(f"not {number} players within {timeout:g} s")
        error = cause.for_call("match_presence_event", elapsed)
        self._observer.call("PUSH", error.operation, started, elapsed, 0, error)
        self._observer.count(names.MATCHES_DESERTED)
        raise error

    def play(self, rate: float, seconds: float, size: int = 64) -> None:
        """Send state of ``size`` bytes ``rate`` times a second for ``seconds``, on the grid of the start time.

        Every tick's lateness is sampled; ticks that were overrun are counted as missed and not made up for.
        """
        socket = self._player.socket
        for session_id in self._present:
            if session_id != self._own_session and self._relayed:
                self._inbox.expect(session_id)
        ticker = Ticker(rate, perf_counter())
        ticks = round(rate * seconds)
        while True:
            gevent.sleep(ticker.wait(perf_counter()))
            tick = ticker.due(perf_counter())
            missed = missed_of(tick, ticks)
            if missed:
                self._observer.count(names.TICKS_MISSED, missed)
            if tick.number >= ticks:
                break
            self._observer.sample(names.TICK_LATENESS, tick.late)
            stamp = self._outbox.state(tick.planned)
            socket.send_match_state(self.match_id, self._op_codes[0], stamp.pack(size))
            self._observer.count(names.TICKS_SENT)
        self._finish()
        self._observer.count(names.MATCHES_PLAYED)

    def _finish(self) -> None:
        """Tell the others how many messages there were, and wait for the same from them."""
        self._player.socket.send_match_state(self.match_id, self._op_codes[1], self._outbox.end().pack())
        self._wait(self._all_ended, GRACE)

    def _all_ended(self) -> bool:
        """Whether everybody who is still here has said how much was sent.

        Where players drop in, others go on: then it is enough that all of one's own has come back.
        """
        if self._drop_in:
            return self._relayed or self._inbox.ended([_key(self._player.session.user_id)])
        return self._inbox.ended([*self._present, *map(_key, self._present.values())])

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = perf_counter() + timeout
        while not condition():
            self._changed.clear()
            if not self._player.connected or not self._changed.wait(max(0.0, deadline - perf_counter())):
                return condition()
        return True

    def _on_presence(self, event: MatchPresenceEvent, read_at: float, size: int) -> None:
        if self._match is None:
            self._early.append(partial(self._on_presence, event, read_at, size))
            return
        if event.get("match_id") != self._match["match_id"]:
            return
        for presence in event.get("joins", ()):
            self._present[presence["session_id"]] = presence["user_id"]
        for presence in event.get("leaves", ()):
            self._present.pop(presence["session_id"], None)
            if self._drop_in:  # who comes again counts from 0 again
                self._inbox.retire(presence["session_id"])
                self._inbox.retire(_key(presence["user_id"]))
        self._changed.set()

    def _on_data(self, data: MatchData, read_at: float, size: int) -> None:
        if self._match is None:
            self._early.append(partial(self._on_data, data, read_at, size))
            return
        if data.get("match_id") != self._match["match_id"]:
            return
        stamp = Stamp.unpack(base64.b64decode(data.get("data", "")))
        if stamp is None:
            return
        # A handler may leave the sender out: then only the payload tells.
        key = data.get("presence", {}).get("session_id", "") or f"{stamp.sender:016x}"
        self._inbox.receive(key, stamp, read_at)
        if stamp.kind == END:
            self._changed.set()


def _key(user_id: str) -> str:
    return user_id.replace("-", "")[:16]


def _sender(user_id: str) -> int:
    return int(_key(user_id), 16)
