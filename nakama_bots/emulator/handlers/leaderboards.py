"""Leaderboards over REST."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    INT,
    INT64,
    INTERNAL,
    NOT_FOUND,
    PERMISSION_DENIED,
    TEXT,
    TEXTS,
    UINT,
    Endpoint,
    Request,
    RestFault,
    session,
)
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import is_object
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, int32, int64, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store.boards import (
    Authoritative,
    BoardNotFound,
    InvalidScore,
    Leaderboard,
    Operator,
    Score,
)
from nakama_bots.emulator.store.core import Core

_LONGEST_PAGE: Final = 1000


def _operator(value: object) -> object:
    """Read an enum: any number, or a name; a name unknown to REST counts as absent."""
    if type(value) is not str:
        return int32(value)
    return Operator[value].value if value in Operator.__members__ else Operator.NO_OVERRIDE.value


RECORD: Final = Schema({"score": int64, "subscore": int64, "metadata": text, "operator": _operator})


def asked_score(request: Request) -> Score:
    """Return the score in a body, checked except against the board."""
    body, metadata = request.body, request.body.text("metadata")
    if metadata and not is_object(metadata):
        raise invalid("Metadata value must be JSON, if provided.")
    caller = request.caller
    return Score(
        caller.user_id,
        caller.username,
        body.integer("score"),
        body.integer("subscore"),
        metadata,
        body.integer("operator"),
    )


def check_owners(request: Request) -> list[str]:
    """Return the additional owners of a list request."""
    given = request.query.texts("owner_ids")
    owner_ids = [one for one in map(parse_uuid, given) if one is not None]
    if len(owner_ids) < len(given):
        raise invalid("One or more owner IDs are invalid.")
    return owner_ids


def check_owner(request: Request) -> str:
    """Return the owner around whom a list is centred."""
    given = request.path_values["owner_id"]
    if not given:
        raise invalid("Owner ID must be provided for a haystack query.")
    owner_id = parse_uuid(given)
    if owner_id is None:
        raise invalid("Invalid owner ID provided.")
    return owner_id


def _board_id(request: Request) -> str:
    board_id = request.path_values["leaderboard_id"]
    if not board_id:
        raise invalid("Invalid leaderboard ID.")
    return board_id


def _board(core: Core, request: Request) -> Leaderboard:
    try:
        return core.leaderboards.get(_board_id(request))
    except BoardNotFound:
        raise RestFault(NOT_FOUND, "Leaderboard not found.") from None


def _write(core: Core, request: Request) -> JsonObject:
    score = asked_score(request)
    board = _board(core, request)
    try:
        record, rank = core.leaderboards.write(board, score)
    except Authoritative:
        message = "Leaderboard only allows authoritative score submissions."
        raise RestFault(PERMISSION_DENIED, message) from None
    except InvalidScore:
        raise RestFault(INTERNAL, "Error writing score to leaderboard.") from None
    return record.wire(rank)


def _list(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit: int | None = asked.integer("limit", 1)
    check_limit(asked.integer("limit", 1), _LONGEST_PAGE)
    owner_ids = check_owners(request)
    if "limit" not in asked and owner_ids and not asked.text("cursor"):
        limit = None
    board = _board(core, request)
    try:
        page = core.leaderboards.page(board, limit, asked.text("cursor"), owner_ids, asked.integer("expiry"))
    except InvalidCursor:
        raise invalid("Cursor is invalid or expired.") from None
    return page.wire()


def _around(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit = asked.integer("limit", 1)
    check_limit(limit)
    owner_id = check_owner(request)
    board = _board(core, request)
    try:
        page = core.leaderboards.around(board, owner_id, limit, asked.text("cursor"), asked.integer("expiry"))
    except InvalidCursor:
        raise RestFault(INTERNAL, "Error querying records from leaderboard.") from None
    return page.wire()


def _delete(core: Core, request: Request) -> JsonObject:
    try:
        core.leaderboards.delete(_board_id(request), request.caller.user_id)
    except BoardNotFound:
        raise RestFault(NOT_FOUND, "Leaderboard not found.") from None
    except Authoritative:
        message = "Leaderboard only allows authoritative score deletions."
        raise RestFault(PERMISSION_DENIED, message) from None
    return {}


_PAGE: Final = {"limit": INT, "cursor": TEXT, "expiry": INT64}
_PATH: Final = "/v2/leaderboard/{leaderboard_id}"

ROUTES: Final = (
    Endpoint("GET", _PATH, session, _list, {**_PAGE, "owner_ids": TEXTS}),
    Endpoint("POST", _PATH, session, _write, body=RECORD),
    Endpoint("DELETE", _PATH, session, _delete),
    Endpoint("GET", f"{_PATH}/owner/{{owner_id}}", session, _around, {**_PAGE, "limit": UINT}),
)
