"""How long to wait before a retry."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nakama_bots.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double and are randomised (full jitter), so that clients do not retry together.

    The wait after the n-th failure is between ``least`` and ``first`` x 2^(n-1) seconds, ``most`` at most.
    ``waits`` returns ``attempts`` of them. ``uniform`` draws the random numbers.
    """

    attempts: int = 8
    first: float = 0.5
    most: float = 30.0
    uniform: Callable[[float, float], float] = random.uniform
    least: float = 0.0

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if self.attempts < 1:
            raise ConfigError(f"{kind}.attempts", self.attempts, "a whole number above 0")
        for name in ("first", "most"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{kind}.{name}", getattr(self, name), "a number of seconds above 0")

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after that many failures, 1 or more."""
        doubled = self.first * 2.0 ** min(failures - 1, 60)
        return self.uniform(self.least, max(self.least, min(self.most, doubled)))

    def waits(self) -> Iterator[float]:
        """Yield the wait before each attempt."""
        for failures in range(1, self.attempts + 1):
            yield self.wait(failures)
