"""A saved game: load, save, and lose against a device that saved first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nakama_bots.errors import InvalidArgument
from nakama_bots.types.common import Json
from nakama_bots.types.storage import DeleteStorageObjectId

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
        found = self._player.load_object(COLLECTION, self._key)
        self.version = found.get("version", "")
        return found.get("value")

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
        return self._player.save_object(COLLECTION, self._key, dict(value), version)["version"]
