"""The storage engine: JSON objects by collection, key and owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.documents import with_text
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D, Empty, Json, JsonText
from nakama_bots.types.storage import (
    DeleteStorageObjectsRequest,
    ReadStorageObjectsRequest,
    StorageObjectAcks,
    StorageObjectList,
    StorageObjects,
    WriteStorageObject,
    WriteStorageObjectsRequest,
)

READ: Final = Route[StorageObjects[Any]]("POST", "/v2/storage", repeatable=True)
# A repeated conditional write meets the version that the first one made.
WRITE: Final = Route[StorageObjectAcks]("PUT", "/v2/storage", repeatable=False)
DELETE: Final = Route[Empty]("PUT", "/v2/storage/delete", repeatable=False)
LIST: Final = Route[StorageObjectList[Any]]("GET", "/v2/storage/{collection}")
LIST_OF_USER: Final = Route[StorageObjectList[Any]]("GET", "/v2/storage/{collection}/{user_id}")


class StorageFamily(Family[A], Generic[A, D]):
    """Read, list and delete objects.

    Unreadable objects are left out of an answer. A version that does not match is ``InvalidArgument``, and
    nothing of the batch is done.
    """

    def read_storage_objects(self, session: A, request: ReadStorageObjectsRequest) -> StorageObjects[D]:
        """Objects by collection, key and owner."""
        return self._by_token(READ, session, body=request)

    def delete_storage_objects(self, session: A, request: DeleteStorageObjectsRequest) -> Empty:
        """Delete the user's own objects."""
        return self._by_token(DELETE, session, body=request)

    def list_storage_objects(
        self,
        session: A,
        collection: str,
        user_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> StorageObjectList[D]:
        """A page of 1 to 100 (1 by default) of a user's objects; without a user, all public ones."""
        query = {"user_id": user_id, "limit": limit, "cursor": cursor}
        return self._by_token(LIST, session, (collection,), query)

    def list_storage_objects2(
        self,
        session: A,
        collection: str,
        user_id: str,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> StorageObjectList[D]:
        """``list_storage_objects`` with the user in the path."""
        return self._by_token(LIST_OF_USER, session, (collection, user_id), {"limit": limit, "cursor": cursor})


class StorageWrites(Family[A]):
    """Write objects."""

    def write_storage_objects(
        self, session: A, objects: Sequence[WriteStorageObject[Json]]
    ) -> StorageObjectAcks:
        """Write ``objects``, all or none; the acks hold the new versions."""
        return self._by_token(WRITE, session, body={"objects": [with_text(one, "value") for one in objects]})


class RawStorageWrites(Family[A]):
    """Write objects as the wire has them."""

    def write_storage_objects(
        self, session: A, request: WriteStorageObjectsRequest[JsonText]
    ) -> StorageObjectAcks:
        """See ``StorageWrites.write_storage_objects``."""
        return self._by_token(WRITE, session, body=request)
