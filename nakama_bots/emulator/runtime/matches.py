"""Authoritative matches: a handler's functions, called one after another, and their dispatcher.

Follows ``server/match_handler.go``. A match does no I/O: the server calls ``tick`` at its rate. An
effect that a handler causes while one of its functions runs (a kick is a leave) waits until it has returned.
"""

from __future__ import annotations

import base64
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.match_queues import JOIN_ATTEMPT, SIGNAL, MatchQueues
from nakama_bots.emulator.store.labels import LONGEST
from nakama_bots.emulator.store.tracker import OnlineSession, PresenceStream, Tracker

if TYPE_CHECKING:
    from nakama_bots.emulator.runtime.match_registry import MatchRegistry

_DISCONNECTED: Final = (1000, "server-side session disconnect")
_LOG = logging.getLogger(__name__)

# A handler's state, of any type; None ends the match.
State = Any


@dataclass(frozen=True, slots=True)
class MatchPresence:
    """A member, or a user who wants to join.

    ``reason``: why it left, 3 by a message or a kick, 4 by the end of its connection; otherwise 0, as on the
    server.
    """

    user_id: str
    session_id: str
    username: str
    node: str = ""
    reason: int = 0


@dataclass(frozen=True, slots=True)
class MatchMessage:
    """Data that a member sent. ``receive_time_ms``: Unix milliseconds."""

    sender: MatchPresence
    op_code: int
    data: bytes
    reliable: bool
    receive_time_ms: int


@dataclass(frozen=True, slots=True)
class MatchContext:
    """The information of a match function about its match."""

    match_id: str
    node: str
    label: str
    tick_rate: int
    # The joining presence, for ``match_join_attempt`` only.
    user_id: str = ""
    username: str = ""
    session_id: str = ""
    vars: Mapping[str, str] = field(default_factory=dict)
    expiry: int = 0


class MatchHandler(Protocol):
    """Nakama's seven match functions. Returning None as state ends the match; so does an exception, which also
    closes the sockets of all members.
    """

    def match_init(self, context: MatchContext, params: Mapping[str, Any]) -> tuple[State, int, str]:
        """Return the first state, ticks per second (1 to 60) and the label (at most 2048 bytes)."""

    def match_join_attempt(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presence: MatchPresence,
        metadata: Mapping[str, str],
    ) -> tuple[Any, ...]:
        """Return the state, whether ``presence`` may join, and (optionally) why not."""

    def match_join(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """Return the state after these have joined."""

    def match_leave(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """Return the state after these have left."""

    def match_loop(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        messages: Sequence[MatchMessage],
    ) -> State:
        """Return the state after a tick with these messages."""

    def match_terminate(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: State, grace_seconds: int
    ) -> State:
        """Return the state after the notice that the server ends."""

    def match_signal(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: State, data: str
    ) -> tuple[State, str]:
        """Return the state, and the answer to a signal."""


FUNCTIONS: Final = (
    "match_init", "match_join_attempt", "match_join", "match_leave", "match_loop", "match_terminate",
    "match_signal",
)  # fmt: skip


class Dispatcher:
    """The operations of a match function on its match."""

    def __init__(self, match: RunningMatch) -> None:
        self._match = match

    def broadcast_message(
        self,
        op_code: int,
        data: bytes | str = b"",
        presences: Iterable[MatchPresence] | None = None,
        sender: MatchPresence | None = None,
        *,
        reliable: bool = True,
    ) -> None:
        """Send to these members, None: to all; ``sender`` is shown as the sender."""
        match = self._match
        envelope = self._data(op_code, data, sender, reliable=reliable)
        members = match.members
        wanted = members.values() if presences is None else _chosen(members, presences)
        match.tracker.send_to(list(wanted), envelope)

    def broadcast_message_deferred(
        self,
        op_code: int,
        data: bytes | str = b"",
        presences: Iterable[MatchPresence] | None = None,
        sender: MatchPresence | None = None,
        *,
        reliable: bool = True,
    ) -> None:
        """Send once the running function has returned. ``RuntimeFunctionError`` if the queue is full."""
        chosen = None if presences is None else list(presences)
        self._match.defer(lambda: self.broadcast_message(op_code, data, chosen, sender, reliable=reliable))

    @property
    def stopped(self) -> bool:
        """Whether the match has ended."""
        return self._match.stopped

    def _data(
        self, op_code: int, data: bytes | str, sender: MatchPresence | None, *, reliable: bool
    ) -> JsonObject:
        match = self._match
        body: JsonObject = {"match_id": match.id}
        if sender is not None:
            body["presence"] = {
                "user_id": sender.user_id,
                "session_id": sender.session_id,
                "username": sender.username,
            }
        if op_code:
            body["op_code"] = str(op_code)
        if data:
            body["data"] = base64.b64encode(data.encode() if isinstance(data, str) else data).decode()
        if reliable:
            body["reliable"] = True
        return {"match_data": body}

    def match_kick(self, presences: Iterable[MatchPresence]) -> None:
        """Remove members, without notifying them."""
        for session in _chosen(self._match.members, presences):
            self._match.tracker.untrack(self._match.stream, session)

    def match_label_update(self, label: str) -> None:
        """Change the label; lists show it within a second."""
        self._match.set_label(label)


def _chosen(members: Mapping[str, OnlineSession], presences: Iterable[MatchPresence]) -> list[OnlineSession]:
    return [members[p.session_id] for p in presences if p.session_id in members]


@dataclass(slots=True, eq=False)
class RunningMatch:
    """A running match, created by ``MatchRegistry.create``."""

    stream: PresenceStream
    handler_name: str
    handler: MatchHandler
    matches: MatchRegistry
    create_time: int
    rate: int = 1
    label: str = ""
    state: State = None
    tick_number: int = 0
    stopped: bool = False
    members: dict[str, OnlineSession] = field(default_factory=dict)
    _input: list[MatchMessage] = field(default_factory=list)
    _calls: deque[Callable[[], object]] = field(default_factory=deque)
    _deferred: list[Callable[[], object]] = field(default_factory=list)
    _busy: bool = False
    _empty_ticks: int = 0
    _queues: MatchQueues = field(init=False)

    def __post_init__(self) -> None:
        self._queues = MatchQueues(self.matches.options, self.matches.later)

    @property
    def id(self) -> str:
        """``<uuid>.<node>``."""
        return f"{self.stream.subject}.{self.stream.label}"

    @property
    def tracker(self) -> Tracker:
        """The tracker of its members' presences."""
        return self.matches.tracker

    def presence(self, session: OnlineSession) -> MatchPresence:
        """Return a session as its handler sees it."""
        return MatchPresence(session.user_id, session.id, session.username, self.stream.label)

    def _arguments(self) -> tuple[MatchContext, Dispatcher, int, State]:
        context = MatchContext(self.id, self.stream.label, self.label, self.rate)
        return context, Dispatcher(self), self.tick_number, self.state

    def set_label(self, label: str) -> None:
        """Set the label; ``RuntimeFunctionError`` if it is too long."""
        if len(label.encode()) > LONGEST:
            msg = f"match_label_update returned invalid label, must be {LONGEST} bytes or less"
            raise RuntimeFunctionError(msg)
        self.label = label
        self.matches.show(self)

    def _run(self, name: str, function: Callable[[], State]) -> bool:
        """Run a function that returns the next state; False if it ended the match."""
        if self._busy:
            msg = "a match cannot call itself"
            raise RuntimeFunctionError(msg)
        self._busy, started = True, self.matches.clock()
        try:
            self.state = function()
        except RuntimeFunctionError as error:
            _LOG.error("match %s: %s: %s", self.handler_name, name, error.message)
            self.stop(disconnect=True)
        except Exception:  # noqa: BLE001 - a module may raise anything
            _LOG.exception("match %s: %s", self.handler_name, name)
            self.stop(disconnect=True)
        finally:
            self._busy = False
            self._queues.ran(self.matches.clock() - started)
        self._send_deferred()
        if self.state is None:
            self.stop()
        while self._calls and not self.stopped:
            self._calls.popleft()()
        return not self.stopped

    def later(self, call: Callable[[], object]) -> None:
        """Call a function, but not while one of the handler's functions runs."""
        if not self._busy:
            call()
        elif len(self._calls) < self.matches.options.match_call_queue_size:
            self._calls.append(call)
        else:
            _LOG.warning("match %s: too many calls are waiting, the match ends", self.handler_name)
            self.stop(disconnect=True)

    def _send_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []
        for broadcast in deferred:
            broadcast()

    def defer(self, broadcast: Callable[[], object]) -> None:
        """Keep a broadcast until the running function has returned. ``RuntimeFunctionError``."""
        if len(self._deferred) >= self.matches.options.match_deferred_queue_size:
            msg = "too many deferred message broadcasts per tick"
            raise RuntimeFunctionError(msg)
        self._deferred.append(broadcast)

    def join_attempt(self, session: OnlineSession, metadata: Mapping[str, str]) -> tuple[bool, str]:
        """Return whether a session may join, and why not."""
        if self._queues.full(JOIN_ATTEMPT):
            return False, "Match is not currently accepting join requests"
        allowed: list[object] = []

        def attempt() -> State:
            context, dispatcher, tick, state = self._arguments()
            context = replace(
                context,
                user_id=session.user_id,
                username=session.username,
                session_id=session.id,
                vars=session.vars,
            )
            result = self.handler.match_join_attempt(
                context, dispatcher, tick, state, self.presence(session), metadata
            )
            allowed.extend(result[1:])
            return result[0]

        if not self._run("match_join_attempt", attempt):
            return False, ""
        return bool(allowed and allowed[0]), str(allowed[1] or "") if len(allowed) > 1 else ""

    def joined(self, session: OnlineSession) -> None:
        """Called when a session was admitted; ``confirmed`` has to follow."""
        self.members[session.id] = session
        self._queues.expect(session, self.tick_number, self.rate)

        def join() -> State:
            return self.handler.match_join(*self._arguments(), [self.presence(session)])

        self.later(lambda: self._run("match_join", join))

    def confirmed(self, session: OnlineSession) -> None:
        """Called when an admitted session is among the presences."""
        self._queues.confirm(session)

    def left(self, session: OnlineSession, reason: int) -> None:
        """Called when a session has left, for a reason of ``MatchPresence``.

        As on the server, a function that kicks a member can still send to it.
        """
        if self.stopped or session.id not in self.members:
            return

        def leave() -> State:
            left = replace(self.presence(session), reason=reason)
            return self.handler.match_leave(*self._arguments(), [left])

        def remove() -> None:
            if self.members.pop(session.id, None) is not None:
                self._run("match_leave", leave)

        self.later(remove)

    def queue(self, session: OnlineSession, op_code: int, data: bytes, *, reliable: bool) -> None:
        """Keep a message for the next tick; it is dropped silently if the queue is full."""
        if len(self._input) < self.matches.options.match_input_queue_size:
            now = self.matches.now() // 10**6
            self._input.append(MatchMessage(self.presence(session), op_code, data, reliable, now))

    def tick(self) -> None:
        """Call ``match_loop`` once."""
        if self.stopped:
            return
        messages, self._input = self._input, []
        if not self._run("match_loop", lambda: self.handler.match_loop(*self._arguments(), messages)):
            return
        self._empty_ticks = 0 if self.members else self._empty_ticks + 1
        longest = self.matches.options.match_max_empty * self.rate
        if longest and self._empty_ticks >= longest:
            self.stop()
        due = self._queues.expired(self.tick_number, self.rate)
        self.tick_number += 1
        for session in due:
            self.left(session, reason=0)

    def signal(self, data: str) -> str:
        """Return the handler's answer to a signal. ``RuntimeFunctionError``: it ends the match, or waits."""
        answers: list[str] = []
        busy = "failed to signal match: match busy"
        if self._queues.full(SIGNAL):
            raise RuntimeFunctionError(busy)

        def signal() -> State:
            state, answer = self.handler.match_signal(*self._arguments(), data)
            answers.append(answer)
            return state

        if not self._run("match_signal", signal):
            raise RuntimeFunctionError(busy)
        return answers[0] or ""

    def terminate(self, grace_seconds: int) -> None:
        """Notify the handler that the server ends; without grace the match ends at once."""
        self._run("match_terminate", lambda: self.handler.match_terminate(*self._arguments(), grace_seconds))
        if grace_seconds == 0:
            self.stop()

    def stop(self, *, disconnect: bool = False) -> None:
        """End the match without notifying members; ``disconnect`` closes their sockets."""
        if self.stopped:
            return
        self.stopped = True
        self.matches.forget(self)
        self._send_deferred()
        for session in list(self.members.values()) if disconnect else ():
            session.disconnect(*_DISCONNECTED)
