"""Passes the calls, samples and pushes of a player to the tracer, if ``--nakama-traces`` is set."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Final

from nakama_bots.observer import FinishedCall
from nakama_bots.players.player import Player
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.results.traces.tracer import LONGEST, PLAYER, STORY, TraceEvent, Tracer, event_of, hashed

_SOCKET: Final = "WS"
_CONNECT: Final = "connect"
_MATCHED: Final = "matchmaker_matched"


class TracedPlayer:
    """The tap of one player: keeps what the tracer wants."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._story = tracer.story()
        self._player: Player | None = None
        self._track = ""
        self._session_id = ""
        self._in_matchmaker = False

    def follow(self, player: Player) -> None:
        """Set the player, whose observer has this tap."""
        self._player = player
        self._track = hashed(player.identity.device_id)
        if self._story is not None:
            for event in PUSHES:
                player.tap(event, partial(self._pushed, event))

    def call(self, call: FinishedCall) -> None:
        """``Tap``: a call has ended."""
        self._look(call)
        why = self._tracer.wants(call)
        if not why and self._story is None:
            return
        event = self._event(call)
        event["why"] = why or PLAYER
        self._note_reading(event, call)
        if why:
            self._tracer.keep(event)
        self._add_to_story(event)

    def sample(self, name: str, seconds: float) -> None:
        """``Tap``: part of the story of a player that is kept whole."""
        if self._story is not None:
            seconds = min(max(0.0, seconds), LONGEST)
            self._note("SAMPLE", name, perf_counter() - seconds, seconds, 0)

    def _look(self, call: FinishedCall) -> None:
        if call.error is not None:
            return
        if call.kind == _SOCKET and call.name == _CONNECT:
            self._session_id, self._in_matchmaker = "", False
        elif call.name == "matchmaker_add":
            self._in_matchmaker = True
        elif call.name in (_MATCHED, "matchmaker_remove"):
            self._in_matchmaker = False

    def _event(self, call: FinishedCall) -> TraceEvent:
        event = event_of(call, self._tracer.offset)
        player = self._player
        event["player"] = self._track
        if player is None:
            return event
        event["uid"] = hashed(player.user_id) if player.has_session else ""
        if call.kind == _SOCKET:
            self._session_id = self._session_id or player.session_id
            event["sid"] = hashed(self._session_id)
        joined = sorted({type(one).__name__.lower() for one in player.joined})
        state = [f"in {one}" for one in joined] + (["in matchmaker"] if self._in_matchmaker else [])
        event["state"] = ", ".join(state) or ("connected" if player.connected else "not connected")
        return event

    def _note_reading(self, event: TraceEvent, call: FinishedCall) -> None:
        """Add when the answer of a call on the socket was handled, and how long the player did not read."""
        if not call.cid or self._player is None:
            return
        now = perf_counter()
        read = call.started + call.elapsed + (call.waited or 0.0)
        if call.error is None:
            event["woken_ms"] = round(max(0.0, now - read) * 1e3, 3)
        reading = self._player.socket.reading(call.started, now, call.size)
        if reading.unread:
            event["unread_ms"] = round(reading.unread * 1e3, 3)
        if reading.late and call.waited is not None:
            event["bounds"] = True

    def _pushed(self, event: str, _: object, at: float, size: int) -> None:
        self._note("PUSHED", event, at, 0.0, size)

    def _note(self, kind: str, name: str, started: float, elapsed: float, size: int) -> None:
        if self._story is not None and len(self._story) < STORY:
            event = self._event(FinishedCall(kind, name, started, elapsed, size, None))
            event["why"] = PLAYER
            self._add_to_story(event)

    def _add_to_story(self, event: TraceEvent) -> None:
        if self._story is not None and len(self._story) < STORY:
            self._story.append(event)
