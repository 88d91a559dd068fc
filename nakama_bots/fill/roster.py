"""Decides which filler may use which bot, so that no bot is used twice, on one machine or on several."""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError, InvalidArgument
from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.types.common import Json
from nakama_bots.types.storage import ReadStorageObjectsRequest, WriteStorageObject

# struct flock of 64-bit Linux: type, whence, start, length, pid; an OFD lock wants pid 0.
_FLOCK: Final = struct.Struct("hhqqi4x")
COLLECTION: Final = "nakama_bots_roster"
_MOST_SLOTS: Final = 1000


class Roster:
    """A file whose n-th byte stands for bot n, locked by the filler that uses it.

    The kernel releases the locks of a killed process at once, so nothing has to expire or be repaired.
    The locks are independent of the content: the file holds the ids of the accounts, for the cleanup.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
            self._noted = set(path.read_text(encoding="utf-8", errors="replace").split("\n"))
        except OSError as error:
            raise ConfigError("--roster", str(path), f"a writable file ({error.strerror})") from None
        self._held: set[int] = set()

    def take(self, most: int) -> int | None:
        """Lock the lowest unused bot below ``most``, so that a restart uses the same accounts again."""
        for number in range(most):
            if number not in self._held and self._lock(number, fcntl.F_WRLCK):
                self._held.add(number)
                return number
        return None

    def release(self, number: int) -> None:
        """Release bot ``number`` for other fillers."""
        self._held.discard(number)
        self._lock(number, fcntl.F_UNLCK)

    def note(self, device_id: str) -> None:
        """Write down that the account is used."""
        if device_id not in self._noted:
            self._noted.add(device_id)
            os.write(self._file, f"{device_id}\n".encode())

    def close(self) -> None:
        """Release all bots."""
        os.close(self._file)

    def _lock(self, number: int, kind: int) -> bool:
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, number, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True


class SlotLease:
    """A separate worker index for each machine: the object ``slot-N`` of an account that fillers share.

    Taken and renewed by conditional writes; a slot that is not renewed for ``seconds`` may be taken by another.
    ``now`` returns Unix seconds, which the machines must agree on to a fraction of ``seconds``.
    """

    def __init__(
        self,
        client: Client,
        session: Session,
        holder: str,
        seconds: float = 30.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._session = session
        self._holder = holder
        self._now = now
        # A version is the hash of the value: without this, two fillers that write the same would both succeed.
        self._instance = secrets.token_hex(8)
        self._version = "*"
        self.seconds = seconds
        self.slot = -1

    def take(self) -> int:
        """Take the lowest slot that is free, has expired, or was held by this filler before it was killed."""
        for slot in range(_MOST_SLOTS):
            found = self._client.read_storage_objects(self._session, self._request(slot)).get("objects", [])
            value = found[0]["value"] if found else None
            if isinstance(value, dict):
                until, holder = value.get("until", 0), value.get("holder")
                if holder != self._holder and isinstance(until, int | float) and until > self._now():
                    continue
            # "*" writes only if the object does not exist; a version only if the object is unchanged.
            self._version = found[0]["version"] if found else "*"
            if self._write(slot, self.seconds):
                self.slot = slot
                return slot
        raise ConfigError("--lease", self._holder, f"at most {_MOST_SLOTS} fillers of one id prefix")

    def renew(self) -> bool:
        """Renew the slot; False if another filler has taken it."""
        return self._write(self.slot, self.seconds)

    def release(self) -> None:
        """Release the slot now."""
        self._write(self.slot, -1.0)

    def _request(self, slot: int) -> ReadStorageObjectsRequest:
        return {
            "object_ids": [{"collection": COLLECTION, "key": f"slot-{slot}", "user_id": self._session.user_id}]
        }

    def _write(self, slot: int, seconds: float) -> bool:
        value: dict[str, Json] = {"holder": self._holder, "by": self._instance, "until": self._now() + seconds}
        one: WriteStorageObject[Json] = {
            "collection": COLLECTION, "key": f"slot-{slot}", "value": value, "version": self._version,
            "permission_read": 1, "permission_write": 1,
        }  # fmt: skip
        try:
            acks = self._client.write_storage_objects(self._session, [one])
        except InvalidArgument:
            return False
        self._version = acks["acks"][0]["version"]
        return True
