"""Chat: rooms, direct messages and groups on the socket, history over REST."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from nakama_bots.emulator.dispatch.realtime import BAD_INPUT, RUNTIME_EXCEPTION, Call, MessageRow, RealtimeFault
from nakama_bots.emulator.dispatch.rest import BOOL, INT, TEXT, Endpoint, Request, session
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.documents import go_json, is_object, storable
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, flag, int32, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.chat import (
    CHAT,
    CHAT_REMOVE,
    CHAT_UPDATE,
    Cursor,
    InvalidChannel,
    StoredMessage,
    channel_id,
    channel_names,
    channel_stream,
)
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.notifications import DM_REQUEST
from nakama_bots.emulator.store.tracker import Mode, Presence, PresenceStream
from nakama_bots.types.groups import GroupState

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def presence_event(stream: PresenceStream, changes: JsonObject) -> JsonObject:
    """Return the event of joins and leaves for the members."""
    return {"channel_presence_event": {"channel_id": channel_id(stream), **changes, **channel_names(stream)}}


def _target_fault(reason: str) -> RealtimeFault:
    return RealtimeFault(BAD_INPUT, f"{reason}: Invalid channel target")


def _room(_: Call, target: str) -> PresenceStream:
    if len(target.encode()) > 64:
        raise _target_fault("Channel name is required and must be 1-64 chars")
    if _CONTROL.search(target):
        raise _target_fault("Channel name must not contain control chars")
    return PresenceStream(Mode.CHANNEL, label=target)


def _direct(call: Call, target: str) -> PresenceStream:
    other = parse_uuid(target)
    if other is None or other == SYSTEM_USER_ID:
        raise _target_fault("Invalid user ID in direct message join")
    if call.core.accounts.get(other) is None or call.core.friends.blocks(other, call.session.user_id):
        raise _target_fault("User ID not found")
    first, second = sorted((call.session.user_id, other))
    return PresenceStream(Mode.DM, first, second)


def _group(call: Call, target: str) -> PresenceStream:
    group_id = parse_uuid(target)
    if group_id is None:
        raise _target_fault("Invalid group ID in group channel join")
    if not in_group(call.core, group_id, call.session.user_id):
        raise _target_fault("Group not found")
    return PresenceStream(Mode.GROUP, group_id)


def in_group(core: Core, group_id: str, user_id: str) -> bool:
    """Whether a user is a member of a group."""
    group = core.groups.get(group_id)
    state = None if group is None else group.state_of(user_id)
    return state is not None and state <= GroupState.MEMBER


# Channel types of ``channel_join``; 0 (or absent) is a room.
_TARGETS: Final[dict[int, Callable[[Call, str], PresenceStream]]] = {0: _room, 1: _room, 2: _direct, 3: _group}


def _join(call: Call) -> None:
    fields, tracker = call.fields, call.core.tracker
    target = fields.text("target")
    if not target:
        raise RealtimeFault(BAD_INPUT, "Invalid channel target")
    resolve = _TARGETS.get(fields.integer("type"))
    if resolve is None:
        raise RealtimeFault(BAD_INPUT, "Invalid channel type")
    stream = resolve(call, target)
    before = tracker.presences(stream)
    presence = Presence(
        call.session, hidden=fields.flag("hidden"), persistence=fields.flag("persistence", default=True)
    )
    body: JsonObject = {"id": channel_id(stream)}
    if before:
        body["presences"] = [member.wire() for member in before]
    body["self"] = presence.wire()
    call.reply("channel", {**body, **channel_names(stream)})
    if tracker.track(stream, presence) and stream.mode == Mode.DM:
        _notify_absent(call, stream)


def _notify_absent(call: Call, stream: PresenceStream) -> None:
    core, me = call.core, call.session
    partner = stream.subcontext if stream.subject == me.user_id else stream.subject
    if any(member.session.user_id == partner for member in core.tracker.presences(stream)):
        return
    content = go_json({"username": me.username})
    core.notify(partner, f"{me.username} wants to chat", content, DM_REQUEST, me.user_id)


def _stream(identifier: str) -> PresenceStream:
    try:
        return channel_stream(identifier)
    except InvalidChannel:
        raise RealtimeFault(BAD_INPUT, "Invalid channel identifier") from None


def _leave(call: Call) -> None:
    stream = _stream(call.fields.text("channel_id"))
    call.core.tracker.untrack(stream, call.session)
    call.reply()


def _content(call: Call) -> str:
    content = call.fields.text("content")
    if not is_object(content):
        raise RealtimeFault(BAD_INPUT, "Message content must be a valid JSON object")
    return content


def _kept(call: Call, presence: Presence, content: str, what: str) -> bool:
    """Answer with an error if the database would not store ``content``; True if it would, or need not."""
    if not presence.persistence or storable(content):
        return True
    call.fail(RUNTIME_EXCEPTION, f"Could not persist {what} to channel history")
    return False


def _member(call: Call, stream: PresenceStream, doing: str) -> Presence:
    presence = call.core.tracker.get(stream, call.session)
    if presence is None:
        raise RealtimeFault(BAD_INPUT, f"Must join channel before {doing} messages")
    return presence


def send_message(
    core: Core, channel: str, content: str, sender_id: str, username: str, *, persistent: bool = True
) -> StoredMessage:
    """Send a message to all members of a channel, and keep it if persistent; ``content`` is JSON text.

    ``channel``: the channel's id. ``InvalidChannel``.
    """
    now, stream = core.now(), channel_stream(channel)
    message = StoredMessage(
        core.new_id(), stream, CHAT, sender_id, username, content, now, now, persistent, channel
    )
    if persistent:
        core.messages.add(message)
    core.tracker.send(stream, {"channel_message": message.wire()})
    return message


def change_message(
    core: Core,
    channel: str,
    identifier: str,
    code: int,
    content: str,
    sender_id: str,
    username: str,
    *,
    persistent: bool,
) -> StoredMessage | None:
    """Update or remove a user's kept message; returns the message sent to its channel.

    ``channel``: the channel's id; ``identifier``: the message's, in any form. ``InvalidChannel``.
    None: the message is persistent and does not exist.
    """
    now, kept = core.now(), core.messages.find(parse_uuid(identifier) or "", sender_id)
    if persistent and kept is None:
        return None
    created = kept.create_time if kept is not None else now
    if kept is not None and code == CHAT_UPDATE:
        kept.content, kept.update_time = content, now
    elif kept is not None:
        core.messages.remove(kept)
    return StoredMessage(
        identifier,
        channel_stream(channel),
        code,
        sender_id,
        username,
        content,
        created,
        now,
        persistent,
        channel,
    )


def _deliver(call: Call, message: StoredMessage) -> None:
    # The sender's own copy comes before the ack, as with a new message.
    call.core.tracker.send(message.stream, {"channel_message": message.wire()})
    call.reply("channel_message_ack", message.ack())


def _send(call: Call) -> None:
    channel = call.fields.text("channel_id")
    stream = _stream(channel)
    content = _content(call)
    presence = _member(call, stream, "sending")
    if not _kept(call, presence, content, "message"):
        return
    me = call.session
    # Recorded, 200 of 200: the sender's own copy comes before the ack.
    message = send_message(
        call.core, channel, content, me.user_id, me.username, persistent=presence.persistence
    )
    call.reply("channel_message_ack", message.ack())


def _change(call: Call, code: int, doing: str, verb: str, content: str) -> None:
    identifier, channel = call.fields.text("message_id"), call.fields.text("channel_id")
    if parse_uuid(identifier) is None:
        raise RealtimeFault(BAD_INPUT, "Invalid message identifier")
    stream = _stream(channel)
    if code == CHAT_UPDATE:
        content = _content(call)
    presence = _member(call, stream, doing)
    if not _kept(call, presence, content, f"message {verb}"):
        call.reply("channel_message_ack", {})  # recorded: after the error
        return
    me, kept = call.session, presence.persistence
    message = change_message(
        call.core, channel, identifier, code, content, me.user_id, me.username, persistent=kept
    )
    if message is None:
        raise RealtimeFault(BAD_INPUT, f"Could not find message to {verb} in channel history")
    _deliver(call, message)


def _update(call: Call) -> None:
    _change(call, CHAT_UPDATE, "updating", "update", "")


def _remove(call: Call) -> None:
    _change(call, CHAT_REMOVE, "removing", "remove", "{}")


def _history(core: Core, request: Request) -> JsonObject:
    limit, forward = request.query.integer("limit", 1), request.query.flag("forward", default=True)
    check_limit(limit)
    identifier = request.path_values["channel_id"]
    try:
        stream = channel_stream(identifier)
    except InvalidChannel:
        raise invalid("Invalid channel ID.") from None
    given = request.query.text("cursor")
    try:
        cursor = Cursor.decode(given, stream, forward=forward) if given else None
    except InvalidCursor:
        raise invalid("Cursor is invalid or expired.") from None
    if stream.mode == Mode.GROUP and not in_group(core, stream.subject, request.caller.user_id):
        raise invalid("Group not found.")
    if stream.mode == Mode.DM and request.caller.user_id not in (stream.subject, stream.subcontext):
        raise invalid("Channel not found.")
    return core.messages.page(stream, limit, cursor, forward=forward, channel=identifier)


ROUTES: Final = (
    Endpoint(
        "GET",
        "/v2/channel/{channel_id}",
        session,
        _history,
        {"limit": INT, "forward": BOOL, "cursor": TEXT},
    ),
)

MESSAGES: Final = (
    MessageRow(
        "channel_join",
        Schema({"target": text, "type": int32, "persistence": flag, "hidden": flag}, strict=True),
        _join,
    ),
    MessageRow("channel_leave", Schema({"channel_id": text}, strict=True), _leave),
    MessageRow("channel_message_send", Schema({"channel_id": text, "content": text}, strict=True), _send),
    MessageRow(
        "channel_message_update",
        Schema({"channel_id": text, "message_id": text, "content": text}, strict=True),
        _update,
    ),
    MessageRow(
        "channel_message_remove", Schema({"channel_id": text, "message_id": text}, strict=True), _remove
    ),
)
