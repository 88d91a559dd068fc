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

    Missing in summaries of earlier versions: ``rest_by_kernel`` and ``rest_in_process``, answers to requests;
    ``shared_ms``, answers on sockets that have the stamp of a later message of the same read, by how much too
    long their times may be.
    """

    by_kernel: int
    in_process: int
    clock_steps: int
    waited_ms: Latency
    rest_by_kernel: NotRequired[int]
    rest_in_process: NotRequired[int]
    shared_ms: NotRequired[Latency]


def timing_part(recorder: Recorder) -> TimingPart:
    """Return what ``recorder`` counted and timed."""
    waited = Histogram()
    for row in recorder.calls.values():
        waited.add(row.waited)
    rest = [row for (kind, _), row in recorder.calls.items() if kind in REST_KINDS]
    stamped = sum(row.waited.count for row in rest)
    answers = sum(row.ok.count + row.outcomes.get(_REFUSED, 0) for row in rest)
    return {
        "by_kernel": recorder.counts.get(observer.MESSAGES_STAMPED, 0),
        "in_process": recorder.counts.get(observer.MESSAGES_UNSTAMPED, 0),
        "clock_steps": recorder.counts.get(observer.CLOCK_STEPS, 0),
        "waited_ms": latency(waited),
        "rest_by_kernel": stamped,
        "rest_in_process": max(0, answers - stamped),
        "shared_ms": latency(recorder.samples.get(observer.SHARED_STAMP)),
    }
