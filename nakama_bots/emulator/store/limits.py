"""Limits of the store: nothing that clients can add grows without bound."""

from __future__ import annotations

from dataclasses import dataclass, fields


class Full(Exception):
    """A limit of the store is reached; nothing was changed."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(f"the emulator holds {most} {what}, the most that --max-{what} allows")


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """The most entries of each kind, over all users. Beyond it messages and notifications replace the oldest,
    and records those of the oldest period that has ended; all else is refused with ``Full``.
    """

    accounts: int = 1_000_000
    groups: int = 100_000
    matches: int = 10_000
    messages: int = 50_000
    notifications: int = 50_000
    objects: int = 500_000
    parties: int = 100_000
    presences: int = 1_000_000
    records: int = 1_000_000
    sockets: int = 50_000
    tickets: int = 100_000


UNBOUNDED = StoreLimits(**{field.name: 2**62 for field in fields(StoreLimits)})
"""For a store without a server."""
