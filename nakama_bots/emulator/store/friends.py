"""Friends: the edges between users, and how adding, blocking and deleting change them.

An edge belongs to its source. Two related users have an edge each, except for a block, which only the blocker
has (``server/core_friend.go``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.documents import storable
from nakama_bots.emulator.formats.protojson import jsonb
from nakama_bots.emulator.store.accounts import Accounts
from nakama_bots.types.friends import FriendState


class InvalidMetadata(ValueError):
    """The metadata of an edge is not JSON."""


@dataclass(slots=True)
class StoredFriend:
    """One edge. ``position`` orders the edges of a state; ``update_time`` is Unix nanoseconds."""

    user_id: str
    state: FriendState
    position: int
    update_time: int
    metadata: str = "{}"


class _FriendPlace(NamedTuple):
    state: int
    position: int


class _PlaceOfFriend(NamedTuple):
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class FriendOfFriend:
    """A friend of ``referrer``, who is a friend of the user."""

    referrer: str
    user_id: str


def _merged(old: str, new: str) -> str:
    """Return ``old || new`` of two JSONB documents; a non-object counts as a list."""
    first, second = orjson.loads(old), orjson.loads(new)
    if isinstance(first, dict) and isinstance(second, dict):
        return orjson.dumps({**first, **second}).decode()
    lists = [value if isinstance(value, list) else [value] for value in (first, second)]
    return orjson.dumps(lists[0] + lists[1]).decode()


class Friends:
    """All edges. ``now``: Unix nanoseconds."""

    def __init__(self, accounts: Accounts, now: Callable[[], int]) -> None:
        self._accounts = accounts
        self._now = now
        self._last = 0
        self._edges: dict[str, dict[str, StoredFriend]] = {}

    def edges(self) -> list[tuple[str, StoredFriend]]:
        """Return all edges with their sources."""
        return [(source, edge) for source, edges in self._edges.items() for edge in edges.values()]

    def restore(self, source: str, edge: StoredFriend) -> None:
        """Restore an edge unchanged."""
        self._put(source, edge)
        self._last = max(self._last, edge.position)

    def edge(self, user_id: str, friend_id: str) -> StoredFriend | None:
        """Return the edge from ``user_id`` to ``friend_id``."""
        return self._edges.get(user_id, {}).get(friend_id)

    def blocks(self, user_id: str, other_id: str) -> bool:
        """True if ``user_id`` has blocked ``other_id``."""
        edge = self.edge(user_id, other_id)
        return edge is not None and edge.state == FriendState.BLOCKED

    def add(self, user_id: str, friend_ids: Iterable[str], metadata: str = "") -> dict[str, bool]:
        """Invite users, or accept their invites. Returns the users to notify, and if it was an acceptance.

        ``InvalidMetadata``: no friend was added.
        """
        # Users that the caller blocks are skipped before any check.
        wanted = [one for one in dict.fromkeys(friend_ids) if not self.blocks(user_id, one)]
        if wanted and not storable(metadata or "{}"):
            raise InvalidMetadata(metadata)
        notified: dict[str, bool] = {}
        for friend_id in wanted:
            accepted = self._add(user_id, friend_id, metadata or "{}")
            if accepted is not None:
                notified[friend_id] = accepted
        return notified

    def _add(self, user_id: str, friend_id: str, metadata: str) -> bool | None:
        mine, theirs = self.edge(user_id, friend_id), self.edge(friend_id, user_id)
        if friend_id == user_id:
            self._add_self(user_id, mine, metadata)
            return None
        if mine is not None and mine.state == FriendState.INVITE_RECEIVED and theirs is not None:
            for edge in (mine, theirs):
                edge.state, edge.update_time = FriendState.FRIEND, self._now()
            mine.metadata = jsonb(_merged(mine.metadata, metadata))
            return True
        # A block by either side leaves one edge, which also prevents it.
        if mine is not None or theirs is not None or self._accounts.get(friend_id) is None:
            return None
        position = self._position()
        self._put(user_id, StoredFriend(friend_id, FriendState.INVITE_SENT, position, self._now(), metadata))
        self._put(friend_id, StoredFriend(user_id, FriendState.INVITE_RECEIVED, position, self._now()))
        self._count(user_id, 1)
        self._count(friend_id, 1)
        return False

    def _add_self(self, user_id: str, edge: StoredFriend | None, metadata: str) -> None:
        """Recorded, for a request that writes the caller's id in another form: one edge is both sides."""
        if edge is None:
            edge = StoredFriend(user_id, FriendState.INVITE_SENT, self._position(), self._now(), metadata)
            self._put(user_id, edge)
            self._count(user_id, 1)
        elif edge.state == FriendState.INVITE_SENT:
            edge.state, edge.update_time = FriendState.FRIEND, self._now()
            edge.metadata = jsonb(_merged(edge.metadata, metadata))

    def delete(self, user_id: str, friend_ids: Iterable[str]) -> list[str]:
        """End friendships, invites and blocks; returns the users to notify."""
        notified: list[str] = []
        for friend_id in dict.fromkeys(friend_ids):
            mine = self._edges.get(user_id, {}).pop(friend_id, None)
            if mine is None:
                continue
            self._count(user_id, -1)
            if self._unless_blocked(friend_id, user_id):
                notified.append(friend_id)
        return notified

    def block(self, user_id: str, friend_ids: Iterable[str]) -> list[str]:
        """Block users; returns those that exist."""
        blocked: list[str] = []
        for friend_id in dict.fromkeys(friend_ids):
            mine = self.edge(user_id, friend_id)
            if mine is not None:
                mine.state, mine.update_time = FriendState.BLOCKED, self._now()
            elif self._accounts.get(friend_id) is None:
                continue
            else:
                self._put(user_id, StoredFriend(friend_id, FriendState.BLOCKED, self._position(), self._now()))
                self._count(user_id, 1)
            blocked.append(friend_id)
            self._unless_blocked(friend_id, user_id)
        return blocked

    def _unless_blocked(self, user_id: str, friend_id: str) -> bool:
        """Remove the other side's edge, unless it is a block."""
        if self.edge(user_id, friend_id) is None or self.blocks(user_id, friend_id):
            return False
        del self._edges[user_id][friend_id]
        self._count(user_id, -1)
        return True

    def page(
        self, user_id: str, limit: int, state: int | None = None, cursor: str = ""
    ) -> tuple[list[StoredFriend], str]:
        """Return the edges of a user by state, oldest first, and the cursor of the next page, "" at the end.

        ``InvalidCursor``: the cursor is invalid, or of another state.
        """
        place = cursors.decode(cursor, _FriendPlace) if cursor else _FriendPlace(-1, 0)
        if cursor and state is not None and state != place.state:
            raise cursors.InvalidCursor(cursor)
        found = sorted(
            (
                edge
                for edge in self._edges.get(user_id, {}).values()
                if (state is None or edge.state == state) and (edge.state, edge.position) >= place
            ),
            key=lambda edge: (edge.state, edge.position),
        )
        following = found[limit : limit + 1]
        return found[:limit], "".join(cursors.encode(_FriendPlace(e.state, e.position)) for e in following)

    def friends_of_friends(
        self, user_id: str, limit: int, cursor: str = ""
    ) -> tuple[list[FriendOfFriend], str]:
        """Return the other friends of a user's friends, by ids, and the cursor of the next page.

        A page that begins with a cursor ends with that friend's friends, as the server's does.
        """
        place = cursors.decode(cursor, _PlaceOfFriend) if cursor else None
        friends = self._friends(user_id)
        pairs = [
            _PlaceOfFriend(friend, other)
            for friend in friends
            if place is None or friend == place.source
            for other in self._friends(friend)
            if other != user_id and other not in friends
        ]
        if place is not None:
            pairs = [pair for pair in pairs if pair >= place]
        return [FriendOfFriend(*pair) for pair in pairs[:limit]], "".join(
            cursors.encode(pair) for pair in pairs[limit : limit + 1]
        )

    def _friends(self, user_id: str) -> list[str]:
        edges = self._edges.get(user_id, {}).items()
        return sorted(friend_id for friend_id, edge in edges if edge.state == FriendState.FRIEND)

    def forget_user(self, user_id: str) -> None:
        """Remove all edges from and to a deleted user; the others' counts stay, as the server's do."""
        self._edges.pop(user_id, None)
        for edges in self._edges.values():
            edges.pop(user_id, None)

    def _put(self, source: str, edge: StoredFriend) -> None:
        edge.metadata = jsonb(edge.metadata)
        self._edges.setdefault(source, {})[edge.user_id] = edge

    def _count(self, user_id: str, change: int) -> None:
        account = self._accounts.get(user_id)
        if account is not None:
            account.edge_count += change
            account.update_time = self._now()

    def _position(self) -> int:
        # Two edges of the same instant still have an order.
        self._last = max(self._last + 1, self._now())
        return self._last
