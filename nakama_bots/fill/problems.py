"""What goes wrong in a fleet: named once, then counted; tried again where that can help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from nakama_bots import errors
from nakama_bots.errors import safe_text

HOPELESS: Final[tuple[type[errors.CallError], ...]] = (
    errors.InvalidArgument, errors.NotFound, errors.Unimplemented, errors.PermissionDenied,
)  # fmt: skip
"""Failures of the look for lobbies that are the same the next time, such as an unknown function."""

NEW_SESSION: Final[tuple[type[errors.CallError], ...]] = (
    errors.Unauthenticated, errors.SessionExpired, errors.HandshakeRefused,
)  # fmt: skip
"""Failures that a new login may end."""


class Problems:
    """Counts failures by their label; ``tell`` hears of each kind once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._tell: Callable[[str], None] = lambda text: tell(safe_text(text))

    def note(self, doing: str, error: Exception, *, given_up: bool = False) -> None:
        """``doing`` is a phrase without ids; the text of an error of the server's is scrubbed of them."""
        what = error.label if isinstance(error, errors.CallError) else f"{type(error).__name__}: {error}"
        key = safe_text(f"{doing}: {what}")
        self.counts[key] += 1
        if self.counts[key] == 1:
            advice = "given up" if given_up else "will try again"
            self._tell(f"{key} ({advice}; more of this kind are only counted)")

    def tell(self, text: str) -> None:
        """Something about one that is counted with its kind."""
        self._tell(text)

    def say(self, text: str) -> None:
        """Something that is no server's failure, such as a behaviour that stalls; also once."""
        text = safe_text(text)
        self.counts[text] += 1
        if self.counts[text] == 1:
            self._tell(text)
