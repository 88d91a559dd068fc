"""Passes the calls, samples and pushes of a player to the tracer, if ``--nakama-traces`` is set."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Final

from nakama_bots.observer import FinishedCall
from nakama_bots.players.player import Player
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.results.traces.tracer import (
    LONGEST,
    PLAYER,
    STORY,
    Story,
    TraceEvent,
    Tracer,
    Who,
    event_of,
    hashed,
)

_SOCKET: Final = "WS"
_CONNECT: Final = "connect"
_MATCHED: Final = "matchmaker_matched"


class TracedPlayer:
    """The tap of one player: keeps what the tracer wants. ``whole``: with all pushes and samples."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        story = tracer.story()
        self.whole = story is not None
        self._story: Story = [] if story is None else story
        self._room = STORY if self.whole else 0
        self._player: Player | None = None
        self._track = ""
        self._session_id = ""
        self._in_matchmaker = False
        # As of the last look, for pushes and samples: there may be hundreds between two changes.
        self._joined = 0
        self._state = ""
        self._who: Who = ("", "", "")

    def follow(self, player: Player) -> None:
        """Set the player, whose observer has this tap."""
        self._player = player
        self._track = hashed(player.identity.device_id)
        if self.whole:
            for event in PUSHES:
                player.tap(event, partial(self._pushed, event))

    def call(self, call: FinishedCall) -> None:
        """Take a call that has been recorded."""
        now = perf_counter()
        self._note_change(call)
        why = self._tracer.wants(call)
        room = len(self._story) < self._room
        if not why and not room:
            return
        event = event_of(call, self._tracer.offset)
        event["why"] = why or PLAYER
        self._describe(event, call)
        if call.cid:
            self._add_reading(event, call, now)
        if why:
            self._tracer.keep(event)
        if room:
            self._story.append(event)

    def sample(self, name: str, seconds: float) -> None:
        """Take a sample, if the player is kept whole."""
        if len(self._story) < self._room:
            seconds = min(max(0.0, seconds), LONGEST)
            self._note("SAMPLE", name, perf_counter() - seconds, seconds, 0)

    def _pushed(self, event: str, _: object, at: float, size: int) -> None:
        if len(self._story) < self._room:
            self._note("PUSHED", event, at, 0.0, size)

    def _note(self, kind: str, name: str, started: float, elapsed: float, size: int) -> None:
        player = self._player
        if player is not None and (not self._joined or len(player.joined) != self._joined):
            self._look(player)
        self._story.append((kind, name, started, elapsed, size, self._state, self._who))

    def _note_change(self, call: FinishedCall) -> None:
        if call.error is not None:
            return
        if call.kind == _SOCKET and call.name == _CONNECT:
            self._session_id, self._in_matchmaker = "", False
        elif call.name == "matchmaker_add":
            self._in_matchmaker = True
        elif call.name in (_MATCHED, "matchmaker_remove"):
            self._in_matchmaker = False

    def _describe(self, event: TraceEvent, call: FinishedCall) -> None:
        """Add the player, and what it is in."""
        player = self._player
        if player is None:
            return
        self._look(player)
        event["player"], event["uid"], _ = self._who
        event["state"] = self._state
        if call.kind == _SOCKET:
            self._session_id = self._session_id or player.session_id
            event["sid"] = hashed(self._session_id)

    def _look(self, player: Player) -> None:
        """Look who the player is and what it is in. Between two calls it joins nothing else."""
        self._joined = len(player.joined)
        joined = sorted({type(one).__name__.lower() for one in player.joined})
        state = [f"in {one}" for one in joined] + (["in matchmaker"] if self._in_matchmaker else [])
        self._state = ", ".join(state) or ("connected" if player.connected else "not connected")
        self._who = self._track, hashed(player.user_id) if player.has_session else "", ""

    def _add_reading(self, event: TraceEvent, call: FinishedCall, now: float) -> None:
        """Add when the answer of a call on the socket was handled, and how long the player did not read."""
        if self._player is None:
            return
        if call.error is None:
            read = call.started + call.elapsed + (call.waited or 0.0)
            event["woken_ms"] = round(max(0.0, now - read) * 1e3, 3)
        reading = self._player.socket.reading(call.started, now, call.size)
        if reading.unread:
            event["unread_ms"] = round(reading.unread * 1e3, 3)
        if reading.late and call.waited is not None:
            event["bounds"] = True
