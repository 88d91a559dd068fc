"""Who a bot is: an account of its own in every process of every machine, the same again in the next run."""

from __future__ import annotations

import heapq
import logging
import secrets
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Final

log = logging.getLogger(__name__)

MARK: Final = "nakama_bots"
"""The session variable that tells a server's own code who is a bot; its value is the identity's prefix."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``prefix`` and ``seed`` are the run's, ``worker`` is the process's index under one master.

    ``number`` is the player's in its process.
    """

    prefix: str
    seed: int
    worker: int
    number: int

    @property
    def device_id(self) -> str:
        """The account's device id; 10 to 128 characters, as Nakama wants."""
        return f"{self.prefix}-{self.seed}-w{self.worker:03d}-{self.number:06d}"

    @property
    def username(self) -> str:
        """The account's user name; unique because the device id is.

        It is also how other clients tell a bot: a presence has the user name, and nothing else that tells.
        """
        return self.device_id

    @property
    def other_username(self) -> str:
        """The user name where somebody has taken the first; legal, and as telling."""
        return f"{self.device_id}-{blake2s(self.device_id.encode(), digest_size=3).hexdigest()}"

    def stranger(self) -> Identity:
        """Somebody of the same prefix who has never been there, drawn anew each time."""
        return replace(self, seed=secrets.randbits(32), number=secrets.randbelow(10**6))

    def neighbour(self, distance: int) -> Identity:
        """The player of the same process whose number is this one's with the bits of ``distance`` flipped.

        Symmetric: each is the other's. Nobody may play it, or not yet.
        """
        return replace(self, number=self.number ^ distance)

    def shared_name(self, what: str, size: int) -> str:
        """A name that ``size`` players with adjacent numbers of the same process and run have in common."""
        return f"{self.prefix}-{what}-{self.seed}-{self.worker}-{self.number // size}"

    @property
    def variables(self) -> dict[str, str]:
        """What goes into the session's token: a client may not write the metadata of its own account."""
        return {MARK: self.prefix}


class Newcomers:
    """Identities of accounts that are to be new, under a seed of their own by which they are found again."""

    def __init__(self) -> None:
        self.seed = secrets.randbits(32)
        self._count = 0

    def next(self, identity: Identity) -> Identity:
        """One that nobody had before, in the process of ``identity``."""
        if not self._count:
            log.warning(
                "the accounts made now stay: nakama-bots cleanup URL --prefix %s --seeds %d deletes them",
                identity.prefix, self.seed,
            )  # fmt: skip
        number, self._count = self._count, self._count + 1
        return replace(identity, seed=self.seed, number=number)


class NumberPool:
    """Numbers of the players of a process, the lowest free one first: restarted users reuse accounts."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._taken: set[int] = set()

    def take(self) -> int:
        """A number that nobody has."""
        number = heapq.heappop(self._free) if self._free else len(self._taken)
        self._taken.add(number)
        return number

    def release(self, number: int) -> None:
        """``number`` is free again; a ``ValueError`` when nobody had it, or two players would get it."""
        if number not in self._taken:
            msg = f"number {number} is not taken"
            raise ValueError(msg)
        self._taken.remove(number)
        heapq.heappush(self._free, number)
