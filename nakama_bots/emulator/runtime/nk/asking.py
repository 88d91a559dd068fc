"""Runs the handler of a client's request for a function of ``nk``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.rest import Request, RestFault
from nakama_bots.emulator.formats.protojson import Fields, JsonObject
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.store.core import Core

_ROUTES: Final = {(route.method, route.template): route for route in handlers.ROUTES}
# gRPC codes by the names that Go prints.
_NAMES: Final = {
    2: "Unknown", 3: "InvalidArgument", 5: "NotFound", 6: "AlreadyExists", 7: "PermissionDenied",
    9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal", 14: "Unavailable", 16: "Unauthenticated",
}  # fmt: skip


def ask(
    core: Core,
    method: str,
    template: str,
    doing: str,
    *,
    user_id: str = "",
    username: str = "",
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    path: Mapping[str, str] | None = None,
) -> JsonObject:
    """Run a route for a user, without its authorization; an error starts with ``doing``."""
    route = _ROUTES[method, template]
    request = Request(method, template, {}, {}, b"", path or {}, Fields(query or {}), Fields(body or {}))
    request.claims = SessionClaims("", user_id, username, core.seconds(), 0)
    try:
        result = route.handler(core, request)
    except RestFault as fault:
        message = f"{doing}: rpc error: code = {_NAMES[fault.code]} desc = {fault.message}"
        raise RuntimeFunctionError(message) from None
    assert isinstance(result, dict)  # none of the routes called here answers later
    return result
