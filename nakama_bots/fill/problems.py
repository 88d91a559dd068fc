"""Problems of a fleet: each kind is logged once, then counted, and retried where that can help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from nakama_bots import errors
from nakama_bots.errors import safe_text

HOPELESS: Final[tuple[type[errors.CallError], ...]] = (
    errors.InvalidArgument, errors.NotFound, errors.Unimplemented, errors.PermissionDenied,
)  # fmt: skip
"""Failures of a search for lobbies that a retry cannot fix, such as an unknown function."""

NEW_SESSION: Final[tuple[type[errors.CallError], ...]] = (
    errors.Unauthenticated, errors.SessionExpired, errors.HandshakeRefused,
)  # fmt: skip
"""Failures that a new login may fix."""


class Problems:
    """Counts failures by label; ``log`` is called once per kind."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._log: Callable[[str], None] = lambda text: log(safe_text(text))

    def note(self, doing: str, error: Exception, *, given_up: bool = False) -> None:
        """Count ``error``. ``doing`` is a phrase without ids; ids are removed from texts of the server."""
        what = error.label if isinstance(error, errors.CallError) else f"{type(error).__name__}: {error}"
        key = safe_text(f"{doing}: {what}")
        self.counts[key] += 1
        if self.counts[key] == 1:
            advice = "given up" if given_up else "will try again"
            self._log(f"{key} ({advice}; more of this kind are only counted)")

    def report(self, text: str) -> None:
        """Log a detail of a problem that is counted under its kind."""
        self._log(text)

    def say(self, text: str) -> None:
        """Log and count a problem that is not a server failure, such as a stalled behaviour; logged once."""
        text = safe_text(text)
        self.counts[text] += 1
        if self.counts[text] == 1:
            self._log(text)
