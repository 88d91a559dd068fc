"""Kept notifications over REST; ``Core.notify`` pushes new ones."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import INT, INTERNAL, TEXT, TEXTS, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store.core import Core


def _list(core: Core, request: Request) -> JsonObject:
    limit = request.query.integer("limit", 1)
    check_limit(limit)
    try:
        return core.notifications.page(request.caller.user_id, limit, request.query.text("cacheable_cursor"))
    except InvalidCursor:
        raise RestFault(INTERNAL, "Error retrieving notifications.") from None


def _delete(core: Core, request: Request) -> JsonObject:
    ids = request.query.texts("ids")
    parsed = [one for one in map(parse_uuid, ids) if one is not None]
    if len(parsed) < len(ids):
        raise RestFault(INTERNAL, "Error while deleting notifications.")
    core.notifications.delete(request.caller.user_id, parsed)
    return {}


ROUTES: Final = (
    Endpoint("GET", "/v2/notification", session, _list, {"limit": INT, "cacheable_cursor": TEXT}),
    Endpoint("DELETE", "/v2/notification", session, _delete, {"ids": TEXTS}),
)
