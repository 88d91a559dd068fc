"""The first argument of every Lua function: the context of the call."""

from __future__ import annotations

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.identity import VERSION
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.matches import MatchContext


def of_call(options: Options, context: RpcContext) -> JsonObject:
    """Return the context of an RPC, a hook or an event."""
    shown: JsonObject = {
        "env": dict(options.env),
        "execution_mode": context.mode,
        "node": options.node,
        "version": VERSION,
        "headers": {name: list(values) for name, values in context.headers.items()},
        "query_params": {name: list(values) for name, values in context.query.items()},
    }
    if context.user_id:
        shown.update(
            user_id=context.user_id,
            username=context.username,
            vars=dict(context.vars),
            user_session_exp=context.expiry,
        )
        if context.session_id:
            shown.update(session_id=context.session_id, lang=context.lang)
    return shown


def of_match(options: Options, context: MatchContext) -> JsonObject:
    """Return the context of a match's functions; it has a label and rate once the match has started."""
    shown: JsonObject = {
        "env": dict(options.env),
        "execution_mode": "match",
        "node": options.node,
        "match_id": context.match_id,
        "match_node": context.node,
    }
    if context.tick_rate:
        shown.update(match_label=context.label, match_tick_rate=context.tick_rate)
    if context.session_id:
        shown.update(
            user_id=context.user_id,
            username=context.username,
            vars=dict(context.vars),
            user_session_exp=context.expiry,
            session_id=context.session_id,
        )
    return shown
