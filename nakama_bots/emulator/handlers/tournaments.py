"""Tournaments over REST."""

from __future__ import annotations

from typing import Final, NamedTuple

from nakama_bots.emulator.dispatch.rest import (
    FAILED_PRECONDITION,
    INT,
    INT64,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    TEXT,
    TEXTS,
    UINT,
    UNKNOWN,
    Endpoint,
    Request,
    RestFault,
    session,
)
from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.leaderboards import RECORD, asked_score, check_owner, check_owners
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store.boards import (
    AttemptsReached,
    Authoritative,
    BoardError,
    BoardNotFound,
    InvalidScore,
    JoinRequired,
    Leaderboard,
    OutsideDuration,
    StoredTournament,
    TournamentFull,
)
from nakama_bots.emulator.store.core import Core

_SECOND: Final = 10**9
_CATEGORIES: Final = 128
_NOT_FOUND: Final = "Tournament not found."

# The errors of writing and of joining: (gRPC code, text).
_WRITE_FAULTS: Final[dict[type[BoardError], tuple[int, str]]] = {
    TournamentFull: (FAILED_PRECONDITION, "Tournament has reached max size."),
    Authoritative: (PERMISSION_DENIED, "Tournament only allows authoritative score submissions."),
    AttemptsReached: (FAILED_PRECONDITION, "Reached allowed max number of score attempts."),
    JoinRequired: (FAILED_PRECONDITION, "Must join tournament before attempting to write value."),
    OutsideDuration: (FAILED_PRECONDITION, "Tournament is not active and cannot accept new scores."),
    InvalidScore: (INTERNAL, "Error writing score to tournament."),
}
_JOIN_FAULTS: Final[dict[type[BoardError], tuple[int, str]]] = {
    BoardNotFound: (NOT_FOUND, _NOT_FOUND),
    TournamentFull: (INVALID_ARGUMENT, "Tournament cannot be joined as it has reached its max size."),
    OutsideDuration: (INVALID_ARGUMENT, "Tournament is not active and cannot accept new joins."),
}


class _TournamentPlace(NamedTuple):
    tournament_id: str


def _get(core: Core, request: Request) -> tuple[Leaderboard, StoredTournament]:
    if not request.path_values["tournament_id"]:
        raise invalid("Tournament ID must be provided")
    try:
        return core.leaderboards.get_tournament(request.path_values["tournament_id"])
    except BoardNotFound:
        raise RestFault(NOT_FOUND, _NOT_FOUND) from None


def tournament_fields(board: Leaderboard, tournament: StoredTournament, now: int) -> JsonObject:
    """Return all fields of Nakama's ``StoredTournament``, including empty ones."""
    period = board.period(now)
    started = tournament.start_time <= now
    reset = board.schedule.previous(now) if board.schedule is not None and started else 0
    size = tournament.size if tournament.limited else 0
    return {
        "id": board.id,
        "title": tournament.title,
        "description": tournament.description,
        "category": tournament.category,
        "sort_order": int(board.sort_order),
        "size": size,
        "max_size": tournament.max_size,
        "max_num_score": tournament.max_num_score,
        "can_enter": period.start <= now <= period.end and size < tournament.max_size,
        "end_active": period.end,
        "next_reset": period.expiry,
        "metadata": board.metadata,
        "create_time": timestamp(board.create_time * _SECOND),
        "start_time": timestamp(tournament.start_time * _SECOND),
        "end_time": timestamp(tournament.end_time * _SECOND) if tournament.end_time else "",
        "duration": tournament.duration,
        "start_active": period.start,
        "prev_reset": reset,
        "operator": int(board.operator),
        "authoritative": board.authoritative,
        "join_required": tournament.join_required,
    }


def _wire(board: Leaderboard, tournament: StoredTournament, now: int) -> JsonObject:
    return {name: value for name, value in tournament_fields(board, tournament, now).items() if value}


def _cursor(request: Request) -> str:
    text = request.query.text("cursor")
    try:
        return cursors.decode(text, _TournamentPlace).tournament_id if text else ""
    except InvalidCursor:
        raise RestFault(UNKNOWN, "leaderboard cursor invalid") from None


def _list(core: Core, request: Request) -> JsonObject:
    asked, after = request.query, _cursor(request)
    first, last = asked.integer("category_start"), asked.integer("category_end", _CATEGORIES - 1)
    if last >= _CATEGORIES:
        raise invalid("Tournament category end must be >=0 and <128.")
    if "category_end" in asked and last < first:
        raise invalid("Tournament category end must be greater than category start.")
    start, end = asked.integer("start_time", -1), asked.integer("end_time", -1)
    if end > 0 and end < start:
        raise invalid("Tournament end time must be greater than start time.")
    limit = asked.integer("limit", 100)
    if not 1 <= limit <= 100:
        raise invalid("Limit must be between 1 and 100.")
    boards = core.leaderboards.tournaments()
    if after:
        # Nothing follows a deleted tournament.
        number = next((n for n, board in enumerate(boards, 1) if board.id == after), len(boards))
        boards = boards[number:]
    now = core.seconds()
    found = [
        (board, tournament)
        for board in boards
        if (tournament := board.tournament) is not None
        and first <= tournament.category <= last
        and tournament.start_time >= start
        and ends_within(tournament.end_time, end, now)
    ]
    page = [_wire(board, tournament, now) for board, tournament in found[:limit]]
    fields: JsonObject = {"tournaments": page}
    if len(found) > limit:
        fields["cursor"] = cursors.encode(_TournamentPlace(found[limit - 1][0].id))
    return fields if page else {}


def ends_within(end_time: int, asked: int, now: int) -> bool:
    """True if ``end_time`` fits: 0 asks for no end, -1 (absent) for running ones, else for an end by then."""
    if asked == 0:
        return end_time == 0
    if asked < 0:
        return end_time == 0 or end_time >= now
    return 0 < end_time <= asked


def _join(core: Core, request: Request) -> JsonObject:
    caller = request.caller
    try:
        core.leaderboards.join(request.path_values["tournament_id"], caller.user_id, caller.username)
    except BoardError as error:
        raise RestFault(*_JOIN_FAULTS[type(error)]) from None
    return {}


def _write(core: Core, request: Request) -> JsonObject:
    score = asked_score(request)
    board, tournament = _get(core, request)
    if tournament.end_time and tournament.end_time <= core.seconds():
        raise RestFault(NOT_FOUND, "Tournament not found or has ended.")
    try:
        record, rank = core.leaderboards.write_tournament(board, score)
    except BoardError as error:
        raise RestFault(*_WRITE_FAULTS[type(error)]) from None
    return record.wire(rank)


def _records(core: Core, request: Request) -> JsonObject:
    asked, owner_ids = request.query, check_owners(request)
    check_limit(asked.integer("limit", 10))
    cursor, expiry = asked.text("cursor"), asked.integer("expiry")
    board, tournament = _get(core, request)
    if not expiry and tournament.end_time and tournament.end_time <= core.seconds():
        raise RestFault(NOT_FOUND, "Tournament has ended.")
    # Owner ids with a cursor, and only these, ask for no page.
    limit = None if "limit" not in asked and owner_ids and cursor else asked.integer("limit", 10)
    try:
        return core.leaderboards.page(board, limit, cursor, owner_ids, expiry).wire()
    except InvalidCursor:
        raise invalid("Cursor is invalid or expired.") from None


def _around(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit = asked.integer("limit", 100)
    check_limit(limit)
    owner_id = check_owner(request)
    board, _ = _get(core, request)
    try:
        page = core.leaderboards.around(board, owner_id, limit, asked.text("cursor"), asked.integer("expiry"))
    except InvalidCursor:
        raise RestFault(INTERNAL, "Error querying records from leaderboard.") from None
    # The server returns the cursor of the next page for both (``TournamentRecordsHaystack``).
    page.prev_cursor = page.next_cursor
    return page.wire()


def _delete(core: Core, request: Request) -> JsonObject:
    try:
        core.leaderboards.delete_tournament_record(request.path_values["tournament_id"], request.caller.user_id)
    except BoardError:
        # The server checks for leaderboard errors here, and so misses the tournament's.
        raise RestFault(INTERNAL, "Error deleting score from tournament.") from None
    return {}


_PAGE: Final = {"limit": INT, "cursor": TEXT, "expiry": INT64}
_FILTERS: Final = dict.fromkeys(("category_start", "category_end", "start_time", "end_time"), UINT)
_PATH: Final = "/v2/tournament/{tournament_id}"

ROUTES: Final = (
    Endpoint("GET", "/v2/tournament", session, _list, {**_FILTERS, "limit": INT, "cursor": TEXT}),
    Endpoint("GET", _PATH, session, _records, {**_PAGE, "owner_ids": TEXTS}),
    Endpoint("PUT", _PATH, session, _write, body=RECORD),
    Endpoint("POST", _PATH, session, _write, body=RECORD),
    Endpoint("DELETE", _PATH, session, _delete),
    Endpoint("POST", f"{_PATH}/join", session, _join),
    Endpoint("GET", f"{_PATH}/owner/{{owner_id}}", session, _around, {**_PAGE, "limit": UINT}),
)
