"""Events reported by clients. Without a module that handles them they are dropped, as on the server."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from nakama_bots.emulator.dispatch.rest import Endpoint, Request, session
from nakama_bots.emulator.formats.protojson import JsonObject, Malformed, Schema, flag, mapping, text
from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.hooks import fire, plain
from nakama_bots.emulator.store.core import Core

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def _timestamp(value: object) -> object:
    match = _RFC3339.fullmatch(text(value))
    try:
        datetime.fromisoformat("".join(match.groups()) if match else "")
    except ValueError:
        msg = f'proto:\u00a0(line 1:1): invalid google.protobuf.Timestamp value "{value}"'
        raise Malformed(msg) from None
    return value


def _event(core: Core, request: Request) -> JsonObject:
    caller = request.caller
    context = RpcContext(caller.user_id, caller.username, vars=caller.vars, mode="event")
    fire(core.hooks, {**plain(request.body), "external": True}, context)
    return {}


ROUTES: Final = (
    Endpoint(
        "POST",
        "/v2/event",
        session,
        _event,
        body=Schema({"name": text, "properties": mapping(text), "timestamp": _timestamp, "external": flag}),
    ),
)
