"""Locust's own count of a run's requests beside the recorder's. Pure."""

from __future__ import annotations

from typing import TypedDict

from nakama_bots.observer import FOREIGN_FAILURES, FOREIGN_REQUESTS
from nakama_bots.results.record.recorder import ABANDONED, Recorder


class CrossCheckPart(TypedDict):
    """Requests and failures, counted twice: ``locust_..`` must be ``recorded_..`` and ``foreign_..`` together.

    ``foreign_..`` were fired by other code, such as an ``HttpUser``. ``compared`` is false when Locust's
    statistics were reset in the middle of the run.
    """

    compared: bool
    locust_requests: int
    locust_failures: int
    recorded_requests: int
    recorded_failures: int
    foreign_requests: int
    foreign_failures: int


def cross_check(recorder: Recorder, requests: int, failures: int, *, compared: bool = True) -> CrossCheckPart:
    """Locust's ``requests`` and ``failures`` beside what ``recorder`` has."""
    rows = recorder.calls.values()
    failed = sum(row.failed.count - row.outcomes.get(ABANDONED, 0) for row in rows)
    return {
        "compared": compared,
        "locust_requests": requests,
        "locust_failures": failures,
        "recorded_requests": sum(row.ok.count + row.failed.count for row in rows),
        "recorded_failures": failed,
        "foreign_requests": recorder.counts.get(FOREIGN_REQUESTS, 0),
        "foreign_failures": recorder.counts.get(FOREIGN_FAILURES, 0),
    }


def difference(part: CrossCheckPart) -> str:
    """How the two counts differ, in one line; "" when they agree or were not compared."""
    if not part["compared"]:
        return ""
    lines = []
    for what in ("requests", "failures"):
        locust, recorded = part[f"locust_{what}"], part[f"recorded_{what}"]  # type: ignore[literal-required]
        foreign = part[f"foreign_{what}"]  # type: ignore[literal-required]
        if locust != recorded + foreign:
            of_others = f" and {foreign:,} of other code" if foreign else ""
            lines.append(f"{locust:,} {what} by Locust's count, {recorded:,} in the figures{of_others}")
    return "; ".join(lines)
