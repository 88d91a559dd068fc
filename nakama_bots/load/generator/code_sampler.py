"""Samples whose code uses the process's CPU: ours, Locust's or the scenario's.

The kernel's profiling timer (``setitimer(2)``, ITIMER_PROF) counts CPU time, so it never wakes an idle
process. The signal handler looks up the owner of the innermost frame; a library's time counts for its caller.
"""

from __future__ import annotations

import atexit
import signal
import sys
from functools import lru_cache
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Final

import locust

import nakama_bots

OWN: Final = "nakama_bots"
LOCUST: Final = "locust"
SCENARIO: Final = "scenario"
_OTHER: Final = ""

_NOBODYS: Final = (signal.SIG_DFL, signal.SIG_IGN)
_CPU_SECONDS: Final = 0.01
_DEEPEST: Final = 60
_FOLDERS: Final = (
    (OWN, str(Path(nakama_bots.__file__).parent)),
    (LOCUST, str(Path(locust.__file__).parent)),
)
_LIBRARIES: Final = (str(Path(signal.__file__).parent), sys.prefix, sys.base_prefix, "<")


class CodeSampler:
    """Shares of the CPU by owner. Does nothing if the profiling timer is already in use."""

    def __init__(self) -> None:
        self._counts = {OWN: 0, LOCUST: 0, SCENARIO: 0, _OTHER: 0}
        self._running = False
        self._cpu = process_time()

    def start(self) -> None:
        """Start, in the main thread: Python runs signal handlers only there."""
        if not self._running and signal.getsignal(signal.SIGPROF) in _NOBODYS:
            signal.signal(signal.SIGPROF, self._on_signal)
            signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS, _CPU_SECONDS)
            # Python removes its handlers when it exits, and the timer's next signal would kill it.
            atexit.register(self.stop)
            self._running = True

    def stop(self) -> None:
        """Stop. Idempotent."""
        if self._running:
            self._running = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            # A pending signal would end the process.
            signal.signal(signal.SIGPROF, signal.SIG_IGN)
            atexit.unregister(self.stop)

    def take(self) -> dict[str, float]:
        """Return the shares of the CPU since the last call, by owner; empty if nothing was sampled."""
        counts = dict(self._counts)
        for owner in counts:
            self._counts[owner] = 0
        total = sum(counts.values())
        return {owner: counts[owner] / total for owner in (OWN, LOCUST, SCENARIO)} if total else {}

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        for _step in range(_DEEPEST):
            if frame is None:
                break
            owner = owner_of(frame.f_code.co_filename)
            if owner:
                self._counts[owner] += 1
                return
            frame = frame.f_back
        self._counts[_OTHER] += 1


@lru_cache(maxsize=4096)
def owner_of(file: str) -> str:
    """Return the owner of a file: ``OWN``, ``LOCUST``, ``SCENARIO``, or "" for a library."""
    for owner, folder in _FOLDERS:
        if file.startswith(folder):
            return owner
    return _OTHER if file.startswith(_LIBRARIES) else SCENARIO
