"""Storage against a model: a dict of rows, and a batch that works on a copy."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nakama_bots.emulator.store.storage import (
    ObjectKey,
    Storage,
    StorageDelete,
    StorageRejected,
    StorageWrite,
)

USERS = ("a", "b")
KEYS = st.sampled_from(("k1", "k2"))
VALUES = st.sampled_from(('{"n":1}', "{}"))
# The version of a write: none, "*" (no such object), the stored one before the batch, another one.
VERSIONS = st.sampled_from(("", "", "*", "current", "current", "current", "another"))


@dataclass
class Row:
    value: str
    read: int
    write: int
    created: int
    updated: int

    @property
    def version(self) -> str:
        return hashlib.md5(self.value.encode()).hexdigest()


Write = tuple[str, str, str, int, int]
Rows = dict[tuple[str, str], Row]
WRITES = st.tuples(KEYS, VALUES, VERSIONS, st.sampled_from((1, 1, 0, 2)), st.sampled_from((1, 1, 1, 0)))


class StorageMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.time = 1
        self.storage = Storage(lambda: self.time)
        self.rows: Rows = {}

    @staticmethod
    def key(user: str, key: str) -> ObjectKey:
        return ObjectKey("saves", key, user)

    def version(self, user: str, key: str, word: str) -> str:
        row = self.rows.get((user, key))
        return {"current": row.version if row else "", "another": "0" * 32}.get(word, word)

    @rule(user=st.sampled_from(USERS), writes=st.lists(WRITES, max_size=3), authoritative=st.booleans())
    def write(self, user: str, writes: list[Write], authoritative: bool) -> None:
        self.time += 1
        writes = [(k, value, self.version(user, k, v), *rest) for k, value, v, *rest in writes]
        rows = copy.deepcopy(self.rows)
        # A batch runs in the order of the keys; equal keys keep their order.
        done = all(
            self.write_one(rows, user, write, authoritative)
            for write in sorted(writes, key=lambda write: write[0])
        )
        batch = [StorageWrite(self.key(user, k), value, v, read, w) for k, value, v, read, w in writes]
        try:
            acks = self.storage.write(batch, authoritative=authoritative)
        except StorageRejected:
            assert not done
            return
        assert done
        self.rows = rows
        assert [(ack.key.key, ack.value) for ack in acks] == [(k, value) for k, value, *_ in writes]

    def write_one(self, rows: Rows, user: str, write: Write, authoritative: bool) -> bool:
        key, value, version, read, permission = write
        row = rows.get((user, key))
        if row is None:
            if version not in ("", "*"):
                return False
            rows[user, key] = Row(value, read, permission, self.time, self.time)
            return True
        if version == "*" or (version and version != row.version) or (row.write == 0 and not authoritative):
            return False
        if (row.value, row.read, row.write) != (value, read, permission) or version:
            rows[user, key] = Row(value, read, permission, row.created, self.time)
        return True

    @rule(
        user=st.sampled_from(USERS),
        deletes=st.lists(st.tuples(KEYS, VERSIONS), max_size=2),
        authoritative=st.booleans(),
    )
    def delete(self, user: str, deletes: list[tuple[str, str]], authoritative: bool) -> None:
        deletes = [(key, self.version(user, key, version)) for key, version in deletes]
        rows = copy.deepcopy(self.rows)
        done = True
        for key, version in sorted(deletes, key=lambda delete: delete[0]):
            row = rows.get((user, key))
            fits = row is not None and version in ("", row.version) and (authoritative or row.write == 1)
            if fits:
                del rows[user, key]
            elif not authoritative or version:
                done = False
                break
        try:
            self.storage.delete(
                [StorageDelete(self.key(user, key), version) for key, version in deletes],
                authoritative=authoritative,
            )
        except StorageRejected:
            assert not done
            return
        assert done
        self.rows = rows

    @invariant()
    def objects_match_the_model(self) -> None:
        keys = [self.key(user, key) for user in USERS for key in ("k1", "k2")]
        found = self.storage.read("", [*keys, *keys])
        assert {
            (one.key.user_id, one.key.key): (
                one.value,
                one.version,
                one.permission_read,
                one.permission_write,
                one.create_time,
                one.update_time,
            )
            for one in found
        } == {
            name: (row.value, row.version, row.read, row.write, row.created, row.updated)
            for name, row in self.rows.items()
        }
        assert len(found) == len(self.rows)

    @invariant()
    def readers_see_permitted_objects(self) -> None:
        for reader in USERS:
            keys = [self.key(user, key) for user in USERS for key in ("k1", "k2")]
            seen = {(one.key.user_id, one.key.key) for one in self.storage.read(reader, keys)}
            assert seen == {
                (user, key)
                for (user, key), row in self.rows.items()
                if row.read >= (1 if user == reader else 2)
            }

    @invariant()
    def pages_add_up_to_the_list(self) -> None:
        for caller, owner in ((c, o) for c in ("", *USERS) for o in (None, *USERS)):
            lowest = 0 if not caller else 1 if owner == caller else 2
            expected = sorted(
                (row.read, key, user)
                for (user, key), row in self.rows.items()
                if owner in (None, user) and row.read >= lowest
            )
            paged: list[tuple[int, str, str]] = []
            cursor = ""
            for _ in range(8):
                page, cursor = self.storage.page(caller, "saves", owner, 2, cursor)
                paged += [(one.permission_read, one.key.key, one.key.user_id) for one in page]
                if not cursor:
                    break
            assert paged == expected


TestStorage = StorageMachine.TestCase
TestStorage.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
