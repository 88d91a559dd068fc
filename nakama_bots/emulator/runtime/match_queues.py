"""What waits for a match: join attempts, signals, and joins that the server has not confirmed yet.

A real match runs in parallel to its clients and queues what they ask for meanwhile. Here nothing else runs
during one of its functions, so what was asked meanwhile is handled right after it, and counts as queued.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from nakama_bots.emulator.options import Options
from nakama_bots.emulator.store.tracker import OnlineSession

JOIN_ATTEMPT: Final = "join attempt"
SIGNAL: Final = "signal"
# Seconds of a function from which on its match was busy.
_BUSY: Final = 0.01
# Seconds between two searches for joins that were never confirmed (``server/match_handler.go``).
_SEARCH: Final = 30


class MatchQueues:
    """The queues of one match. ``later`` calls a function once everything that waited has been handled."""

    def __init__(self, options: Options, later: Callable[[Callable[[], None]], None]) -> None:
        self._sizes = {
            JOIN_ATTEMPT: options.match_join_attempt_queue_size,
            SIGNAL: options.match_signal_queue_size,
        }
        self._deadline = int(options.match_join_marker_deadline)
        self._later = later
        self._waiting: Counter[str] | None = None
        # By session id: the tick at which an unconfirmed join ends.
        self._unconfirmed: dict[str, tuple[int, OnlineSession]] = {}

    def ran(self, seconds: float) -> None:
        """Note how long a function of the match ran."""
        if seconds >= _BUSY and self._waiting is None:
            self._waiting = Counter()
            self._later(self._drained)

    def _drained(self) -> None:
        self._waiting = None

    def full(self, queue: str) -> bool:
        """Count a call that waited in a queue; True if there was no room for it."""
        if self._waiting is None:
            return False
        self._waiting[queue] += 1
        return self._waiting[queue] > self._sizes[queue]

    def expect(self, session: OnlineSession, tick: int, rate: int) -> None:
        """Note a join that has to be confirmed."""
        self._unconfirmed[session.id] = (tick + rate * self._deadline, session)

    def confirm(self, session: OnlineSession) -> None:
        """Note that a session has joined."""
        self._unconfirmed.pop(session.id, None)

    def expired(self, tick: int, rate: int) -> list[OnlineSession]:
        """Return, every 30 seconds, the sessions whose join was not confirmed in time."""
        if tick % (rate * _SEARCH):
            return []
        due = [session for end, session in self._unconfirmed.values() if end <= tick]
        for session in due:
            self.confirm(session)
        return due
