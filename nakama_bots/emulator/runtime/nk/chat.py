"""Channel messages, sent by the server or in a user's name."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.channel import change_message, in_group, send_message
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    document,
    fail,
    flag,
    identifier,
    integer,
    optional_integer,
    optional_text,
    seconds,
    text,
)
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.chat import (
    CHAT_REMOVE,
    CHAT_UPDATE,
    Cursor,
    InvalidChannel,
    StoredMessage,
    channel_id,
    channel_stream,
)
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

_SENDER: Final = "expects sender id to either be not set, empty string or a valid UUID"
# Lua's names for the fields of a message's channel.
_NAMES: Final = {
    "room_name": "roomName",
    "group_id": "groupId",
    "user_id_one": "userIdOne",
    "user_id_two": "userIdTwo",
}


def _ack(message: StoredMessage) -> JsonObject:
    return {
        "channelId": channel_id(message.stream),
        "messageId": message.id,
        "code": message.code,
        "username": message.username,
        "createTime": seconds(message.create_time),
        "updateTime": seconds(message.update_time),
        "persistent": message.persistent,
    }


class ChatFunctions(FunctionFamily):
    """Channels. ``channel_id_build`` creates a channel id."""

    def channel_id_build(self, sender_id: str, target: str, chan_type: int) -> str:
        """Return the id of a channel: type 1 is a room, 2 a direct channel with a user, 3 a group's."""
        sender = identifier(1, sender_id, _SENDER) if text(1, sender_id) else SYSTEM_USER_ID
        wanted, kind = text(2, target), integer(3, chan_type)
        if not 1 <= kind <= 3:
            raise ArgumentError(3, "invalid channel type: expects value 1-3")
        reason = self.__refused(sender, wanted, kind)
        if reason is not None:
            raise ArgumentError(1, f"{reason}: Invalid channel target" if reason else "Invalid channel target")
        if kind == 2 and sender != SYSTEM_USER_ID:
            return channel_id(PresenceStream(Mode.DM, *sorted((sender, parse_uuid(wanted) or ""))))
        if kind == 3:
            return channel_id(PresenceStream(Mode.GROUP, parse_uuid(wanted) or ""))
        # The system user has no direct channels: the server returns the id of a room without a name.
        return channel_id(PresenceStream(Mode.CHANNEL, label=wanted if kind == 1 else ""))

    def __refused(self, sender: str, target: str, kind: int) -> str | None:
        """Return why a target is invalid, or None."""
        if not target:
            return ""
        if kind == 1:
            if len(target.encode()) > 64:
                return "Channel name is required and must be 1-64 chars"
            controls = any(ord(letter) < 32 or ord(letter) == 127 for letter in target)
            return "Channel name must not contain control chars" if controls else None
        direct, wanted = kind == 2, parse_uuid(target)
        if wanted is None or (direct and wanted == SYSTEM_USER_ID):
            return f"Invalid {'user ID in direct message' if direct else 'group ID in group channel'} join"
        if sender == SYSTEM_USER_ID or self.__admits(sender, wanted, direct=direct):
            return None
        return "User ID not found" if direct else "Group not found"

    def __admits(self, sender: str, target: str, *, direct: bool) -> bool:
        """True if a user may write to another user, or in a group."""
        if not direct:
            return in_group(self.core, target, sender)
        known = self.core.accounts.get(target) is not None
        return known and not self.core.friends.blocks(target, sender)

    def channel_message_send(
        self,
        channel_id: str,
        content: Table | None = None,
        sender_id: str | None = None,
        sender_username: str | None = None,
        persist: bool | None = None,
    ) -> JsonObject:
        """Send a message to a channel.

        Returns ``channelId``, ``messageId``, ``code``, ``username``, ``createTime``, ``updateTime`` and
        ``persistent``.
        """
        channel, body = self.__channel(channel_id), document(2, content)
        sender, name = self.__sender(3, sender_id, sender_username)
        kept = flag(5, persist)
        return _ack(send_message(self.core, channel, body, sender, name, persistent=kept))

    @staticmethod
    def __channel(given: Any) -> str:
        channel = text(1, given)
        try:
            channel_stream(channel)
        except InvalidChannel:
            raise fail("error converting channel identifier to stream: invalid channel id") from None
        return channel

    @staticmethod
    def __sender(number: int, sender_id: Any, username: Any) -> tuple[str, str]:
        given = optional_text(number, sender_id)
        sender = identifier(number, given, _SENDER) if given else SYSTEM_USER_ID
        return sender, optional_text(number + 1, username)

    def channel_message_update(
        self,
        channel_id: str,
        message_id: str,
        content: Table | None = None,
        sender_id: str | None = None,
        sender_username: str | None = None,
        persist: bool | None = None,
    ) -> JsonObject:
        """Change a message; returns the same as ``channel_message_send``."""
        message = identifier(2, message_id, "Invalid message identifier")
        sender, name = self.__sender(4, sender_id, sender_username)
        return self.__change(
            channel_id, message, CHAT_UPDATE, document(3, content), sender, name, flag(6, persist)
        )

    def channel_message_remove(
        self,
        channel_id: str,
        message_id: str,
        sender_id: str | None = None,
        sender_username: str | None = None,
        persist: bool | None = None,
    ) -> JsonObject:
        """Delete a message; returns the same as ``channel_message_send``."""
        message = identifier(2, message_id, "Invalid message identifier")
        sender, name = self.__sender(3, sender_id, sender_username)
        return self.__change(channel_id, message, CHAT_REMOVE, "{}", sender, name, flag(5, persist))

    def __change(
        self, channel: Any, message: str, code: int, content: str, sender: str, name: str, persist: bool
    ) -> JsonObject:
        changed = change_message(
            self.core, self.__channel(channel), message, code, content, sender, name, persistent=persist
        )
        if changed is None:
            raise fail("failed to send channel message: channel message not found")
        self.core.tracker.send(changed.stream, {"channel_message": changed.wire()})
        return _ack(changed)

    def channel_messages_list(
        self,
        channel_id: str,
        limit: int | None = None,
        forward: bool | None = None,
        cursor: str | None = None,
    ) -> tuple[list[JsonObject], str | None, str | None]:
        """Return a channel's history, and the next and previous cursors."""
        number = optional_integer(2, limit, 100)
        if not 1 <= number <= 100:
            raise ArgumentError(2, "limit must be 1-100")
        onward, given = flag(3, forward, True), optional_text(4, cursor)  # noqa: FBT003 - the server's default
        try:
            stream = channel_stream(text(1, channel_id))
        except InvalidChannel:
            raise fail("error converting leaderboard records: invalid channel id") from None
        try:
            place = Cursor.decode(given, stream, forward=onward) if given else None
        except InvalidCursor:
            raise fail("failed to list channel messages: invalid channel cursor") from None
        page: dict[str, Any] = self.core.messages.page(
            stream, number, place, forward=onward, channel=channel_id
        )
        shown = [self.__shown(message) for message in page.get("messages", ())]
        return shown, page.get("next_cursor") or None, page.get("prev_cursor") or None

    @staticmethod
    def __shown(message: dict[str, Any]) -> JsonObject:
        names = {lua: message.get(name, "") for name, lua in _NAMES.items()}
        return {
            "channelId": message["channel_id"],
            "messageId": message["message_id"],
            "code": message["code"],
            "senderId": message["sender_id"],
            "username": message.get("username", ""),
            "content": message["content"],
            "createTime": _unix(message["create_time"]),
            "updateTime": _unix(message["update_time"]),
            "persistent": message["persistent"],
            **names,
        }


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
