"""Friends over REST."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import INT, INTERNAL, TEXT, TEXTS, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store import notifications
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.friends import FriendOfFriend, InvalidMetadata, StoredFriend
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

_LONGEST_PAGE: Final = 1000
_SECOND: Final = 10**9


def _others(core: Core, request: Request, doing: str) -> list[str]:
    """Return the users that a request names by id and by name; the caller must not be among them."""
    ids, usernames = request.query.texts("ids"), request.query.texts("usernames")
    parsed: list[str] = []
    for user_id in ids:
        # Compared as it is written, so that other forms of the caller's id pass.
        if user_id == request.caller.user_id:
            raise invalid(f"Cannot {doing}.")
        wanted = parse_uuid(user_id)
        if wanted is None or wanted == SYSTEM_USER_ID:
            raise invalid(f"Invalid user ID '{user_id}'.")
        parsed.append(wanted)
    for username in usernames:
        if not username:
            raise invalid("Username must not be empty.")
        if username == request.caller.username:
            raise invalid(f"Cannot {doing}.")
    named = [core.accounts.named(username) for username in usernames]
    return parsed + [account.id for account in named if account is not None]


def _asked(request: Request) -> bool:
    return bool(request.query.texts("ids") or request.query.texts("usernames"))


def add_friends(core: Core, me: str, username: str, ids: list[str], metadata: str) -> None:
    """Invite users, or accept their invites; they are notified. ``InvalidMetadata``."""
    content = go_json({"username": username})
    for user_id, accepted in core.friends.add(me, ids, metadata).items():
        what = "accepted your friend request" if accepted else "wants to add you as a friend"
        code = notifications.FRIEND_ACCEPT if accepted else notifications.FRIEND_REQUEST
        core.notify(user_id, f"{username} {what}", content, code, me)


def delete_friends(core: Core, me: str, username: str, ids: list[str]) -> None:
    """End friendships, invites and blocks; former friends are notified."""
    content = go_json({"username": username})
    for user_id in core.friends.delete(me, ids):
        subject = f"{username} removed you as a friend"
        core.notify(user_id, subject, content, notifications.FRIEND_REMOVE, me)


def block_friends(core: Core, me: str, ids: list[str]) -> None:
    """Block users."""
    for user_id in core.friends.block(me, ids):
        # Their direct channel ends, without an event.
        core.tracker.drop(PresenceStream(Mode.DM, *sorted((me, user_id))))


def _add(core: Core, request: Request) -> JsonObject:
    ids, caller = _others(core, request, "add self as friend"), request.caller
    if not ids and _asked(request):
        raise invalid("No valid ID or username was provided.")
    try:
        if ids:
            add_friends(core, caller.user_id, caller.username, ids, request.query.text("metadata"))
    except InvalidMetadata:
        raise RestFault(INTERNAL, "Error while trying to add friends.") from None
    return {}


def _delete(core: Core, request: Request) -> JsonObject:
    ids = _others(core, request, "delete self")
    delete_friends(core, request.caller.user_id, request.caller.username, ids)
    return {}


def _block(core: Core, request: Request) -> JsonObject:
    ids = _others(core, request, "block self")
    if not ids and _asked(request):
        raise invalid("No valid ID or username was provided.")
    block_friends(core, request.caller.user_id, ids)
    return {}


def _list(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit, state = asked.integer("limit", _LONGEST_PAGE), asked.integer("state")
    check_limit(limit, _LONGEST_PAGE)
    if not 0 <= state <= 3:
        raise invalid("Invalid state - state must be between 0 and 3.")
    try:
        page, cursor = core.friends.page(
            request.caller.user_id, limit, state if "state" in asked else None, asked.text("cursor")
        )
    except InvalidCursor:
        raise invalid("Cursor is invalid.") from None
    fields: JsonObject = {"friends": [_friend(core, edge) for edge in page], "cursor": cursor}
    return {name: value for name, value in fields.items() if value}


def _friend(core: Core, edge: StoredFriend) -> JsonObject:
    account = core.accounts.get(edge.user_id)
    assert account is not None  # a deleted user's edges go with it
    return {
        "user": account.user(online=core.online(account), edges=False),
        "state": int(edge.state),
        "update_time": timestamp(edge.update_time // _SECOND * _SECOND),
        "metadata": edge.metadata,
    }


def _friends_of_friends(core: Core, request: Request) -> JsonObject:
    limit = request.query.integer("limit", 10)
    check_limit(limit)
    try:
        page, cursor = core.friends.friends_of_friends(
            request.caller.user_id, limit, request.query.text("cursor")
        )
    except InvalidCursor:
        raise invalid("Cursor is invalid.") from None
    fields: JsonObject = {"friends_of_friends": [_referred(core, one) for one in page], "cursor": cursor}
    return {name: value for name, value in fields.items() if value}


def _referred(core: Core, one: FriendOfFriend) -> JsonObject:
    account = core.accounts.get(one.user_id)
    assert account is not None  # a deleted user's edges go with it
    return {"referrer": one.referrer, "user": account.user(online=core.online(account))}


_NAMED: Final = {"ids": TEXTS, "usernames": TEXTS}

ROUTES: Final = (
    Endpoint("GET", "/v2/friend", session, _list, {"limit": INT, "state": INT, "cursor": TEXT}),
    Endpoint("POST", "/v2/friend", session, _add, {**_NAMED, "metadata": TEXT}),
    Endpoint("DELETE", "/v2/friend", session, _delete, _NAMED),
    Endpoint("POST", "/v2/friend/block", session, _block, _NAMED),
    Endpoint("GET", "/v2/friend/friends", session, _friends_of_friends, {"limit": INT, "cursor": TEXT}),
)
