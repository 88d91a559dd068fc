"""Groups: their members and roles, and how they are listed.

The rules are those of ``server/core_group.go``; the handlers announce changes in a group's chat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.regexp import Pattern, like
from nakama_bots.emulator.store.accounts import Accounts
from nakama_bots.emulator.store.limits import UNBOUNDED, Full
from nakama_bots.types.groups import GroupState

_SECOND: Final = 10**9


class GroupError(Exception):
    """A change that is refused; nothing was changed."""


class GroupNotFound(GroupError):
    """The group does not exist."""


class GroupFull(GroupError):
    """The group has its maximum number of members."""


class GroupNameInUse(GroupError):
    """Another group has that name."""


class GroupPermissionDenied(GroupError):
    """The caller lacks the required role in the group."""


class GroupUserNotFound(GroupError):
    """One of the users does not exist."""


class LastSuperadmin(GroupError):
    """A group with members cannot be left by its last superadmin."""


@dataclass(slots=True)
class GroupMember:
    """A user in a group; ``position`` orders the users of a state."""

    user_id: str
    state: GroupState
    position: int


@dataclass(slots=True)
class StoredGroup:
    """One group. Times are Unix nanoseconds; ``edge_count`` counts members, not requests or bans."""

    id: str
    creator_id: str
    name: str
    create_time: int
    update_time: int
    description: str = ""
    avatar_url: str = ""
    lang_tag: str = "en"
    metadata: str = "{}"
    open: bool = False
    edge_count: int = 1
    max_count: int = 100
    members: dict[str, GroupMember] = field(default_factory=dict)

    def wire(self) -> JsonObject:
        """Return Nakama's ``StoredGroup``; ``open`` is included even if false."""
        fields: JsonObject = {
            "id": self.id,
            "creator_id": self.creator_id,
            "name": self.name,
            "description": self.description,
            "lang_tag": self.lang_tag,
            "metadata": self.metadata,
            "avatar_url": self.avatar_url,
            "edge_count": self.edge_count,
            "max_count": self.max_count,
            "create_time": timestamp(self.create_time // _SECOND * _SECOND),
            "update_time": timestamp(self.update_time // _SECOND * _SECOND),
        }
        return {name: value for name, value in fields.items() if value} | {"open": self.open}

    def state_of(self, user_id: str) -> GroupState | None:
        """Return the user's role in the group."""
        member = self.members.get(user_id)
        return None if member is None else member.state

    def others(self, user_id: str, *states: GroupState) -> int:
        """Return the number of other users in one of these states."""
        return sum(m.state in states for m in self.members.values() if m.user_id != user_id)


class _EdgePlace(NamedTuple):
    state: int
    position: int


class _GroupPlace(NamedTuple):
    name: str
    lang_tag: str
    edge_count: int
    closed: int
    update_time: int
    id: str


def _place(group: StoredGroup) -> _GroupPlace:
    return _GroupPlace(
        group.name, group.lang_tag, group.edge_count, int(not group.open), group.update_time, group.id
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """How a list with certain filters is ordered, and how a cursor is compared with a group.

    The server compares the tuple ``after`` with ``<`` or ``>`` whatever the order, so for closed or open
    groups of a language a second page does not follow the first; this is reproduced.
    """

    order: tuple[str, ...]
    descending: bool = False
    after: tuple[str, ...] = ()
    greater: bool = True


# By the filters given: (open, lang_tag, members). From the queries of ``ListGroups``.
_STATE_LANG: Final = ("closed", "lang_tag", "edge_count", "id")
_STATE_EDGES: Final = ("closed", "edge_count", "lang_tag", "id")
_RECENT: Final = _Order(("update_time", "edge_count", "id"))
_ORDERS: Final[Mapping[tuple[bool, bool, bool], _Order]] = {
    (True, True, True): _Order(_STATE_LANG, descending=True, greater=False),
    (True, True, False): _Order(_STATE_EDGES, descending=True, after=_STATE_LANG),
    (True, False, True): _Order(_STATE_EDGES, descending=True, greater=False),
    (False, True, True): _Order(("lang_tag", "edge_count", "id"), descending=True, greater=False),
    (False, True, False): _Order(("lang_tag", "edge_count", "id")),
    (False, False, True): _Order(("edge_count", "update_time", "id"), descending=True, greater=False),
    (True, False, False): _RECENT,
    (False, False, False): _RECENT,
}
_BY_NAME: Final = _Order(("name",))


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """The filters of a list of groups; ``members``: the most. A name excludes all other filters."""

    name: str = ""
    lang_tag: str = ""
    open: bool | None = None
    members: int | None = None

    @property
    def combined(self) -> bool:
        """Whether there is a filter other than the name."""
        return bool(self.lang_tag) or self.open is not None or self.members is not None


class Groups:
    """All groups. ``now``: Unix nanoseconds; ``new_id`` creates the ids."""

    def __init__(
        self,
        accounts: Accounts,
        now: Callable[[], int],
        new_id: Callable[[], str],
        most: int = UNBOUNDED.groups,
    ) -> None:
        self._most = most
        self._accounts = accounts
        self._now = now
        self._new_id = new_id
        self._last = 0
        self._groups: dict[str, StoredGroup] = {}
        self._names: dict[str, StoredGroup] = {}
        self._of_user: dict[str, dict[str, StoredGroup]] = {}

    def get(self, group_id: str) -> StoredGroup | None:
        """Return the group with that id."""
        return self._groups.get(group_id)

    def all(self) -> list[StoredGroup]:
        """Return all groups."""
        return list(self._groups.values())

    def restore(self, group: StoredGroup) -> None:
        """Restore a group unchanged, with its members."""
        self._groups[group.id] = self._names[group.name] = group
        for member in group.members.values():
            self._of_user.setdefault(member.user_id, {})[group.id] = group
            self._last = max(self._last, member.position)

    def create(self, creator_id: str, name: str, *, max_count: int = 100, **fields: str | bool) -> StoredGroup:
        """Create a group, with its creator as superadmin. ``GroupNameInUse``, ``Full``."""
        if len(self._groups) >= self._most:
            raise Full("groups", self._most)
        if name in self._names:
            raise GroupNameInUse(name)
        now = self._now()
        group = StoredGroup(self._new_id(), creator_id, name, now, now, max_count=max_count)
        for key, value in fields.items():
            setattr(group, key, value)
        self._groups[group.id] = self._names[name] = group
        self._add_member(group, creator_id, GroupState.SUPERADMIN)
        return group

    def allowed(self, group_id: str, user_id: str, lowest: GroupState = GroupState.ADMIN) -> StoredGroup:
        """Return the group if the user has at least that role; ``GroupPermissionDenied``, also without a group.

        The user id "" is the runtime, which has every permission.
        """
        group = self._groups.get(group_id)
        state = None if group is None else (group.state_of(user_id) if user_id else GroupState.SUPERADMIN)
        if group is None or state is None or state > lowest:
            raise GroupPermissionDenied(group_id)
        return group

    def update(self, group: StoredGroup, **fields: str | bool | int) -> None:
        """Change fields of a group. ``GroupNameInUse``."""
        name = fields.get("name")
        if isinstance(name, str):
            if self._names.get(name, group) is not group:
                raise GroupNameInUse(name)
            del self._names[group.name]
            self._names[name] = group
        for key, value in fields.items():
            setattr(group, key, value)
        group.update_time = self._now()

    def delete(self, group: StoredGroup) -> None:
        """Delete a group and its memberships."""
        del self._groups[group.id], self._names[group.name]
        for user_id in list(group.members):
            self._remove_member(group, user_id)

    def join(self, group_id: str, user_id: str) -> GroupState | None:
        """Join, or request to. Returns the new state, None if unchanged. ``GroupNotFound``, ``GroupFull``."""
        group = self._groups.get(group_id)
        if group is None:
            raise GroupNotFound(group_id)
        if group.edge_count >= group.max_count:
            raise GroupFull(group_id)
        if user_id in group.members:
            return None
        state = GroupState.MEMBER if group.open else GroupState.JOIN_REQUEST
        self._add_member(group, user_id, state)
        if group.open:
            self._count(group, 1)
        return state

    def leave(self, group_id: str, user_id: str) -> StoredGroup | None:
        """Leave, or withdraw a request. Returns the group, if the user had a state in it. ``LastSuperadmin``.

        When a superadmin leaves as the last member, the group is deleted.
        """
        group = self._groups.get(group_id)
        state = None if group is None else group.state_of(user_id)
        if group is None or state is None or state == GroupState.BANNED:
            return None
        if state == GroupState.SUPERADMIN and not group.others(user_id, GroupState.SUPERADMIN):
            if group.others(user_id, GroupState.ADMIN, GroupState.MEMBER):
                raise LastSuperadmin(group_id)
            self.delete(group)
            return group
        self._drop(group, user_id)
        return group

    def add(self, group_id: str, caller: str, user_ids: Iterable[str]) -> list[str]:
        """Add users and accept requests, all or none. Returns the new members.

        ``GroupPermissionDenied``, ``GroupUserNotFound``, ``GroupFull``.
        """
        group = self.allowed(group_id, caller)
        new: list[str] = []
        for user_id in user_ids:
            if user_id == caller or user_id in new:
                continue
            if self._accounts.get(user_id) is None:
                raise GroupUserNotFound(user_id)
            if group.state_of(user_id) in (None, GroupState.JOIN_REQUEST):
                new.append(user_id)
                if group.edge_count + len(new) > group.max_count:
                    raise GroupFull(group_id)
        for user_id in new:
            member = group.members.get(user_id)
            if member is None:
                self._add_member(group, user_id, GroupState.MEMBER)
            else:
                member.state = GroupState.MEMBER
            self._count(group, 1)
        return new

    def kick(self, group_id: str, caller: str, user_ids: Iterable[str], *, ban: bool = False) -> list[str]:
        """Remove users from a group, permanently with ``ban``. Returns those who were members.

        ``GroupPermissionDenied``. Superadmins may remove all users but themselves, admins members and requests.
        """
        group = self.allowed(group_id, caller)
        admin = bool(caller) and group.state_of(caller) == GroupState.ADMIN
        gone: list[str] = []
        for user_id in user_ids:
            state = group.state_of(user_id)
            if user_id == caller or state is None or (admin and state <= GroupState.ADMIN):
                continue
            if state == GroupState.SUPERADMIN and not group.others(user_id, GroupState.SUPERADMIN):
                continue
            if self._drop(group, user_id):
                gone.append(user_id)
            if ban:
                group.members[user_id] = GroupMember(user_id, GroupState.BANNED, self._position())
        return gone

    def promote(self, group_id: str, caller: str, user_ids: Iterable[str]) -> list[str]:
        """Promote members below the caller by one role; returns those. ``GroupPermissionDenied``."""
        group = self.allowed(group_id, caller)
        own = group.members[caller].state if caller else GroupState.SUPERADMIN
        changed = [
            member
            for user_id in user_ids
            if user_id != caller
            and (member := group.members.get(user_id)) is not None
            # Not to a role above the caller's; a request is not yet a member.
            and own < member.state <= GroupState.MEMBER
        ]
        for member in changed:
            member.state = GroupState(member.state - 1)
        return [member.user_id for member in changed]

    def demote(self, group_id: str, caller: str, user_ids: Iterable[str]) -> list[str]:
        """Demote members not above the caller by one role; returns those. ``GroupPermissionDenied``."""
        group = self.allowed(group_id, caller)
        own = group.members[caller].state if caller else GroupState.SUPERADMIN
        changed: list[str] = []
        for user_id in user_ids:
            member = group.members.get(user_id)
            if user_id == caller or member is None or not own <= member.state < GroupState.MEMBER:
                continue
            if own == GroupState.SUPERADMIN and not group.others(user_id, GroupState.SUPERADMIN):
                continue
            member.state = GroupState(member.state + 1)
            changed.append(user_id)
        return changed

    def members(self, group_id: str) -> list[GroupMember]:
        """Return all users of a group, in any state."""
        group = self._groups.get(group_id)
        return [] if group is None else list(group.members.values())

    def users(
        self, group_id: str, limit: int, state: int | None = None, cursor: str = ""
    ) -> tuple[list[GroupMember], str]:
        """Return a group's users by state, oldest first, bans only on request, and the cursor of the next page.

        ``InvalidCursor``. An unknown group has no users.
        """
        return self._page(self.members(group_id), limit, state, cursor)

    def of_user(
        self, user_id: str, limit: int, state: int | None = None, cursor: str = ""
    ) -> tuple[list[tuple[StoredGroup, GroupState]], str]:
        """Return the groups of a user with its role in each, in the order of ``users``. ``InvalidCursor``."""
        groups = self._of_user.get(user_id, {}).values()
        by_member = {id(group.members[user_id]): group for group in groups}
        members = [group.members[user_id] for group in groups]
        # A banned user no longer lists the group, but the group lists the user.
        listed = [member for member in members if member.state != GroupState.BANNED]
        page, following = self._page(listed, limit, state, cursor)
        return [(by_member[id(member)], member.state) for member in page], following

    @staticmethod
    def _page(
        members: Iterable[GroupMember], limit: int, state: int | None, cursor: str
    ) -> tuple[list[GroupMember], str]:
        place = cursors.decode(cursor, _EdgePlace) if cursor else _EdgePlace(-1, 0)
        if cursor and state is not None and state != place.state:
            raise cursors.InvalidCursor(cursor)
        found = sorted(
            (
                member
                for member in members
                if (member.state != GroupState.BANNED if state is None else member.state == state)
                and (member.state, member.position) >= place
            ),
            key=lambda member: (member.state, member.position),
        )
        following = found[limit : limit + 1]
        return found[:limit], "".join(cursors.encode(_EdgePlace(m.state, m.position)) for m in following)

    def page(self, wanted: GroupFilter, limit: int, cursor: str = "") -> tuple[list[StoredGroup], str]:
        """Return the groups that pass a filter, and the cursor of the next page. ``InvalidCursor``."""
        name = wanted.name.lstrip("% ")
        order = _ORDERS[wanted.open is not None, bool(wanted.lang_tag), wanted.members is not None]
        if name:
            order = _BY_NAME
        after = cursors.decode(cursor, _GroupPlace) if cursor else None

        def values(place: _GroupPlace, names: tuple[str, ...]) -> tuple[str | int, ...]:
            return tuple(getattr(place, column) for column in names)

        compared = order.after or order.order
        found: list[tuple[_GroupPlace, StoredGroup]] = []
        pattern = like(name) if name else None
        for group in self._groups.values():
            place = _place(group)
            if after is not None:
                here, there = values(place, compared), values(after, compared)
                if not (here > there if order.greater else here < there):
                    continue
            if self._lets_through(wanted, pattern, group):
                found.append((place, group))
        found.sort(key=lambda item: values(item[0], order.order), reverse=order.descending)
        page = [group for _, group in found[:limit]]
        return page, cursors.encode(_place(page[-1])) if len(found) > limit else ""

    @staticmethod
    def _lets_through(wanted: GroupFilter, pattern: Pattern | None, group: StoredGroup) -> bool:
        if pattern is not None:
            return pattern.fullmatch(group.name) is not None
        return (
            (wanted.open is None or group.open is wanted.open)
            and (not wanted.lang_tag or group.lang_tag == wanted.lang_tag)
            and (wanted.members is None or group.edge_count <= wanted.members)
        )

    def forget_user(self, user_id: str) -> None:
        """Remove a deleted user from its groups, and delete those that it alone led."""
        for group in list(self._of_user.get(user_id, {}).values()):
            last = group.edge_count == 1 or not group.others(user_id, GroupState.SUPERADMIN)
            if group.state_of(user_id) == GroupState.SUPERADMIN:
                if last:
                    self.delete(group)
                # A superadmin among others is not removed (``deleteRelationship`` looks for state > 0), but
                # no list shows a user without an account.
                continue
            self._drop(group, user_id)

    def _drop(self, group: StoredGroup, user_id: str) -> bool:
        """Remove a user; True if it was a member, and so counted."""
        member = self._remove_member(group, user_id)
        counted = member.state <= GroupState.MEMBER
        if counted:
            self._count(group, -1)
        return counted

    def _count(self, group: StoredGroup, change: int) -> None:
        group.edge_count += change
        group.update_time = self._now()

    def _add_member(self, group: StoredGroup, user_id: str, state: GroupState) -> None:
        group.members[user_id] = GroupMember(user_id, state, self._position())
        self._of_user.setdefault(user_id, {})[group.id] = group

    def _remove_member(self, group: StoredGroup, user_id: str) -> GroupMember:
        self._of_user.get(user_id, {}).pop(group.id, None)
        return group.members.pop(user_id)

    def _position(self) -> int:
        # Two edges of the same instant still have an order.
        self._last = max(self._last + 1, self._now())
        return self._last
