"""The stamp of a message, and what one receiver knows of a sender in another process. Pure.

A stamped payload carries its sender, a sequence number and a time of the host's monotonic clock. Times are
compared only on the host that took them; a message from another host is counted, not timed.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

# Magic, kind, host, sender, sequence, stamp, late. The magic keeps the payloads of other clients out.
_STAMP: Final = struct.Struct("<3sBIQIdd")
_MAGIC: Final = b"nb2"
STAMP_SIZE: Final = _STAMP.size

STATE: Final = 0
END: Final = 1
"""Kinds of stamped payloads; the sequence of an END is that of the next STATE."""

_KINDS: Final = (STATE, END)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_CLOCK_OFFSETS: Final = Path("/proc/self/timens_offsets")


class Stamp(NamedTuple):
    """The stamp in a payload; ``stamp`` is the sender's ``perf_counter`` in seconds.

    ``late`` is how many seconds earlier the send was planned.
    """

    kind: int
    host: int
    sender: int
    sequence: int
    stamp: float
    late: float = 0.0

    def pack(self) -> bytes:
        """The payload."""
        return _STAMP.pack(_MAGIC, self.kind, self.host, self.sender, self.sequence, self.stamp, self.late)

    @classmethod
    def unpack(cls, payload: bytes) -> Stamp | None:
        """The stamp of a stamped payload; None for any other."""
        if len(payload) < STAMP_SIZE or not payload.startswith(_MAGIC):
            return None
        fields = _STAMP.unpack_from(payload)
        return cls._make(fields[1:]) if fields[1] in _KINDS else None


def host_number(boot_id: Path = _BOOT_ID, clock_offsets: Path = _CLOCK_OFFSETS) -> int:
    """A number that is equal in two processes if they share a monotonic clock, that of the running kernel.

    Random if the kernel has no boot id: no stamp of another process is compared then.
    """
    try:
        # A time namespace (some containers) shifts the clock under the same kernel.
        offsets = clock_offsets.read_bytes() if clock_offsets.exists() else b""
        return zlib.crc32(boot_id.read_bytes() + offsets)
    except OSError:
        return secrets.randbits(32)


host: Final = cache(host_number)


@dataclass(slots=True)
class StampStream:
    """The messages of one sender, as one receiver sees them. Sequences start at ``first``."""

    first: int = 0
    received: int = 0
    missed: int = 0
    duplicated: int = 0
    reordered: int = 0
    ended_at: int | None = None
    _next: int = field(init=False)
    _missing: set[int] = field(init=False, default_factory=set)
    _was_away: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._next = self.first

    def receive(self, sequence: int) -> bool:
        """Count one message; False for a duplicate."""
        if sequence >= self._next:
            if self._was_away:
                self._was_away = False
                self.missed += sequence - self._next
            else:
                self._missing.update(range(self._next, sequence))
            self._next = sequence + 1
        elif sequence in self._missing:
            self._missing.discard(sequence)
            self.reordered += 1
        else:
            self.duplicated += 1
            return False
        self.received += 1
        return True

    def end(self, total: int) -> None:
        """The sender has reported how many messages it sent."""
        self.ended_at = total

    @property
    def ended(self) -> bool:
        """True if every message that the sender reported has arrived, or cannot arrive any more."""
        return self.ended_at is not None and self.ended_at >= self._next

    def came_back(self) -> None:
        """The receiver was disconnected: messages missing before the next one count as missed, not lost."""
        self._was_away = True

    @property
    def expected(self) -> int:
        """How many messages should have arrived; without an END, up to the last one that arrived."""
        return max(self._next, self.ended_at or 0) - self.first

    @property
    def lost(self) -> int:
        """How many expected messages did not arrive while the receiver was connected."""
        return self.expected - self.received - self.missed
