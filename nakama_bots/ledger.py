"""The outcome of every cid, for a socket and for a whole run.

A socket counts its own. The totals of all of them travel as the recorder's counts ``ledger.<field>``: counts
add up exactly over sockets, drains and processes, and nothing else has to be merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

LEDGER_PREFIX: Final = "ledger."
_ENDS: Final = ("ok", "error", "timeout", "closed", "abandoned")


@dataclass(slots=True)
class Ledger:
    """The outcomes of all requests with a cid: ``sent`` is the sum of the five ends and the pending ones.

    ``late`` replies came after the timeout and end nothing; ``refused`` requests were never sent;
    ``unmatched`` frames answered no cid that was known; ``pushes_dropped`` pushes no handler took.
    """

    sent: int = 0
    ok: int = 0
    error: int = 0
    timeout: int = 0
    closed: int = 0
    abandoned: int = 0
    late: int = 0
    refused: int = 0
    pushes: int = 0
    pushes_dropped: int = 0
    unmatched: int = 0

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Ledger:
        """The totals in a recorder's counts; a field that was never counted is 0."""
        return cls(**{field.name: counts.get(LEDGER_PREFIX + field.name, 0) for field in fields(cls)})

    def counts(self) -> dict[str, int]:
        """The totals by the names they are counted under."""
        return {LEDGER_PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    def add(self, other: Ledger) -> Ledger:
        """Return the sum of both."""
        return Ledger(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )

    @property
    def ended(self) -> int:
        """The number of cids that have ended, each counted once."""
        return self.ok + self.error + self.timeout + self.closed + self.abandoned

    @property
    def pending(self) -> int:
        """Cids that were sent and have not ended; below 0, some have ended twice."""
        return self.sent - self.ended

    @property
    def balanced(self) -> bool:
        """Whether every cid that was sent has ended exactly once."""
        return self.pending == 0

    def line(self) -> str:
        """Return the line that a run prints."""
        ends = " + ".join(f"{end} {getattr(self, end):,}" for end in _ENDS)
        verdict = "balanced" if self.balanced else f"NOT BALANCED: {self.pending:+,} pending"
        relation = "=" if self.balanced else "!="
        extras = "".join(
            f", {name.replace('_', ' ')} {getattr(self, name):,}"
            for name in ("refused", "unmatched", "pushes_dropped")
            if getattr(self, name)
        )
        return f"cid ledger: sent {self.sent:,} {relation} {ends} ({verdict}); late {self.late:,}{extras}"


LEDGER_COUNTS: Final = frozenset(Ledger().counts())
"""The names that a ledger is counted under."""
