"""The storage engine: JSON objects by collection, key and owner."""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp


class ReadPermission(IntEnum):
    """Which clients may read an object."""

    NONE = 0
    OWNER = 1
    PUBLIC = 2


class WritePermission(IntEnum):
    """Which clients may write an object."""

    NONE = 0
    OWNER = 1


class StorageObject(TypedDict, Generic[D], total=False):
    """An object; ``version`` is the MD5 of its value as it was sent."""

    collection: str
    key: str
    user_id: str
    value: D
    version: str
    permission_read: int
    permission_write: int
    create_time: Timestamp
    update_time: Timestamp


class StorageObjects(TypedDict, Generic[D], total=False):
    """Objects that were asked for, in any order; those that may not be read are left out."""

    objects: list[StorageObject[D]]


class StorageObjectList(TypedDict, Generic[D], total=False):
    """A page of a collection."""

    objects: list[StorageObject[D]]
    cursor: str


class StorageObjectAck(TypedDict, total=False):
    """What was written; ``version`` is for the next conditional write."""

    collection: str
    key: str
    version: str
    user_id: str
    create_time: Timestamp
    update_time: Timestamp


class StorageObjectAcks(TypedDict, total=False):
    """One ack an object, in the order of the write."""

    acks: list[StorageObjectAck]


class ReadStorageObjectId(TypedDict, total=False):
    """An object to read; without ``user_id`` one of the server's own."""

    collection: str
    key: str
    user_id: str


class ReadStorageObjectsRequest(TypedDict, total=False):
    """Objects to read."""

    object_ids: list[ReadStorageObjectId]


class WriteStorageObject(TypedDict, Generic[D], total=False):
    """An object to write; ``value`` is a JSON object.

    ``version``: an earlier ack's (the object must be as it was then), ``"*"`` (there must be none) or none.
    """

    collection: str
    key: str
    value: D
    version: str
    permission_read: int
    permission_write: int


class WriteStorageObjectsRequest(TypedDict, Generic[D], total=False):
    """Objects to write, all or none."""

    objects: list[WriteStorageObject[D]]


class DeleteStorageObjectId(TypedDict, total=False):
    """An object of one's own to delete; with ``version`` only if it is as it was then."""

    collection: str
    key: str
    version: str


class DeleteStorageObjectsRequest(TypedDict, total=False):
    """Objects to delete, all or none."""

    object_ids: list[DeleteStorageObjectId]
