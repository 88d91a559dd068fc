"""Feeds the tracer from a player's observer and from its messages; there only with ``--nakama-traces``."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any, Final

from nakama_bots.errors import CallError
from nakama_bots.observer import Observer
from nakama_bots.players.player import Player
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.results.record.traces import PLAYER, STORY, TraceEvent, Tracer, event_of, hashed

_SOCKET: Final = "WS"
_CONNECT: Final = "connect"
_MATCHED: Final = "matchmaker_matched"
_WITH_SELF: Final = ("match", "channel", "party")
"""Replies in which the player's own presence is, and with it the id of its session."""


class TracedPlayer:
    """The observer of one player, and the adapter of its sockets: knows which cid a call had.

    The protocol reports a call while it handles the message that ended it, right after ``decode``. A call that
    no message ended is found by when it was sent.
    """

    format: Final = TEXT_ADAPTER.format
    opcode: Final = TEXT_ADAPTER.opcode
    content: Final = TEXT_ADAPTER.content

    def __init__(self, observer: Observer, tracer: Tracer) -> None:
        self._observer = observer
        self._tracer = tracer
        self._story = tracer.story()
        self._player: Player | None = None
        self._track = ""
        self._sent: dict[str, tuple[str, float]] = {}
        self._answered = ""
        self._sid = ""
        self._in_matchmaker = False

    def follow(self, player: Player) -> None:
        """It is this player's."""
        self._player = player
        self._track = hashed(player.identity.device_id)
        adapter: Adapter = self
        player.adapter = adapter
        if self._story is not None:
            for event in PUSHES:
                player.tap(event, partial(self._pushed, event))

    def encode(self, envelope: dict[str, object]) -> bytes:
        """``Adapter``: a message is about to be sent."""
        cid = envelope.get("cid")
        if isinstance(cid, str):
            key = next((key for key in envelope if key != "cid"), "")
            self._sent[cid] = key, perf_counter()
        return TEXT_ADAPTER.encode(envelope)

    def decode(self, payload: bytes) -> Any:
        """``Adapter``: a message has been read."""
        message = TEXT_ADAPTER.decode(payload)
        self._answered = ""
        if isinstance(message, dict):
            cid = message.get("cid")
            if isinstance(cid, str) and cid in self._sent:
                self._answered = cid
                if not self._sid:
                    self._sid = _session_id(message)
        return message

    def call(
        self,
        kind: str,
        name: str,
        started: float,
        elapsed: float,
        size: int,
        error: CallError | None,
        waited: float | None = None,
    ) -> None:
        """``Observer``: one call ended."""
        cid = self._cid(name, started) if kind == _SOCKET else ""
        self._observer.call(kind, name, started, elapsed, size, error, waited)
        self._look(kind, name, error)
        why = self._tracer.wants(kind, name, elapsed + (waited or 0.0), error)
        if not why and self._story is None:
            return
        event = event_of(kind, name, started + self._tracer.offset, elapsed, size, error, waited)
        self._describe(event, cid)
        event["why"] = why or PLAYER
        if why:
            self._tracer.keep(event)
        self._tell(event)

    def sample(self, name: str, seconds: float) -> None:
        """``Observer``: passed on; part of the story of a player that is kept whole."""
        self._observer.sample(name, seconds)
        if self._story is not None:
            self._note("SAMPLE", name, perf_counter() - max(0.0, seconds), max(0.0, seconds), 0)

    def count(self, name: str, number: int = 1) -> None:
        """``Observer``: passed on."""
        self._observer.count(name, number)

    def _cid(self, name: str, started: float) -> str:
        """The cid of a call that ends now."""
        answered, self._answered = self._answered, ""
        name = name.partition(" ")[0]  # without that of a provoked failure
        if answered and self._sent.get(answered, ("", 0.0))[0] == name:
            del self._sent[answered]
            return answered
        if name == _CONNECT:
            return ""
        # It was sent right after its start; what was refused has no cid, and none was sent after it.
        after = [(sent, cid) for cid, (key, sent) in self._sent.items() if key == name and sent >= started]
        if not after:
            return ""
        cid = min(after)[1]
        del self._sent[cid]
        return cid

    def _look(self, kind: str, name: str, error: CallError | None) -> None:
        if error is not None:
            return
        if kind == _SOCKET and name == _CONNECT:
            self._sent.clear()
            self._sid, self._in_matchmaker = "", False
        elif name == "matchmaker_add":
            self._in_matchmaker = True
        elif name in (_MATCHED, "matchmaker_remove"):
            self._in_matchmaker = False

    def _describe(self, event: TraceEvent, cid: str) -> None:
        player = self._player
        event["player"], event["cid"] = self._track, cid
        if player is None:
            return
        event["uid"] = hashed(player.user_id) if player.has_session else ""
        event["sid"] = hashed(self._sid) if event["kind"] == _SOCKET else ""
        joined = sorted({type(one).__name__.lower() for one in player.joined})
        state = [f"in {one}" for one in joined] + (["in matchmaker"] if self._in_matchmaker else [])
        event["state"] = ", ".join(state) or ("connected" if player.connected else "not connected")

    def _pushed(self, event: str, _: object, at: float, size: int) -> None:
        self._note("PUSHED", event, at, 0.0, size)

    def _note(self, kind: str, name: str, started: float, elapsed: float, size: int) -> None:
        if self._story is None or len(self._story) >= STORY:
            return
        event = event_of(kind, name, started + self._tracer.offset, elapsed, size, None, None)
        self._describe(event, "")
        event["why"] = PLAYER
        self._tell(event)

    def _tell(self, event: TraceEvent) -> None:
        if self._story is not None and len(self._story) < STORY:
            self._story.append(event)


def _session_id(message: dict[str, Any]) -> str:
    for key in _WITH_SELF:
        body = message.get(key)
        own = body.get("self") if isinstance(body, dict) else None
        if isinstance(own, dict) and isinstance(own.get("session_id"), str):
            return str(own["session_id"])
    return ""
