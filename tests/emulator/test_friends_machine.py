"""Friends against a model: the relation of two users as one word."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nakama_bots.emulator.store.accounts import Accounts, StoredAccount
from nakama_bots.emulator.store.friends import Friends
from nakama_bots.types.friends import FriendState

NAMES = ("a", "b", "c", "d")
USERS = st.sampled_from(NAMES)
# The state of the second of a pair as the first sees it.
SEEN = {
    "sent": FriendState.INVITE_SENT,
    "received": FriendState.INVITE_RECEIVED,
    "friends": FriendState.FRIEND,
    "blocks": FriendState.BLOCKED,
    "both block": FriendState.BLOCKED,
}
TURNED = {"sent": "received", "received": "sent", "friends": "friends", "both block": "both block"}


class FriendsMachine(RuleBasedStateMachine):
    """``self.pairs``: (first, second) -> the word, for each ordered pair with a relation.

    "blocks": the first blocks the second; "blocked": the other way round, and the first sees nothing.
    """

    @initialize()
    def start(self) -> None:
        self.time = 1
        self.accounts = Accounts(0)
        for name in NAMES:
            self.accounts.add(StoredAccount(name, name, 0, 0))
        self.friends = Friends(self.accounts, lambda: self.time)
        self.pairs: dict[tuple[str, str], str] = {}

    def set_pair(self, first: str, second: str, word: str) -> None:
        """Set both sides of a pair; "" for nothing."""
        other = {"blocks": "blocked", "blocked": "blocks", "": ""}.get(word) or TURNED.get(word, "")
        for pair, value in (((first, second), word), ((second, first), other)):
            if value:
                self.pairs[pair] = value
            else:
                self.pairs.pop(pair, None)

    @rule(me=USERS, other=USERS)
    def add(self, me: str, other: str) -> None:
        if me == other:
            return
        result = self.friends.add(me, [other])
        before = self.pairs.get((me, other), "")
        if before == "":
            self.set_pair(me, other, "sent")
            assert result == {other: False}
        elif before == "received":
            self.set_pair(me, other, "friends")
            assert result == {other: True}
        else:
            assert result == {}

    @rule(me=USERS, other=USERS)
    def delete(self, me: str, other: str) -> None:
        if me == other:
            return
        result = self.friends.delete(me, [other])
        before = self.pairs.get((me, other), "")
        if before in ("sent", "received", "friends"):
            self.set_pair(me, other, "")
            assert result == [other]
            return
        assert result == []
        if before == "blocks":
            self.set_pair(me, other, "")
        elif before == "both block":
            self.set_pair(me, other, "blocked")

    @rule(me=USERS, other=USERS)
    def block(self, me: str, other: str) -> None:
        if me == other:
            return
        assert self.friends.block(me, [other]) == [other]
        before = self.pairs.get((me, other), "")
        self.set_pair(me, other, "both block" if before in ("blocked", "both block") else "blocks")

    @rule()
    def wait(self) -> None:
        self.time += 1

    @rule(me=USERS)
    def unknown_user(self, me: str) -> None:
        assert self.friends.add(me, ["nobody"]) == {}
        assert self.friends.block(me, ["nobody"]) == []
        assert self.friends.delete(me, ["nobody"]) == []

    @invariant()
    def users_see_the_states_of_the_model(self) -> None:
        for me in NAMES:
            seen = {edge.user_id: edge.state for edge in self.friends.page(me, 100)[0]}
            assert seen == {
                second: SEEN[word]
                for (first, second), word in self.pairs.items()
                if first == me and word != "blocked"
            }
            account = self.accounts.get(me)
            assert account is not None
            assert account.edge_count == len(seen)

    @invariant()
    def pages_add_up_to_the_list(self) -> None:
        for me in NAMES:
            whole = [edge.user_id for edge in self.friends.page(me, 100)[0]]
            paged: list[str] = []
            cursor = ""
            for _ in range(len(NAMES) + 1):
                page, cursor = self.friends.page(me, 1, None, cursor)
                paged += [edge.user_id for edge in page]
                if not cursor:
                    break
            assert paged == whole
            by_state = [e.user_id for state in range(4) for e in self.friends.page(me, 100, state)[0]]
            assert by_state == whole

    @invariant()
    def friends_of_friends_are_those_of_the_model(self) -> None:
        def friends(me: str) -> set[str]:
            return {b for (a, b), word in self.pairs.items() if a == me and word == "friends"}

        for me in NAMES:
            found, _ = self.friends.friends_of_friends(me, 100)
            assert {(one.referrer, one.user_id) for one in found} == {
                (friend, other)
                for friend in friends(me)
                for other in friends(friend)
                if other != me and other not in friends(me)
            }


TestFriends = FriendsMachine.TestCase
TestFriends.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
