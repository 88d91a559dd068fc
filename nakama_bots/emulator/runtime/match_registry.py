"""The running authoritative matches, and their list."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nakama_bots.emulator.formats.query import document
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.matches import MatchContext, MatchHandler, RunningMatch, State
from nakama_bots.emulator.store.labels import LONGEST, LabelIndex, Labelled, label_fields
from nakama_bots.emulator.store.limits import Full
from nakama_bots.emulator.store.tracker import Mode, OnlineSession, PresenceStream, Tracker

_FASTEST: Final = 60


@dataclass(frozen=True, slots=True)
class ListedMatch(Labelled):
    """A match in the list."""

    tick_rate: int
    handler_name: str


class MatchRegistry:
    """All authoritative matches. ``handlers``: by the name that a match is created with.

    ``started`` is called with each new match, to start its ticks.
    """

    def __init__(self, tracker: Tracker, now: Callable[[], int], options: Options) -> None:
        self.options = options
        self.tracker = tracker
        self.now = now
        self.handlers: dict[str, MatchHandler] = {}
        # Creates the handler of a match whose name is not registered; None: there is none.
        self.resolve: Callable[[str], MatchHandler | None] = lambda _: None
        self.started: Callable[[RunningMatch], None] = lambda _: None
        # Seconds of any origin, and a call once everything that waits has been handled; the server replaces it.
        self.clock: Callable[[], float] = time.perf_counter
        self.later: Callable[[Callable[[], None]], None] = lambda call: call()
        self._node = options.node
        self._matches: dict[PresenceStream, RunningMatch] = {}
        self.index: LabelIndex[ListedMatch] = LabelIndex(now, options.label_update_interval)

    def __len__(self) -> int:
        return len(self._matches)

    def all(self) -> list[RunningMatch]:
        """Return the running matches, oldest first."""
        return list(self._matches.values())

    def get(self, stream: PresenceStream) -> RunningMatch | None:
        """Return the match of a stream."""
        return self._matches.get(stream)

    def create(self, identifier: str, handler_name: str, params: Mapping[str, Any]) -> RunningMatch:
        """Start a match; ``RuntimeFunctionError`` with the server's text on failure."""
        handler = self.handlers.get(handler_name) or self.resolve(handler_name)
        if handler is None:
            msg = "error creating match: error creating match: not found"
            raise RuntimeFunctionError(msg)
        if len(self._matches) >= self.options.limits.matches:
            raise RuntimeFunctionError(str(Full("matches", self.options.limits.matches)))
        stream = PresenceStream(Mode.MATCH_AUTHORITATIVE, identifier, label=self._node)
        match = RunningMatch(stream, handler_name, handler, self, self.now())
        context = MatchContext(match.id, self._node, "", 0)
        # A module may return anything.
        initial: tuple[State, Any, Any] = handler.match_init(context, params)
        state, rate, label = initial
        wrong = ""
        if not isinstance(label, str):
            wrong = "unexpected third value, must be a label string"
        elif len(label.encode()) > LONGEST:
            wrong = f"invalid label, must be {LONGEST} bytes or less"
        elif not isinstance(rate, int):
            wrong = "unexpected second value, must be a tick rate number"
        elif not 1 <= rate <= _FASTEST:
            wrong = f"invalid tick rate, must be between 1 and {_FASTEST}"
        elif state is None:
            wrong = "unexpected first value, must be a state"
        if wrong:
            msg = f"error creating match: error creating match: match_init returned {wrong}"
            raise RuntimeFunctionError(msg)
        match.state, match.rate, match.label = state, rate, label
        self._matches[stream] = match
        self.show(match)
        self.started(match)
        return match

    def show(self, match: RunningMatch) -> None:
        """Copy a match's label to the list."""
        fields = {
            "node": self._node,
            "label_string": match.label,
            "tick_rate": match.rate,
            "handler_name": match.handler_name,
            "create_time": match.create_time,
            "label": label_fields(match.label),
        }
        listed = ListedMatch(match.label, match.create_time, document(fields), match.rate, match.handler_name)
        self.index.put(match.id, listed)

    def forget(self, match: RunningMatch) -> None:
        """Remove a stopped match."""
        self._matches.pop(match.stream, None)
        self.tracker.drop(match.stream)
        self.index.put(match.id, None)

    def left(self, stream: PresenceStream, session: OnlineSession, reason: int) -> None:
        """Called when a session has left a match's stream."""
        match = self._matches.get(stream)
        if match is not None:
            match.left(session, reason)
