"""Storage objects, and several writes in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.nk.accounts import apply_changes, check_changes, read_changes
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    Field,
    FunctionFamily,
    Table,
    changeset_field,
    document_field,
    fail,
    flag,
    id_field,
    identifier,
    integer,
    loaded,
    number_field,
    optional_text,
    rows,
    seconds,
    table,
    text_field,
)
from nakama_bots.emulator.runtime.nk.wallets import change_wallets
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.storage import (
    ObjectKey,
    StorageDelete,
    StorageRejected,
    StorageWrite,
    StoredObject,
    Unstorable,
)

_KEY: Final[dict[str, Field]] = {"collection": text_field, "key": text_field, "user_id": id_field}
_DELETE: Final[dict[str, Field]] = {**_KEY, "version": text_field}
_WRITE: Final[dict[str, Field]] = {
    **_DELETE,
    "value": document_field,
    "permission_read": number_field,
    "permission_write": number_field,
}
_NAMED: Final = ("collection", "key")
_WALLET: Final[dict[str, Field]] = {
    "user_id": id_field,
    "changeset": changeset_field,
    "metadata": document_field,
}


def _key(row: dict[str, Any]) -> ObjectKey:
    return ObjectKey(row["collection"], row["key"], row.get("user_id", SYSTEM_USER_ID))


def shown(stored: StoredObject) -> JsonObject:
    """Return an object as a module receives it; the server's objects have the nil UUID as owner."""
    return {
        **stored.key._asdict(),
        "value": loaded(jsonb(stored.value)),
        "version": stored.version,
        "permission_read": stored.permission_read,
        "permission_write": stored.permission_write,
        "create_time": seconds(stored.create_time),
        "update_time": seconds(stored.update_time),
    }


def _writes(number: int, given: Table | None) -> list[StorageWrite]:
    return [
        StorageWrite(
            _key(row),
            row["value"],
            row.get("version", ""),
            row.get("permission_read", 1),
            row.get("permission_write", 1),
        )
        for row in rows(number, given, "expects a valid set of data", _WRITE, (*_NAMED, "value"))
    ]


def _deletes(number: int, given: Table | None) -> list[StorageDelete]:
    reason = "expects a valid set of object IDs"
    return [
        StorageDelete(_key(row), row.get("version", "")) for row in rows(number, given, reason, _DELETE, _NAMED)
    ]


def _acks(written: list[StoredObject]) -> list[JsonObject]:
    return [{**one.key._asdict(), "version": one.version} for one in written]


class StorageFunctions(FunctionFamily):
    """Storage. An object is named by ``collection``, ``key`` and ``user_id`` (absent: the server's)."""

    def storage_read(self, object_ids: Table) -> list[JsonObject]:
        """Return the existing objects of these names, without a permission check."""
        keys = rows(1, object_ids, "expects a valid set of keys", _KEY, _NAMED)
        return [shown(one) for one in self.core.storage.read("", map(_key, keys))]

    def storage_write(self, objects: Table) -> list[JsonObject]:
        """Write objects, all or none: ``value`` (a table), ``version``, ``permission_read``, ``.._write``."""
        return _acks(self.__write(_writes(1, objects), "failed to write storage objects"))

    def __write(self, writes: list[StorageWrite], doing: str) -> list[StoredObject]:
        try:
            return self.core.storage.write(writes, authoritative=True)
        except StorageRejected as error:
            raise fail(f"{doing}: {error}") from None
        except Unstorable:
            raise fail(f"{doing}: the database does not take a name or a value") from None

    def storage_write_retry(
        self, object_ids: Table, update: Callable[[list[JsonObject]], Any], max_retries: int
    ) -> list[JsonObject]:
        """Read objects, let ``update`` build the writes, and write them; retry on a conflict."""
        table(1, object_ids)
        if not callable(update):
            raise ArgumentError(2, "function expected, got nil")
        retries = integer(3, max_retries)
        if not 0 <= retries <= 10:
            raise ArgumentError(3, "max retries must be a value between 0 and 10")
        keys = [_key(row) for row in rows(1, object_ids, "expects a valid set of keys", _KEY, _NAMED)]
        doing = "failed to write storage objects with retry"
        for _ in range(retries + 1):
            found = self.core.storage.read("", keys)
            try:
                given = update([shown(one) for one in found])
            except RuntimeFunctionError as error:
                raise fail(f"{doing}: update function error: {error.message}") from None
            if not isinstance(given, dict | list):
                raise fail(f"{doing}: update function error: expects to return a valid table")
            writes = _writes(1, given)
            versions = {one.key: one.version for one in found}
            if all(self.__version(one.key) == versions.get(one.key, "") for one in writes):
                return _acks(self.__write(writes, doing))
        raise fail(f"{doing}: Storage write retries exhausted.")

    def __version(self, key: ObjectKey) -> str:
        stored = self.core.storage.get(key)
        return "" if stored is None else stored.version

    def storage_delete(self, object_ids: Table) -> None:
        """Delete objects, all or none; ``version``: only if it still has that."""
        self.__delete(_deletes(1, object_ids), "failed to remove storage")

    def __delete(self, deletes: list[StorageDelete], doing: str) -> None:
        try:
            self.core.storage.delete(deletes, authoritative=True)
        except StorageRejected as error:
            raise fail(f"{doing}: {error}") from None

    def storage_list(
        self,
        user_id: str | None = None,
        collection: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        caller_id: str | None = None,
    ) -> tuple[list[JsonObject], str | None]:
        """Return objects of a collection, of one user or of all, and the cursor of the next page.

        ``caller_id``: only what that user may read.
        """
        number = integer(3, limit)
        if number < 0:
            raise ArgumentError(3, "limit must not be negative")
        owner = identifier(1, user_id, "expects empty or a valid user ID") if user_id else None
        reason = "expects caller ID to be empty or a valid identifier"
        caller = identifier(5, caller_id, reason) if caller_id else ""
        place, wanted = optional_text(4, cursor), optional_text(2, collection)
        try:
            page, following = self.core.storage.page(caller, wanted, owner, number, place)
        except InvalidCursor:
            raise fail("failed to list storage objects: Malformed cursor was used.") from None
        return [shown(one) for one in page], following or None

    def multi_update(
        self,
        account_updates: Table | None = None,
        storage_writes: Table | None = None,
        storage_deletes: Table | None = None,
        wallet_updates: Table | None = None,
        update_ledger: bool | None = None,
    ) -> tuple[list[JsonObject] | None, list[JsonObject] | None]:
        """Change accounts, write and delete objects and change wallets, all or none."""
        accounts = read_changes(1, account_updates)
        writes = _writes(2, storage_writes or [])
        deletes = _deletes(3, storage_deletes or [])
        changes = rows(4, wallet_updates or [], "expects a valid set of updates", _WALLET, ("changeset",))
        ledger, doing = flag(5, update_ledger), "error running multi update"
        undo = self.core.storage.snapshot()
        try:
            written = self.__write(writes, doing) if writes else []
            self.__delete(deletes, doing)
            check_changes(self.core, accounts, doing)
            results = change_wallets(self.core, changes, doing, ledger=ledger)
        except RuntimeFunctionError:
            self.core.storage.restore(undo)
            raise
        apply_changes(self.core, accounts)
        return _acks(written) or None, results or None
