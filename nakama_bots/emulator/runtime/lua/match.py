"""Matches with Lua functions. The state stays in Lua and is never inspected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.lua.contexts import of_match
from nakama_bots.emulator.runtime.lua.engine import Engine, LuaTable
from nakama_bots.emulator.runtime.lua.values import decode
from nakama_bots.emulator.runtime.matches import (
    FUNCTIONS,
    Dispatcher,
    MatchContext,
    MatchMessage,
    MatchPresence,
    State,
)
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    flag,
    integer,
    items,
    named,
    optional_table,
    optional_text,
)


def _presence(one: MatchPresence) -> JsonObject:
    return {
        "user_id": one.user_id,
        "session_id": one.session_id,
        "username": one.username,
        "node": one.node,
    }


def _chosen(number: int, given: Any, *, user: bool) -> list[MatchPresence] | None:
    """Return the presences of a Lua list, None for nil; ``user``: each needs a user id."""
    of = optional_table(number, given)
    if of is None:
        return None
    found: list[MatchPresence] = []
    for one in items(of):
        if not isinstance(one, Mapping):
            raise ArgumentError(number, "expects a valid set of presences")
        for name in ("user_id", "session_id") if user else ("session_id",):
            if parse_uuid(str(one.get(name, ""))) is None:
                raise ArgumentError(number, f"expects each presence to have a valid {name}")
        if not isinstance(one.get("node"), str):
            raise ArgumentError(number, "expects node to be string")
        found.append(
            MatchPresence(
                str(one.get("user_id", "")),
                parse_uuid(one["session_id"]) or "",
                str(one.get("username", "")),
                one["node"],
            )
        )
    return found


def _sender(given: Any) -> MatchPresence | None:
    of = optional_table(4, given)
    if of is None:
        return None
    one: Mapping[str, Any] = of if isinstance(of, Mapping) else {}
    for name in ("user_id", "session_id"):
        if name in one and parse_uuid(str(one[name])) is None:
            raise ArgumentError(4, f"expects presence to have a valid {name}")
    if not all(one.get(name) for name in ("user_id", "session_id", "username")):
        raise ArgumentError(4, "expects presence to have a valid user_id, session_id, and username")
    return MatchPresence(str(one["user_id"]), str(one["session_id"]), str(one["username"]))


class _Functions:
    """A dispatcher's functions with Lua's arguments."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def _alive(self) -> None:
        if self._dispatcher.stopped:
            msg = "match stopped"
            raise RuntimeFunctionError(msg)

    def broadcast_message(
        self,
        op_code: Any = None,
        data: Any = None,
        presences: Any = None,
        sender: Any = None,
        reliable: Any = None,
    ) -> None:
        self._alive()
        self._send(op_code, data, presences, sender, reliable, later=False)

    def broadcast_message_deferred(
        self,
        op_code: Any = None,
        data: Any = None,
        presences: Any = None,
        sender: Any = None,
        reliable: Any = None,
    ) -> None:
        self._alive()
        self._send(op_code, data, presences, sender, reliable, later=True)

    def _send(
        self, op_code: Any, data: Any, presences: Any, sender: Any, reliable: Any, *, later: bool
    ) -> None:
        code = integer(1, op_code)
        if data is not None and not isinstance(data, str):
            raise ArgumentError(2, "expects data to be a string or nil")
        content = (data or "").encode("utf-8", "surrogateescape")
        chosen, who = _chosen(3, presences, user=False), _sender(sender)
        surely = flag(5, reliable, True)  # noqa: FBT003 - the server's default
        send = self._dispatcher.broadcast_message_deferred if later else self._dispatcher.broadcast_message
        send(code, content, chosen, who, reliable=surely)

    def match_kick(self, presences: Any = None) -> None:
        self._alive()
        self._dispatcher.match_kick(_chosen(1, presences, user=True) or [])

    def match_label_update(self, label: Any = None) -> None:
        self._alive()
        self._dispatcher.match_label_update(optional_text(1, label))


_DISPATCHER: Final = ("broadcast_message", "broadcast_message_deferred", "match_kick", "match_label_update")


class LuaMatch:
    """The handler of a match. ``table``: its module's value, with the seven functions."""

    def __init__(self, engine: Engine, options: Options, table: LuaTable) -> None:
        self._engine = engine
        self._options = options
        self._of = {name: table[name.encode()] for name in FUNCTIONS}
        self._context: tuple[MatchContext, LuaTable] | None = None
        self._dispatcher: LuaTable | None = None

    def _call(
        self, name: str, context: MatchContext, dispatcher: Dispatcher, *arguments: Any
    ) -> tuple[Any, ...]:
        if self._context is None or self._context[0] != context:
            self._context = (context, self._engine.table(of_match(self._options, context)))
        if self._dispatcher is None:
            functions = _Functions(dispatcher)
            self._dispatcher = self._engine.table(
                {one: self._engine.function(named(getattr(functions, one)), one) for one in _DISPATCHER}
            )
        return self._results(name, self._context[1], self._dispatcher, *arguments)

    def _results(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        result = self._engine.call(self._of[name], *arguments)
        return result if isinstance(result, tuple) else (result,)

    def _state(self, name: str, what: str, *arguments: Any) -> State:
        values = self._call(name, *arguments)
        # In the server's order of checks, from the last on.
        if values[-1] is None:
            return None
        if len(values) > 1:
            msg = f"Match {what} returned too many values, stopping match"
            raise RuntimeFunctionError(msg)
        return values[0]

    def match_init(self, context: MatchContext, params: Mapping[str, Any]) -> tuple[State, Any, Any]:
        """Return the first state, the tick rate and the label."""
        values = self._results("match_init", of_match(self._options, context), dict(params))
        if len(values) > 3:
            msg = "match_init returned too many arguments, must be: state, tick rate number, label string"
            raise RuntimeFunctionError(f"error creating match: error creating match: {msg}")
        label = values[-1]
        rate = values[-2] if len(values) > 1 else None
        state = values[-3] if len(values) > 2 else None
        return state, int(rate) if isinstance(rate, float) else rate, _text(label)

    def match_join_attempt(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presence: MatchPresence,
        metadata: Mapping[str, str],
    ) -> tuple[Any, ...]:
        """Return the state, whether ``presence`` may join, and why not."""
        given = (tick, state, _presence(presence), dict(metadata))
        values = self._call("match_join_attempt", context, dispatcher, *given)
        self._context = None  # it named the user
        reason = ""
        if isinstance(values[-1], bytes):
            reason, values = decode(values[-1]), values[:-1]
        elif not isinstance(values[-1], bool):
            wrong = "non-boolean join result or non-string reject reason"
            msg = f"Match join attempt returned {wrong}, stopping match"
            raise RuntimeFunctionError(msg)
        if not values or not isinstance(values[-1], bool):
            msg = "Match join attempt returned non-boolean join result, stopping match"
            raise RuntimeFunctionError(msg)
        if len(values) > 2:
            msg = "Match join attempt returned too many values, stopping match"
            raise RuntimeFunctionError(msg)
        return (values[0] if len(values) > 1 else None), values[-1], reason

    def match_join(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """Return the state after these have joined."""
        joined = [{**_presence(one), "reason": one.reason} for one in presences]
        return self._state("match_join", "join", context, dispatcher, tick, state, joined)

    def match_leave(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """Return the state after these have left."""
        left = [{**_presence(one), "reason": one.reason} for one in presences]
        return self._state("match_leave", "leave", context, dispatcher, tick, state, left)

    def match_loop(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: State,
        messages: Sequence[MatchMessage],
    ) -> State:
        """Return the state after a tick with these messages."""
        given = [
            {
                "sender": _presence(one.sender),
                "op_code": one.op_code,
                "data": one.data,
                "reliable": one.reliable,
                "receive_time_ms": one.receive_time_ms,
            }
            for one in messages
        ]
        return self._state("match_loop", "loop", context, dispatcher, tick, state, given)

    def match_terminate(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: State, grace_seconds: int
    ) -> State:
        """Return the state after the notice that the server ends."""
        return self._state("match_terminate", "terminate", context, dispatcher, tick, state, grace_seconds)

    def match_signal(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: State, data: str
    ) -> tuple[State, str]:
        """Return the state, and the answer to a signal."""
        values = self._call("match_signal", context, dispatcher, tick, state, data)
        if values[-1] is not None and not isinstance(values[-1], bytes):
            msg = "Match signal returned non-string result, stopping match"
            raise RuntimeFunctionError(msg)
        if len(values) > 2:
            msg = "Match signal returned too many values, stopping match"
            raise RuntimeFunctionError(msg)
        return (values[0] if len(values) > 1 else None), _text(values[-1]) or ""


def _text(value: Any) -> Any:
    return decode(value) if isinstance(value, bytes) else value
