"""Friends and groups of a player."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from nakama_bots.errors import AlreadyExists

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

MEMBERS: Final = 100
GROUP_EXISTS: Final = "group_exists"


class JoinedGroup:
    """A group that the player is in; created by ``player.group``. A context manager."""

    def __init__(self, player: Player, name: str, max_count: int) -> None:
        self.id = ""
        self.name = name
        self._player = player
        self._max_count = max_count

    def __enter__(self) -> Self:
        if self.name:
            self.id = self._shared()
        else:
            self.id = self._create(self._player.identity.new_name("group"))
        return self

    def __exit__(self, *_: object) -> None:
        if not self.name:
            self._player.api.delete_group(self.id)

    def leave(self) -> None:
        """Leave the group."""
        self._player.api.leave_group(self.id)

    def add(self, user_ids: Sequence[str]) -> None:
        """Add users; only for the player that created the group."""
        self._player.api.add_group_users(self.id, user_ids)

    def _create(self, name: str) -> str:
        return self._player.api.create_group(name=name, open=True, max_count=self._max_count)["id"]

    def _shared(self) -> str:
        """The group of that name; the first player creates it.

        Two players may create it at the same time: the second one's ``AlreadyExists`` is counted as
        ``provoked.group_exists`` and not as a failure.
        """
        api = self._player.api
        for listed in api.list_user_groups(self._player.user_id, limit=MEMBERS).get("user_groups", ()):
            if listed["group"]["name"] == self.name:
                return listed["group"]["id"]
        found = api.list_groups(name=self.name, limit=1).get("groups", ())
        if not found:
            with self._player.calls.provoking(GROUP_EXISTS, AlreadyExists):
                try:
                    return self._create(self.name)
                except AlreadyExists:
                    found = api.list_groups(name=self.name, limit=1)["groups"]
        api.join_group(found[0]["id"])
        return found[0]["id"]
