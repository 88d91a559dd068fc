"""A cell of the matrix: one fault, how it is made, and what a run has to do then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bench import Bench

PASSED, FAILED, INVALID = "PASSED", "FAILED", "INVALID"
NOT_STARTED = "not started"
"""In place of a verdict: the run is refused before any load, with one line."""
ENDED = "ended"
"""In place of a verdict: the process is killed from outside, and what is left of it is looked at."""


@dataclass(frozen=True)
class Cell:
    """A row of the matrix.

    ``server`` are arguments of the emulator that the run talks to, None for the run's own; ``peer`` those of
    the relay in front of it. ``during`` is called when the users are there. ``ledger`` are the ends that must
    have happened; it is balanced in every cell that has one. ``says`` are patterns that the output has.
    """

    name: str
    fault: str
    does: str
    codes: tuple[int, ...]
    verdict: str
    ledger: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    scenario: str = "Caller"
    arguments: tuple[str, ...] = ()
    server: tuple[str, ...] | None = ()
    peer: tuple[str, ...] = ()
    tls: str = ""
    launcher: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    before: Callable[[Bench], object] | None = None
    during: Callable[[Bench], object] | None = None
    after: Callable[[Bench], list[str]] | None = None
    """Looks at the bench when everything is over, and gives the problems it finds."""
    recovers: bool = False
    """Whether calls must go well again in the run's last seconds."""
    follows_nothing: bool = False
    """Whether the relay's redirect must not have been followed."""
    own_tracebacks: int | None = None
    """How many of what the scenario raised may be shown; None for any number, as Locust shows each."""
    users: int = 4
    seconds: int = 3
    """Of load, from its first call on, and until ``done``; 0 for a cell that ends it itself."""
    until: tuple[str, ...] = ()
    """What must have happened by the end of the load; see ``tests/until.py``."""
    timed: bool = False
    """Whether Locust's ``--run-time`` ends the load: that of users that never come to a call."""
    bound: float = 240.0
    """Seconds in which everything must be over, on a busy machine too."""
    needs_root: bool = False

    @property
    def done(self) -> tuple[str, ...]:
        """What the load must have done before it may end: what the judge looks for."""
        done = (*self.until, *(f"ledger.{end}" for end in self.ledger))
        if self.verdict == FAILED and self.server is not None:  # not by the scenario's own fault
            done += ("failure", *(f"says:{text}" for text in self.says))
        return done

    @property
    def ledger_text(self) -> str:
        if self.verdict == NOT_STARTED:
            return "-"
        if self.verdict == ENDED:
            return "lost with the process"
        return ", ".join(("balanced", *self.ledger))
