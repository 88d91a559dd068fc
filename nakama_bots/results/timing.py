"""How the messages and answers of a run were timed."""

from __future__ import annotations

from typing import Final, NotRequired, TypedDict

from nakama_bots import observer
from nakama_bots.results.latency import Latency, latency
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import Recorder

REST_KINDS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})
"""Kinds of calls that are requests over HTTP."""

_REFUSED: Final = "server_error"


class TimingPart(TypedDict):
    """How messages and answers were timed: up to when the kernel received them, or to when they were read.

    ``by_kernel`` and ``in_process`` are messages of sockets. ``waited_ms`` is over the answers that the kernel
    timed, REST too: from their arrival to the read, outside their times.

    Missing in summaries of earlier versions: ``too_early``, how often a call or delivery was timed by the read
    as its stamp was from before its cause; ``rest_by_kernel`` and ``rest_in_process``, answers to requests;
    ``shared_ms``, answers on sockets that have the stamp of a later message of the same read, by how much too
    long their times may be.
    """

    by_kernel: int
    in_process: int
    clock_steps: int
    waited_ms: Latency
    too_early: NotRequired[int]
    rest_by_kernel: NotRequired[int]
    rest_in_process: NotRequired[int]
    shared_ms: NotRequired[Latency]


_NEARLY_ALL: Final = 0.9


def timed_by(timing: TimingPart | None) -> dict[str, str]:
    """Return how the messages of sockets and the answers to requests were timed, if there are any.

    Times of different ways cannot be compared. A few messages of each run have no stamp.
    """
    if timing is None:
        return {}
    rest = timing.get("rest_by_kernel", 0), timing.get("rest_in_process", 0)
    parts = {"sockets": (timing["by_kernel"], timing["in_process"]), "REST": rest}
    return {
        what: _way(by_kernel / (by_kernel + in_process))
        for what, (by_kernel, in_process) in parts.items()
        if by_kernel + in_process
    }


def _way(share: float) -> str:
    if share >= _NEARLY_ALL:
        return "by the kernel"
    return "partly by the kernel" if share > 1 - _NEARLY_ALL else "in the process"


def timing_part(recorder: Recorder) -> TimingPart:
    """Return what ``recorder`` counted and timed."""
    waited = Histogram()
    for row in recorder.calls.values():
        waited.add(row.waited)
    rest = [row for (kind, _), row in recorder.calls.items() if kind in REST_KINDS]
    stamped = sum(row.waited.count for row in rest)
    answers = sum(row.ok.count + row.outcomes.get(_REFUSED, 0) for row in rest)
    counts = recorder.counts
    return {
        "by_kernel": counts.get(observer.MESSAGES_STAMPED, 0),
        "in_process": counts.get(observer.MESSAGES_UNSTAMPED, 0),
        "too_early": counts.get(observer.STAMPS_TOO_EARLY, 0),
        "clock_steps": counts.get(observer.CLOCK_STEPS, 0),
        "waited_ms": latency(waited),
        "rest_by_kernel": stamped,
        "rest_in_process": max(0, answers - stamped),
        "shared_ms": latency(recorder.samples.get(observer.SHARED_STAMP)),
    }
