"""Status: set, followed, and pushed to followers."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.realtime import BAD_INPUT, Call, MessageRow, RealtimeFault
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, repeated, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.tracker import Mode, OnlineSession, Presence, PresenceStream

_LONGEST: Final = 2048


def presence_event(_: PresenceStream, changes: JsonObject) -> JsonObject:
    """Return the event of joins and leaves for the followers."""
    return {"status_presence_event": changes}


def appear(core: Core, session: OnlineSession, status: str) -> None:
    """Set a status; "" means online without a status text."""
    core.tracker.update(PresenceStream(Mode.STATUS, session.user_id), Presence(session, status=status))


def _update(call: Call) -> None:
    status = call.fields.optional_text("status")
    if status is not None and len(status) > _LONGEST:
        raise RealtimeFault(BAD_INPUT, "Status must be 2048 characters or less")
    call.reply()  # recorded: always before the event
    if status is None:
        call.core.tracker.untrack(PresenceStream(Mode.STATUS, call.session.user_id), call.session)
    else:
        appear(call.core, call.session, status)


def _checked_ids(call: Call) -> list[str]:
    given = call.fields.texts("user_ids")
    user_ids = [one for one in map(parse_uuid, given) if one is not None]
    if len(user_ids) < len(given):
        raise RealtimeFault(BAD_INPUT, "Invalid user identifier")
    return user_ids


def _follow(call: Call) -> None:
    core, own = call.core, call.session.user_id
    accounts = [core.accounts.get(user_id) for user_id in _checked_ids(call)]
    usernames = call.fields.texts("usernames")
    if not all(usernames):
        raise RealtimeFault(BAD_INPUT, "Invalid username")
    accounts += [core.accounts.named(username) for username in usernames]
    presences: list[JsonObject] = []
    # A dict, because each user counts once.
    for user_id in dict.fromkeys(account.id for account in accounts if account is not None):
        if user_id not in (own, SYSTEM_USER_ID):
            core.follow(call.session, user_id)
            presences += [p.wire() for p in core.tracker.presences(PresenceStream(Mode.STATUS, user_id))]
    call.reply("status", {"presences": presences} if presences else {})


def _unfollow(call: Call) -> None:
    for user_id in _checked_ids(call):
        if user_id != call.session.user_id:
            call.core.unfollow(call.session, user_id)
    call.reply()


MESSAGES: Final = (
    MessageRow(
        "status_follow",
        Schema({"user_ids": repeated(text), "usernames": repeated(text)}, strict=True),
        _follow,
    ),
    MessageRow("status_unfollow", Schema({"user_ids": repeated(text)}, strict=True), _unfollow),
    MessageRow("status_update", Schema({"status": text}, strict=True), _update),
)
