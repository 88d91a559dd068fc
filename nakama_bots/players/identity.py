"""Identities of bots: a distinct account for each bot of each process, the same in every run."""

from __future__ import annotations

import heapq
import logging
import secrets
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Final

log = logging.getLogger(__name__)

MARK: Final = "nakama_bots"
"""The session variable that marks a bot for the server's own code; its value is the identity's prefix."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``prefix`` and ``seed`` belong to the run; ``worker`` is the index of the process under one master.

    ``number`` is the player's number in its process.
    """

    prefix: str
    seed: int
    worker: int
    number: int

    @property
    def device_id(self) -> str:
        """The account's device id; 10 to 128 characters, as Nakama requires."""
        return f"{self.prefix}-{self.seed}-w{self.worker:03d}-{self.number:06d}"

    @property
    def username(self) -> str:
        """The account's user name; unique because the device id is.

        Other clients recognise a bot by it: a presence has no other field that marks a bot.
        """
        return self.device_id

    @property
    def other_username(self) -> str:
        """The user name to use if the first is taken; also valid, and with the same prefix."""
        return f"{self.device_id}-{blake2s(self.device_id.encode(), digest_size=3).hexdigest()}"

    def stranger(self) -> Identity:
        """A random identity with the same prefix that has never been used; a new one on each call."""
        return replace(self, seed=secrets.randbits(32), number=secrets.randbelow(10**6))

    def neighbour(self, distance: int) -> Identity:
        """The player of the same process whose number is this number with the bits of ``distance`` flipped.

        Symmetric. The player may not exist, or not yet.
        """
        return replace(self, number=self.number ^ distance)

    def shared_name(self, what: str, size: int) -> str:
        """A name shared by ``size`` players with adjacent numbers in the same process and run."""
        return f"{self.prefix}-{what}-{self.seed}-{self.worker}-{self.number // size}"

    def new_name(self, what: str) -> str:
        """A name that nothing has yet; another one on each call."""
        return f"{self.username}-{what}-{secrets.token_hex(4)}"

    @property
    def variables(self) -> dict[str, str]:
        """The variables in the session's token: a client may not write the metadata of its own account."""
        return {MARK: self.prefix}


class Newcomers:
    """Identities for new accounts, under a separate seed by which a cleanup finds them."""

    def __init__(self) -> None:
        self.seed = secrets.randbits(32)
        self._count = 0

    def next(self, identity: Identity) -> Identity:
        """An identity never used before, in the process of ``identity``."""
        if not self._count:
            log.warning(
                "the accounts created now stay: nakama-bots cleanup URL --prefix %s --seeds %d deletes them",
                identity.prefix, self.seed,
            )  # fmt: skip
        number, self._count = self._count, self._count + 1
        return replace(identity, seed=self.seed, number=number)


class NumberPool:
    """Numbers of a process's players, lowest free number first, so that restarted users reuse accounts."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._taken: set[int] = set()

    def take(self) -> int:
        """A free number."""
        number = heapq.heappop(self._free) if self._free else len(self._taken)
        self._taken.add(number)
        return number

    def release(self, number: int) -> None:
        """Free ``number``; ``ValueError`` if it is not taken, because two players would get it."""
        if number not in self._taken:
            msg = f"number {number} is not taken"
            raise ValueError(msg)
        self._taken.remove(number)
        heapq.heappush(self._free, number)
