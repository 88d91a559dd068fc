"""Keeps bytes of a long run until its end in an unnamed temporary file instead of memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from typing import Final

IN_MEMORY: Final = 512 * 1024
"""Bytes that are kept in memory first: a run of a few minutes needs no file."""


@dataclass(frozen=True, slots=True)
class Block:
    """The place of a block of bytes: in the file, or ``kept`` in memory."""

    offset: int = 0
    size: int = 0
    kept: bytes | None = None


class Spool:
    """Keeps blocks of bytes. If the file cannot be created or written, they stay in memory: none is lost."""

    __slots__ = ("__weakref__", "_descriptor", "_held", "_size", "_whole")

    def __init__(self) -> None:
        self._descriptor = -1
        self._held = 0
        self._size = 0
        self._whole = True

    def add(self, data: bytes) -> Block:
        """Keep ``data``; never raises because of the disk."""
        if self._held < IN_MEMORY or not self._write(data):
            self._held += len(data)
            return Block(kept=data)
        block = Block(self._size, len(data))
        self._size += len(data)
        return block

    def read(self, block: Block) -> bytes:
        """Return the bytes of ``block``."""
        return block.kept if block.kept is not None else os.pread(self._descriptor, block.size, block.offset)

    def _write(self, data: bytes) -> bool:
        if not self._whole:
            return False
        try:
            if self._descriptor < 0:
                self._descriptor, path = tempfile.mkstemp(prefix="nakama-bots-")
                weakref.finalize(self, os.close, self._descriptor)
                os.unlink(path)  # noqa: PTH108 - gone with its last descriptor, whatever becomes of the process
            self._whole = os.pwrite(self._descriptor, data, self._size) == len(data)
        except OSError:
            # Not retried: a full disk or a lack of descriptors would be hit every second.
            self._whole = False
        return self._whole
