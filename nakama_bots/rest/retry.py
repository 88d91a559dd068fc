"""Sending an idempotent request again after a failure that may pass. Off unless a caller asks for it.

Under load a retry hides the failure that a test is to find, and adds load where there is too much.
``tenacity`` would be one more dependency for the three lines that a wait takes here, and the deadline of the
whole operation and how a transport waits would still be to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nakama_bots.backoff import Backoff
from nakama_bots.errors import CallError, ConnectionClosed, ConnectionRefused, RequestTimeout

# 429 and what proxies and a server that starts or stops answer: RFC 6585 section 4, RFC 9110 section 15.6.
RETRIED_STATUS: Final = frozenset((429, 502, 503, 504))
# Not host name and TLS errors: they do not pass by themselves.
RETRIED_ERRORS: Final[tuple[type[CallError], ...]] = (ConnectionRefused, ConnectionClosed, RequestTimeout)

# What is counted when a request was sent again.
RETRIED: Final = "rest_retried"


@dataclass(frozen=True, slots=True)
class Retry(Backoff):
    """``attempts`` sends in all, with a wait of ``Backoff`` after each failure but the last."""

    attempts: int = 3
    first: float = 0.1
    most: float = 2.0

    def waits(self) -> Iterator[float]:
        """Seconds to wait after each failure but the last."""
        for failures in range(1, self.attempts):
            yield self.wait(failures)
