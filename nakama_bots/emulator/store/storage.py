"""Storage objects: conditional writes, permissions, and lists. A batch is one transaction.

The rules are those of ``server/core_storage.go``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.documents import storable
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb, timestamp
from nakama_bots.emulator.store.limits import UNBOUNDED, Full

# Read permissions: the runtime only, the owner, all users. Write permissions: the runtime only, the owner.
NO_READ: Final = 0
OWNER_READ: Final = 1
PUBLIC_READ: Final = 2
NO_WRITE: Final = 0
OWNER_WRITE: Final = 1

# The version of a write for which the object must not exist yet.
IF_ABSENT: Final = "*"
# The longest name that the server's database columns accept, in characters.
_LONGEST: Final = 128
_SECOND: Final = 10**9
_MICRO: Final = 1000


class StorageRejected(Exception):
    """A batch refused as a whole; the message is the server's."""


class Unstorable(Exception):
    """A batch with a name or a value that the server's database refuses."""


class ObjectKey(NamedTuple):
    """The key of an object."""

    collection: str
    key: str
    user_id: str


@dataclass(frozen=True, slots=True)
class StorageWrite:
    """One write. ``version``: "" always, ``IF_ABSENT``, or the version that the object must have."""

    key: ObjectKey
    value: str
    version: str = ""
    permission_read: int = OWNER_READ
    permission_write: int = OWNER_WRITE


@dataclass(frozen=True, slots=True)
class StorageDelete:
    """One deletion; ``version``: "" always, or the version that the object must have."""

    key: ObjectKey
    version: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object. Times are Unix nanoseconds; ``value`` is as sent."""

    key: ObjectKey
    value: str
    version: str
    permission_read: int
    permission_write: int
    create_time: int
    update_time: int

    def readable_by(self, user_id: str) -> bool:
        """True if a user may read it; "" is the runtime."""
        if not user_id:
            return True
        own = self.key.user_id == user_id
        return self.permission_read >= (OWNER_READ if own else PUBLIC_READ)

    def wire(self) -> JsonObject:
        """Return Nakama's ``StoredObject``: the value through PostgreSQL, times in whole seconds."""
        fields: JsonObject = {
            **self.key._asdict(),
            "value": jsonb(self.value),
            "version": self.version,
            "permission_read": self.permission_read,
            "permission_write": self.permission_write,
            "create_time": timestamp(self.create_time // _SECOND * _SECOND),
            "update_time": timestamp(self.update_time // _SECOND * _SECOND),
        }
        return {name: value for name, value in fields.items() if value}

    def ack(self) -> JsonObject:
        """Nakama's ``StorageObjectAck``, with microseconds."""
        return {
            **self.key._asdict(),
            "version": self.version,
            "create_time": timestamp(self.create_time // _MICRO * _MICRO),
            "update_time": timestamp(self.update_time // _MICRO * _MICRO),
        }


class _ObjectPlace(NamedTuple):
    """The end of a page. A cursor of one kind of list works in another, which reads only its part."""

    key: str
    user_id: str
    read: int


# The sort keys of lists, and the parts of a cursor that they read: the caller's objects, another user's public
# ones, all users' public ones, and the runtime's list of all users' objects.
_ORDERS: Final[dict[str, Callable[[_ObjectPlace], tuple[int | str, ...]]]] = {
    "own": lambda place: (place.read, place.key),
    "other": lambda place: (place.key,),
    "public": lambda place: (place.key, place.user_id),
    "all": lambda place: (place.read, place.key, place.user_id),
}


class Storage:
    """All objects. ``now``: Unix nanoseconds; ``most``: the most objects."""

    def __init__(self, now: Callable[[], int], most: int = UNBOUNDED.objects) -> None:
        self._now = now
        self._most = most
        self._count = 0
        self._collections: dict[str, dict[ObjectKey, StoredObject]] = {}

    def get(self, key: ObjectKey) -> StoredObject | None:
        """Return the object of that key, without a permission check."""
        return self._collections.get(key.collection, {}).get(key)

    def read(self, user_id: str, keys: Iterable[ObjectKey]) -> list[StoredObject]:
        """Return the existing objects that the user may read, each once; "": the runtime."""
        found = [self.get(key) for key in dict.fromkeys(keys)]
        return [one for one in found if one is not None and one.readable_by(user_id)]

    def write(self, writes: list[StorageWrite], *, authoritative: bool = False) -> list[StoredObject]:
        """Write objects, all or none; returns the results. ``StorageRejected``, ``Unstorable``, ``Full``.

        ``authoritative``: permissions are not checked.
        """
        # As the server does: in the order of their names, so a duplicate is written twice.
        ordered = sorted(range(len(writes)), key=lambda index: writes[index].key)
        changed: dict[ObjectKey, StoredObject] = {}
        results: dict[int, StoredObject] = {}
        for index in ordered:
            write = writes[index]
            before = changed.get(write.key) or self.get(write.key)
            results[index] = changed[write.key] = self._written(write, before, authoritative=authoritative)
        count = self._count + sum(self.get(key) is None for key in changed)
        if count > self._most:
            raise Full("objects", self._most)
        self._count = count
        for key, written in changed.items():
            self._collections.setdefault(key.collection, {})[key] = written
        return [results[index] for index in range(len(writes))]

    def _written(
        self, write: StorageWrite, before: StoredObject | None, *, authoritative: bool
    ) -> StoredObject:
        if not storable(write.value):
            raise Unstorable(write.key)
        now = self._now()
        version = hashlib.md5(write.value.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
        created = now
        if before is None:
            if write.version not in ("", IF_ABSENT):
                raise _version_check()
            # An update only looks up the name; only a new row must fit it.
            if max(len(write.key.collection), len(write.key.key)) > _LONGEST:
                raise Unstorable(write.key)
        else:
            if write.version == IF_ABSENT:
                raise _version_check()
            if not authoritative and before.permission_write != OWNER_WRITE:
                msg = "Storage write rejected - permission denied."
                raise StorageRejected(msg)
            if write.version and write.version != before.version:
                raise _version_check()
            unchanged = (version, write.permission_read, write.permission_write) == (
                before.version,
                before.permission_read,
                before.permission_write,
            )
            if unchanged and not write.version:
                return before
            created = before.create_time
        return StoredObject(
            write.key, write.value, version, write.permission_read, write.permission_write, created, now
        )

    def delete(self, deletes: Iterable[StorageDelete], *, authoritative: bool = False) -> None:
        """Delete objects, all or none. ``StorageRejected``.

        ``authoritative``: permissions are not checked, and missing objects are ignored.
        """
        gone: dict[ObjectKey, StoredObject] = {}
        for delete in sorted(deletes, key=attrgetter("key")):
            before = None if delete.key in gone else self.get(delete.key)
            rejected = (
                before is None
                or (delete.version and delete.version != before.version)
                or (not authoritative and before.permission_write == NO_WRITE)
            )
            if rejected and not (authoritative and not delete.version):
                msg = "Storage delete rejected - not found, version check failed, or permission denied."
                raise StorageRejected(msg)
            if before is not None:
                gone[delete.key] = before
        self._remove(gone)

    def page(
        self, caller: str, collection: str, owner: str | None, limit: int, cursor: str = ""
    ) -> tuple[list[StoredObject], str]:
        """Return what ``caller`` ("": the runtime) may read of a collection, and the cursor of the next page.

        ``owner`` None: objects of all users. ``InvalidCursor``. Readable by the owner comes before public.
        """
        after = cursors.decode(cursor, _ObjectPlace) if cursor else None
        found = [
            stored
            for stored in self._collections.get(collection, {}).values()
            if (owner is None or stored.key.user_id == owner)
            # A list of all users' objects omits even the caller's private ones.
            and (stored.readable_by(caller) if owner is not None else _listed(stored, caller))
        ]

        if owner is None:
            order = _ORDERS["public" if caller else "all"]
        else:
            order = _ORDERS["own" if caller in ("", owner) else "other"]

        def place(stored: StoredObject) -> tuple[int | str, ...]:
            return order(_ObjectPlace(stored.key.key, stored.key.user_id, stored.permission_read))

        if after is not None:
            found = [one for one in found if place(one) > order(after)]
        found.sort(key=place)
        page = found[:limit]
        if len(found) <= limit:
            return page, ""
        last = page[-1]
        return page, cursors.encode(_ObjectPlace(last.key.key, last.key.user_id, last.permission_read))

    def put(self, stored: StoredObject) -> None:
        """Restore an object unchanged."""
        self._count += self.get(stored.key) is None
        self._collections.setdefault(stored.key.collection, {})[stored.key] = stored

    def of_user(self, user_id: str) -> list[StoredObject]:
        """Return all objects of a user."""
        return [
            one
            for objects in self._collections.values()
            for key, one in objects.items()
            if key.user_id == user_id
        ]

    def snapshot(self) -> dict[str, dict[ObjectKey, StoredObject]]:
        """Return the current objects, for ``restore``."""
        return {name: dict(objects) for name, objects in self._collections.items()}

    def restore(self, snapshot: dict[str, dict[ObjectKey, StoredObject]]) -> None:
        """Undo all changes since ``snapshot``."""
        self._collections = snapshot
        self._count = sum(map(len, snapshot.values()))

    def forget_user(self, user_id: str) -> None:
        """Delete all objects of a deleted user."""
        self._remove(
            [key for objects in self._collections.values() for key in objects if key.user_id == user_id]
        )

    def _remove(self, keys: Collection[ObjectKey]) -> None:
        for key in keys:
            objects = self._collections[key.collection]
            del objects[key]
            if not objects:
                del self._collections[key.collection]
        self._count -= len(keys)


def _listed(stored: StoredObject, caller: str) -> bool:
    return not caller or stored.permission_read >= PUBLIC_READ


def _version_check() -> StorageRejected:
    return StorageRejected("Storage write rejected - version check failed.")
