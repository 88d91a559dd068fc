"""Groups against a model: a table of member states, and the rules of the documentation."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nakama_bots.emulator.store.accounts import Accounts, StoredAccount
from nakama_bots.emulator.store.groups import (
    GroupFilter,
    GroupFull,
    GroupNameInUse,
    GroupPermissionDenied,
    Groups,
    GroupState,
    LastSuperadmin,
)

NAMES = ("a", "b", "c", "d", "e")
USERS = st.sampled_from(NAMES)
SUPERADMIN, ADMIN, MEMBER, REQUEST, BANNED = range(5)


class GroupsMachine(RuleBasedStateMachine):
    """One group at a time; ``self.state``: user -> state, None without a group."""

    @initialize(
        is_open=st.booleans(),
        most=st.integers(1, 5),
        states=st.lists(st.sampled_from((ADMIN, MEMBER, SUPERADMIN)), max_size=3),
    )
    def start(self, is_open: bool, most: int, states: list[int]) -> None:
        self.accounts = Accounts(0)
        for name in NAMES:
            self.accounts.add(StoredAccount(name, name, 0, 0))
        numbers = itertools.count()
        self.groups = Groups(self.accounts, lambda: 1, lambda: f"group{next(numbers)}")
        self.state: dict[str, int] | None = None
        self.create("a", is_open, most)
        for user, state in zip(NAMES[1:], states[: most - 1], strict=False):
            self.add("a", [user])
            for _ in range(MEMBER - state):
                self.promote("a", user)

    def known(self) -> dict[str, int]:
        return {} if self.state is None else self.state

    def members(self) -> int:
        return sum(state <= MEMBER for state in self.known().values())

    def may(self, user: str, lowest: int = ADMIN) -> bool:
        return self.known().get(user, BANNED) <= lowest

    def others(self, user: str, *states: int) -> int:
        return sum(s in states for u, s in self.known().items() if u != user)

    @precondition(lambda self: self.state is None)
    @rule(user=USERS, is_open=st.booleans(), most=st.integers(1, 4))
    def create(self, user: str, is_open: bool, most: int) -> None:
        self.id = self.groups.create(user, "guild", max_count=most, open=is_open).id
        self.state, self.open, self.most = {user: SUPERADMIN}, is_open, most

    @precondition(lambda self: self.state is not None)
    @rule(user=USERS)
    def the_name_is_taken(self, user: str) -> None:
        try:
            self.groups.create(user, "guild")
        except GroupNameInUse:
            return
        raise AssertionError

    @precondition(lambda self: self.state is not None)
    @rule(user=USERS)
    def join(self, user: str) -> None:
        assert self.state is not None
        try:
            state = self.groups.join(self.id, user)
        except GroupFull:
            assert self.members() >= self.most
            return
        assert self.members() < self.most
        if user in self.state:
            assert state is None
        else:
            self.state[user] = MEMBER if self.open else REQUEST
            assert state == self.state[user]

    @rule(user=USERS)
    def leave(self, user: str) -> None:
        try:
            self.groups.leave(self.id, user)
        except LastSuperadmin:
            assert self.known()[user] == SUPERADMIN
            assert not self.others(user, SUPERADMIN)
            assert self.others(user, ADMIN, MEMBER)
            return
        if self.known().get(user, BANNED) == BANNED:
            return
        assert self.state is not None
        if self.state[user] == SUPERADMIN and not self.others(user, SUPERADMIN, ADMIN, MEMBER):
            self.state = None
        else:
            del self.state[user]

    @rule(caller=USERS, chosen=st.lists(USERS, max_size=3))
    def add(self, caller: str, chosen: list[str]) -> None:
        known = self.known()
        new = list(dict.fromkeys(u for u in chosen if u != caller and known.get(u, REQUEST) == REQUEST))
        try:
            added = self.groups.add(self.id, caller, chosen)
        except GroupPermissionDenied:
            assert not self.may(caller)
        except GroupFull:
            assert self.members() + len(new) > self.most
        else:
            assert self.may(caller)
            assert self.members() + len(new) <= self.most
            assert added == new
            known.update(dict.fromkeys(new, MEMBER))

    @rule(caller=USERS, user=USERS, ban=st.booleans())
    def kick(self, caller: str, user: str, ban: bool) -> None:
        try:
            gone = self.groups.kick(self.id, caller, [user], ban=ban)
        except GroupPermissionDenied:
            assert not self.may(caller)
            return
        assert self.state is not None
        state = self.state.get(user)
        # The caller must rank above the kicked user, or both are superadmins.
        removable = state is not None and user != caller
        if self.state[caller] == ADMIN and state in (SUPERADMIN, ADMIN):
            removable = False
        if not removable:
            assert gone == []
            return
        assert state is not None
        assert gone == ([user] if state <= MEMBER else [])
        del self.state[user]
        if ban:
            self.state[user] = BANNED

    @rule(caller=USERS, user=USERS)
    def promote(self, caller: str, user: str) -> None:
        try:
            changed = self.groups.promote(self.id, caller, [user])
        except GroupPermissionDenied:
            assert not self.may(caller)
            return
        assert self.state is not None
        state = self.state.get(user, BANNED)
        if user != caller and self.state[caller] < state <= MEMBER:
            self.state[user] = state - 1
            assert changed == [user]
        else:
            assert changed == []

    @rule(caller=USERS, user=USERS)
    def demote(self, caller: str, user: str) -> None:
        try:
            changed = self.groups.demote(self.id, caller, [user])
        except GroupPermissionDenied:
            assert not self.may(caller)
            return
        assert self.state is not None
        state = self.state.get(user, BANNED)
        if user != caller and self.state[caller] <= state < MEMBER:
            self.state[user] = state + 1
            assert changed == [user]
        else:
            assert changed == []

    @rule(caller=USERS)
    def delete(self, caller: str) -> None:
        try:
            group = self.groups.allowed(self.id, caller, GroupState.SUPERADMIN)
        except GroupPermissionDenied:
            assert not self.may(caller, SUPERADMIN)
            return
        self.groups.delete(group)
        self.state = None

    @invariant()
    def members_are_those_of_the_model(self) -> None:
        group = self.groups.get(self.id)
        assert (group is None) == (self.state is None)
        listed = {m.user_id: int(m.state) for m in self.groups.users(self.id, 100)[0]}
        banned = {m.user_id: int(m.state) for m in self.groups.users(self.id, 100, BANNED)[0]}
        assert {**listed, **banned} == self.known()
        assert set(banned) == {u for u, s in self.known().items() if s == BANNED}
        if group is not None:
            assert group.edge_count == self.members() <= max(self.most, 1)
            assert self.others("", SUPERADMIN) >= 1

    @invariant()
    def users_know_their_groups(self) -> None:
        for user in NAMES:
            groups, cursor = self.groups.of_user(user, 100)
            state = self.known().get(user, BANNED)
            assert cursor == ""
            assert [int(s) for _, s in groups] == ([state] if state != BANNED else [])

    @invariant()
    def the_list_contains_the_group(self) -> None:
        for wanted, fits in (
            (GroupFilter(), True),
            (GroupFilter(name="g_il%"), True),
            (GroupFilter(name="other"), False),
            (GroupFilter(open=self.open), True),
            (GroupFilter(open=not self.open), False),
            (GroupFilter(members=self.members()), True),
            (GroupFilter(members=self.members() - 1), False),
            (GroupFilter(lang_tag="en", open=self.open, members=100), True),
        ):
            groups, cursor = self.groups.page(wanted, 10)
            assert ([g.id for g in groups], cursor) == (
                [self.id] if fits and self.state is not None else [],
                "",
            )


TestGroups = GroupsMachine.TestCase
TestGroups.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
