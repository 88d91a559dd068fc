"""Storage objects over REST."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import INT, INTERNAL, TEXT, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import is_object
from nakama_bots.emulator.formats.protojson import Fields, JsonObject, Schema, int32, repeated, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.storage import (
    OWNER_READ,
    OWNER_WRITE,
    ObjectKey,
    StorageDelete,
    StorageRejected,
    StorageWrite,
    Unstorable,
)

_UNSET: Final = "Invalid collection or key value supplied. They must be set."
_BAD_USER: Final = "Invalid user ID - make sure user ID is a valid UUID."


def _named(fields: Fields, owner: str) -> ObjectKey:
    if not fields.text("collection") or not fields.text("key"):
        raise invalid(_UNSET)
    return ObjectKey(fields.text("collection"), fields.text("key"), owner)


def _check_write(fields: Fields, owner: str) -> StorageWrite:
    key, value = _named(fields, owner), fields.text("value")
    if not value:
        raise invalid(_UNSET)
    read = fields.integer("permission_read", OWNER_READ)
    write = fields.integer("permission_write", OWNER_WRITE)
    if not 0 <= read <= 2:
        raise invalid("Invalid Read permission supplied. It must be either 0, 1 or 2.")
    if not 0 <= write <= 1:
        raise invalid("Invalid Write permission supplied. It must be either 0 or 1.")
    if not is_object(value):
        raise invalid("Value must be a JSON object.")
    return StorageWrite(key, value, fields.text("version"), read, write)


def _write(core: Core, request: Request) -> JsonObject:
    objects = request.body.messages("objects")
    writes = [_check_write(fields, request.caller.user_id) for fields in objects]
    try:
        written = core.storage.write(writes)
    except StorageRejected as rejected:
        raise invalid(str(rejected)) from None
    except Unstorable:
        raise RestFault(INTERNAL, "Error writing storage objects.") from None
    return {"acks": [one.ack() for one in written]} if written else {}


def _read(core: Core, request: Request) -> JsonObject:
    keys: list[ObjectKey] = []
    for fields in request.body.messages("object_ids"):
        owner = fields.text("user_id")
        parsed = parse_uuid(owner)
        key = _named(fields, parsed or SYSTEM_USER_ID)
        if owner and parsed in (None, SYSTEM_USER_ID):
            raise invalid(_BAD_USER)
        keys.append(key)
    found = core.storage.read(request.caller.user_id, keys)
    return {"objects": [one.wire() for one in found]} if found else {}


def _delete(core: Core, request: Request) -> JsonObject:
    deletes = [
        StorageDelete(_named(fields, request.caller.user_id), fields.text("version"))
        for fields in request.body.messages("object_ids")
    ]
    try:
        core.storage.delete(deletes)
    except StorageRejected as rejected:
        raise invalid(str(rejected)) from None
    return {}


def _list(core: Core, request: Request) -> JsonObject:
    limit = request.query.integer("limit", 1)
    check_limit(limit)
    owner = request.path_values.get("user_id") or request.query.text("user_id")
    parsed = parse_uuid(owner)
    if owner and parsed is None:
        raise invalid(_BAD_USER)
    try:
        page, cursor = core.storage.page(
            request.caller.user_id,
            request.path_values["collection"],
            parsed,
            limit,
            request.query.text("cursor"),
        )
    except InvalidCursor:
        raise invalid("Malformed cursor was used.") from None
    fields: JsonObject = {"objects": [one.wire() for one in page], "cursor": cursor}
    return {name: value for name, value in fields.items() if value}


_WRITE: Final = Schema(
    {
        "objects": repeated(
            Schema(
                {
                    "collection": text,
                    "key": text,
                    "value": text,
                    "version": text,
                    "permission_read": int32,
                    "permission_write": int32,
                }
            )
        )
    }
)
_READ: Final = Schema({"object_ids": repeated(Schema(dict.fromkeys(("collection", "key", "user_id"), text)))})
_DELETE: Final = Schema({"object_ids": repeated(Schema(dict.fromkeys(("collection", "key", "version"), text)))})
_LIST: Final = {"limit": INT, "cursor": TEXT}

ROUTES: Final = (
    Endpoint("PUT", "/v2/storage", session, _write, body=_WRITE),
    Endpoint("POST", "/v2/storage", session, _read, body=_READ),
    Endpoint("PUT", "/v2/storage/delete", session, _delete, body=_DELETE),
    Endpoint("GET", "/v2/storage/{collection}", session, _list, {**_LIST, "user_id": TEXT}),
    Endpoint("GET", "/v2/storage/{collection}/{user_id}", session, _list, _LIST),
)
