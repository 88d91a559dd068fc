"""Groups over REST; changes of a group are announced in its chat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    ALREADY_EXISTS,
    BOOL,
    INT,
    INTERNAL,
    NOT_FOUND,
    TEXT,
    TEXTS,
    Endpoint,
    Request,
    RestFault,
    session,
)
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, flag, int32, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store import notifications
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.chat import (
    GROUP_ADD,
    GROUP_BAN,
    GROUP_DEMOTE,
    GROUP_JOIN,
    GROUP_KICK,
    GROUP_LEAVE,
    GROUP_PROMOTE,
    StoredMessage,
)
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.groups import (
    GroupFilter,
    GroupFull,
    GroupNameInUse,
    GroupNotFound,
    GroupPermissionDenied,
    GroupUserNotFound,
    LastSuperadmin,
)
from nakama_bots.emulator.store.tracker import Mode, PresenceStream
from nakama_bots.types.groups import GroupState

# The longest value that the server's database columns accept, in characters.
_LONGEST: Final = {"name": 255, "description": 255, "lang_tag": 18, "avatar_url": 512}
_DENIED: Final = "Group not found or permission denied."


def say(core: Core, group_id: str, code: int, user_id: str, username: str) -> None:
    """Announce a change of a user in the group's chat, as a persistent message."""
    now, stream = core.now(), PresenceStream(Mode.GROUP, group_id)
    message = StoredMessage(core.new_id(), stream, code, user_id, username, "{}", now, now, persistent=True)
    core.messages.add(message)
    core.tracker.send(stream, {"channel_message": message.wire()})


def _say_all(core: Core, group_id: str, code: int, user_ids: Iterable[str]) -> None:
    for user_id in user_ids:
        account = core.accounts.get(user_id)
        if account is not None:
            say(core, group_id, code, user_id, account.username)


def _silence(core: Core, group_id: str, user_ids: Iterable[str]) -> None:
    """Remove users who left a group from its chat."""
    gone, stream = set(user_ids), PresenceStream(Mode.GROUP, group_id)
    for presence in core.tracker.presences(stream, hidden=True):
        if presence.session.user_id in gone:
            core.tracker.untrack(stream, presence.session)


def _group_id(request: Request, name: str = "group_id") -> str:
    group_id = parse_uuid(request.path_values[name])
    if group_id is None:
        raise invalid("Group ID must be a valid ID.")
    return group_id


def _too_long(request: Request) -> bool:
    return any(len(request.body.text(name)) > longest for name, longest in _LONGEST.items())


def _create(core: Core, request: Request) -> JsonObject:
    body = request.body
    if not body.text("name"):
        raise invalid("Group name must be set.")
    max_count = body.integer("max_count") or 100
    if max_count < 1:
        raise invalid("Group max count must be >= 1 when set.")
    if _too_long(request):
        raise RestFault(INTERNAL, "Error while trying to create group.")
    try:
        group = core.groups.create(
            request.caller.user_id,
            body.text("name"),
            max_count=max_count,
            description=body.text("description"),
            lang_tag=body.text("lang_tag") or "en",
            avatar_url=body.text("avatar_url"),
            open=body.flag("open"),
        )
    except GroupNameInUse:
        raise RestFault(ALREADY_EXISTS, "Group name is in use.") from None
    return group.wire()


def _update(core: Core, request: Request) -> JsonObject:
    group_id, body = _group_id(request), request.body
    for name, label in (("name", "name"), ("lang_tag", "language")):
        if name in body and not body.text(name):
            raise invalid(f"Group {label} cannot be empty.")
    try:
        group = core.groups.allowed(group_id, request.caller.user_id)
    except GroupPermissionDenied:
        raise RestFault(NOT_FOUND, "Group not found or you're not allowed to update.") from None
    fields: dict[str, str | bool | int] = {name: body.text(name) for name in _LONGEST if name in body}
    if "open" in body:
        fields["open"] = body.flag("open")
    if not fields:
        raise invalid("Specify at least one field to update.")
    if _too_long(request):
        raise RestFault(INTERNAL, "Error while trying to update group.")
    try:
        core.groups.update(group, **fields)
    except GroupNameInUse:
        raise invalid("Group name is in use.") from None
    return {}


def _delete(core: Core, request: Request) -> JsonObject:
    group_id = _group_id(request)
    try:
        group = core.groups.allowed(group_id, request.caller.user_id, GroupState.SUPERADMIN)
    except GroupPermissionDenied:
        raise invalid("Group not found or you're not allowed to delete.") from None
    core.groups.delete(group)
    core.tracker.drop(PresenceStream(Mode.GROUP, group_id))
    return {}


def join_group(core: Core, group_id: str, user_id: str, username: str) -> None:
    """Join a group, or request to; notifies its chat or its admins. ``GroupNotFound``, ``GroupFull``."""
    state = core.groups.join(group_id, user_id)
    if state == GroupState.MEMBER:
        say(core, group_id, GROUP_JOIN, user_id, username)
    elif state == GroupState.JOIN_REQUEST:
        content = go_json({"group_id": group_id, "username": username})
        subject = f"User {username} wants to join your group"
        for member in core.groups.members(group_id):
            if member.state <= GroupState.ADMIN:
                core.notify(member.user_id, subject, content, notifications.GROUP_JOIN_REQUEST, user_id)


def _join(core: Core, request: Request) -> JsonObject:
    group_id, caller = _group_id(request), request.caller
    try:
        join_group(core, group_id, caller.user_id, caller.username)
    except GroupNotFound:
        raise RestFault(NOT_FOUND, "Group not found.") from None
    except GroupFull:
        raise invalid("Group is full.") from None
    return {}


def leave_group(core: Core, group_id: str, user_id: str, username: str) -> None:
    """Leave a group, and announce it in its chat. ``LastSuperadmin``."""
    if core.groups.leave(group_id, user_id) is None:
        return
    if core.groups.get(group_id) is None:
        core.tracker.drop(PresenceStream(Mode.GROUP, group_id))
        return
    say(core, group_id, GROUP_LEAVE, user_id, username)
    _silence(core, group_id, [user_id])


def _leave(core: Core, request: Request) -> JsonObject:
    group_id, caller = _group_id(request), request.caller
    try:
        leave_group(core, group_id, caller.user_id, caller.username)
    except LastSuperadmin:
        raise invalid("Cannot leave group when you are the last superadmin.") from None
    return {}


def _user_ids(request: Request) -> list[str]:
    given = request.query.texts("user_ids")
    user_ids = [one for one in map(parse_uuid, given) if one not in (None, SYSTEM_USER_ID)]
    if len(user_ids) < len(given):
        raise invalid("User ID must be a valid ID.")
    return user_ids


def add_users(core: Core, group_id: str, caller: str, user_ids: list[str]) -> None:
    """Add users to a group, and notify its chat and them. ``caller`` "": the runtime.

    Raises the errors of ``Groups.add``.
    """
    added = core.groups.add(group_id, caller, user_ids)
    _say_all(core, group_id, GROUP_ADD, added)
    group = core.groups.get(group_id)
    assert group is not None  # users were added to it
    for user_id in added:
        content = go_json({"group_id": group_id, "name": group.name})
        subject = f"You've been added to group {group.name}"
        core.notify(user_id, subject, content, notifications.GROUP_ADD, caller or SYSTEM_USER_ID)


def _add(core: Core, request: Request) -> JsonObject:
    group_id, user_ids = _group_id(request), _user_ids(request)
    if not user_ids:
        return {}
    try:
        add_users(core, group_id, request.caller.user_id, user_ids)
    except GroupPermissionDenied:
        raise RestFault(NOT_FOUND, _DENIED) from None
    except GroupFull:
        raise invalid("Group is full.") from None
    except GroupUserNotFound:
        raise invalid("One or more users not found.") from None
    return {}


# (core, group id, caller, user ids) -> the users that were changed.
_Change = Callable[[Core, str, str, list[str]], list[str]]


def change_users(core: Core, verb: str, group_id: str, caller: str, user_ids: list[str]) -> None:
    """Kick, ban, promote or demote users of a group, and announce it. ``GroupPermissionDenied``."""
    code, change = _CHANGES[verb]
    changed = change(core, group_id, caller, user_ids)
    _say_all(core, group_id, code, changed)
    if code in (GROUP_KICK, GROUP_BAN):
        _silence(core, group_id, changed)


def _change(verb: str, core: Core, request: Request) -> JsonObject:
    group_id = _group_id(request)
    if not request.query.texts("user_ids"):
        if verb == "demote":
            raise invalid("User IDs must be set.")
        return {}
    user_ids = _user_ids(request)
    try:
        change_users(core, verb, group_id, request.caller.user_id, user_ids)
    except GroupPermissionDenied:
        raise RestFault(NOT_FOUND, _DENIED) from None
    return {}


_CHANGES: Final[dict[str, tuple[int, _Change]]] = {
    "kick": (GROUP_KICK, lambda core, *args: core.groups.kick(*args)),
    "ban": (GROUP_BAN, lambda core, *args: core.groups.kick(*args, ban=True)),
    "promote": (GROUP_PROMOTE, lambda core, *args: core.groups.promote(*args)),
    "demote": (GROUP_DEMOTE, lambda core, *args: core.groups.demote(*args)),
}


def _asked(request: Request) -> tuple[int, int | None, str]:
    """Return the limit, state and cursor of a request for a list of edges."""
    limit, state = request.query.integer("limit", 100), request.query.integer("state")
    check_limit(limit)
    if not 0 <= state <= 4:
        raise invalid("Invalid state - state must be between 0 and 4.")
    return limit, state if "state" in request.query else None, request.query.text("cursor")


def _users(core: Core, request: Request) -> JsonObject:
    group_id = _group_id(request)
    try:
        members, cursor = core.groups.users(group_id, *_asked(request))
    except InvalidCursor:
        raise invalid("Cursor is invalid.") from None
    users: list[JsonObject] = []
    for member in members:
        account = core.accounts.get(member.user_id)
        if account is not None:
            users.append({"user": account.user(online=core.online(account)), "state": int(member.state)})
    fields: JsonObject = {"group_users": users, "cursor": cursor}
    return {name: value for name, value in fields.items() if value}


def _of_user(core: Core, request: Request) -> JsonObject:
    user_id = _group_id(request, "user_id")
    try:
        groups, cursor = core.groups.of_user(user_id, *_asked(request))
    except InvalidCursor:
        raise invalid("Cursor is invalid.") from None
    fields: JsonObject = {
        "user_groups": [{"group": group.wire(), "state": int(state)} for group, state in groups],
        "cursor": cursor,
    }
    return {name: value for name, value in fields.items() if value}


def _list(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit = asked.integer("limit", 1)
    check_limit(limit)
    wanted = GroupFilter(
        asked.text("name"),
        asked.text("lang_tag"),
        asked.flag("open") if "open" in asked else None,
        # Below 0 counts as absent.
        asked.integer("members") if asked.integer("members", -1) >= 0 else None,
    )
    if wanted.name and wanted.combined:
        raise invalid("name filter cannot be combined with any other filter")
    try:
        groups, cursor = core.groups.page(wanted, limit, asked.text("cursor"))
    except InvalidCursor:
        raise RestFault(INTERNAL, "Error while trying to list groups.") from None
    fields: JsonObject = {"groups": [group.wire() for group in groups], "cursor": cursor}
    return {name: value for name, value in fields.items() if value}


_GROUP: Final = {"name": text, "description": text, "lang_tag": text, "avatar_url": text, "open": flag}
_PAGE: Final = {"limit": INT, "state": INT, "cursor": TEXT}

ROUTES: Final = (
    Endpoint(
        "GET",
        "/v2/group",
        session,
        _list,
        {"name": TEXT, "cursor": TEXT, "limit": INT, "lang_tag": TEXT, "members": INT, "open": BOOL},
    ),
    Endpoint("POST", "/v2/group", session, _create, body=Schema({**_GROUP, "max_count": int32})),
    Endpoint("PUT", "/v2/group/{group_id}", session, _update, body=Schema(_GROUP)),
    Endpoint("DELETE", "/v2/group/{group_id}", session, _delete),
    Endpoint("POST", "/v2/group/{group_id}/join", session, _join),
    Endpoint("POST", "/v2/group/{group_id}/leave", session, _leave),
    Endpoint("POST", "/v2/group/{group_id}/add", session, _add, {"user_ids": TEXTS}),
    *(
        Endpoint(
            "POST",
            f"/v2/group/{{group_id}}/{verb}",
            session,
            partial(_change, verb),
            {"user_ids": TEXTS},
        )
        for verb in _CHANGES
    ),
    Endpoint("GET", "/v2/group/{group_id}/user", session, _users, _PAGE),
    Endpoint("GET", "/v2/user/{user_id}/group", session, _of_user, _PAGE),
)
