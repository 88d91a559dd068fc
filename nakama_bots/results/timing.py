"""How the messages of a run were timed."""

from __future__ import annotations

from typing import TypedDict

from nakama_bots import observer
from nakama_bots.results.latency import Latency, latency
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import Recorder


class TimingPart(TypedDict):
    """How the messages of sockets were timed: up to when the kernel received them, or to when they were read.

    ``waited_ms`` is over the answers of the first kind: from their arrival to the read, outside their times.
    """

    by_kernel: int
    in_process: int
    clock_steps: int
    waited_ms: Latency


def timing_part(recorder: Recorder) -> TimingPart:
    """Return what ``recorder`` counted and timed."""
    waited = Histogram()
    for row in recorder.calls.values():
        waited.add(row.waited)
    return {
        "by_kernel": recorder.counts.get(observer.MESSAGES_STAMPED, 0),
        "in_process": recorder.counts.get(observer.MESSAGES_UNSTAMPED, 0),
        "clock_steps": recorder.counts.get(observer.CLOCK_STEPS, 0),
        "waited_ms": latency(waited),
    }
