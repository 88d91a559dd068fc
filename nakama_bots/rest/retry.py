"""Sending an idempotent request again after a failure that may pass. Off unless a caller asks for it.

Under load a retry hides the failure that a test is to find, and adds load where there is too much.
``tenacity`` would be one more dependency for the three lines that a wait takes here, and the deadline of the
whole operation and how a transport waits would still be to write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nakama_bots.errors import CallError, ConfigError, ConnectionClosed, ConnectionRefused, RequestTimeout

# 429 and what proxies and a server that starts or stops answer: RFC 6585 section 4, RFC 9110 section 15.6.
RETRIED_STATUS: Final = frozenset((429, 502, 503, 504))
# Not host name and TLS errors: they do not pass by themselves.
RETRIED_ERRORS: Final[tuple[type[CallError], ...]] = (ConnectionRefused, ConnectionClosed, RequestTimeout)

# What is counted when a request was sent again.
RETRIED: Final = "rest_retried"


@dataclass(frozen=True, slots=True)
class Retry:
    """``attempts`` sends in all; the n-th wait is between 0 and ``first`` x 2^(n-1) seconds, ``most`` at most.

    Full jitter: clients that failed together must not come back together. ``uniform`` gives the random numbers.
    """

    attempts: int = 3
    first: float = 0.1
    most: float = 2.0
    uniform: Callable[[float, float], float] = random.uniform

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError("Retry.attempts", self.attempts, "a whole number above 0")
        for name in ("first", "most"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"Retry.{name}", getattr(self, name), "a number of seconds above 0")

    def waits(self) -> Iterator[float]:
        """Seconds to wait after each failure but the last."""
        for number in range(self.attempts - 1):
            yield self.uniform(0.0, min(self.most, self.first * 2**number))
