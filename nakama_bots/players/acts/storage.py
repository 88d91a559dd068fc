"""A saved game as a bot uses it: load, save what was loaded, lose against a device that saved first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nakama_bots.errors import InvalidArgument
from nakama_bots.types.common import Json
from nakama_bots.types.storage import DeleteStorageObjectId, ReadStorageObjectId, WriteStorageObject

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

COLLECTION: Final = "nakama_bots"
CONFLICT: Final = "version_conflict"
"""Under which a save is counted that came too late (``PacedCalls.provoking``)."""


class SaveGame:
    """The player's object ``key``; ``save`` is conditional on the version that was seen last."""

    def __init__(self, player: Player, key: str) -> None:
        self._player = player
        self._key = key
        self.version = ""

    def load(self) -> Json | None:
        """What is saved; None for nothing yet."""
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
        """Replace what was loaded or saved before, or begin where nothing was.

        ``InvalidArgument`` when it has changed since.
        """
        self.version = self._write(value, self.version or "*")

    def overwrite(self, value: Mapping[str, object]) -> None:
        """Save as another device would, which knows nothing of this one's version."""
        self._write(value, "")

    def save_too_late(self, value: Mapping[str, object]) -> bool:
        """Save against a version that another device has replaced; True when the server refused it.

        Refusal is what is wanted: counted as ``provoked.version_conflict`` and no failure.
        """
        with self._player.calls.provoking(CONFLICT, InvalidArgument):
            try:
                self.save(value)
            except InvalidArgument:
                return True
        return False

    def delete(self) -> None:
        """There is nothing any more."""
        own: DeleteStorageObjectId = {"collection": COLLECTION, "key": self._key}
        self._player.api.delete_storage_objects({"object_ids": [own]})
        self.version = ""

    def _write(self, value: Mapping[str, object], version: str) -> str:
        written: WriteStorageObject[Json] = {"collection": COLLECTION, "key": self._key, "value": dict(value)}
        if version:
            written["version"] = version
        acks = self._player.api.write_storage_objects([written])
        return acks["acks"][0]["version"]
