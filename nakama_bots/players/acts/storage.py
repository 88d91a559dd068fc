"""A saved game: load, save, and lose against a device that saved first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nakama_bots.errors import InvalidArgument
from nakama_bots.types.common import Json
from nakama_bots.types.storage import (
    DeleteStorageObjectId,
    ReadStorageObjectId,
    StorageObject,
    StorageObjectAck,
    WriteStorageObject,
)

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

COLLECTION: Final = "nakama_bots"
CONFLICT: Final = "version_conflict"
"""The name that a save which came too late is counted under (``PacedCalls.provoking``)."""


class SaveGame:
    """The player's object ``key``; ``save`` is conditional on the last version seen."""

    def __init__(self, player: Player, key: str) -> None:
        self._player = player
        self._key = key
        self.version = ""

    def load(self) -> Json | None:
        """The saved value; None if nothing is saved yet."""
        own: ReadStorageObjectId = {
            "collection": COLLECTION,
            "key": self._key,
            "user_id": self._player.session.user_id,
        }
        read = self._player.api.read_storage_objects({"object_ids": [own]})
        for found in read.get("objects", ()):
            self.version = found.get("version", "")
            return found.get("value")
        self.version = ""
        return None

    def save(self, value: Mapping[str, object]) -> None:
        """Replace the value that was loaded or saved before, or create it.

        ``InvalidArgument`` when it has changed since.
        """
        self.version = self._write(value, self.version or "*")

    def overwrite(self, value: Mapping[str, object]) -> None:
        """Save as another device would, without this device's version."""
        self._write(value, "")

    def save_too_late(self, value: Mapping[str, object]) -> bool:
        """Save with a version that another device has replaced. True if the server refused it.

        A refusal is expected: it is counted as ``provoked.version_conflict`` and not as a failure.
        """
        with self._player.calls.provoking(CONFLICT, InvalidArgument):
            try:
                self.save(value)
            except InvalidArgument:
                return True
        return False

    def delete(self) -> None:
        """Delete the object."""
        own: DeleteStorageObjectId = {"collection": COLLECTION, "key": self._key}
        self._player.api.delete_storage_objects({"object_ids": [own]})
        self.version = ""

    def _write(self, value: Mapping[str, object], version: str) -> str:
        written: WriteStorageObject[Json] = {"collection": COLLECTION, "key": self._key, "value": dict(value)}
        if version:
            written["version"] = version
        acks = self._player.api.write_storage_objects([written])
        return acks["acks"][0]["version"]


def save_object(
    player: Player, collection: str, key: str, value: Json, version: str, permissions: Mapping[str, int]
) -> StorageObjectAck:
    """See ``Player.save_object``."""
    written: WriteStorageObject[Json] = {"collection": collection, "key": key, "value": value}
    if version:
        written["version"] = version
    if "permission_read" in permissions:
        written["permission_read"] = permissions["permission_read"]
    if "permission_write" in permissions:
        written["permission_write"] = permissions["permission_write"]
    return player.api.write_storage_objects([written])["acks"][0]


def load_object(player: Player, collection: str, key: str, user_id: str) -> StorageObject[Json]:
    """See ``Player.load_object``."""
    wanted: ReadStorageObjectId = {"collection": collection, "key": key, "user_id": user_id}
    found = player.api.read_storage_objects({"object_ids": [wanted]}).get("objects", ())
    return found[0] if found else {}
