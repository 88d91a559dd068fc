"""Compares Locust's own count of the requests of a run with that of the recorder. Pure."""

from __future__ import annotations

from typing import TypedDict

from nakama_bots.observer import FOREIGN_FAILURES, FOREIGN_REQUESTS
from nakama_bots.results.record.recorder import Recorder


class CrossCheckPart(TypedDict):
    """Requests and failures, counted twice: ``locust_..`` must equal ``recorded_..`` plus ``foreign_..``.

    ``foreign_..`` were fired by other code, such as an ``HttpUser``. ``compared`` is false if Locust's
    statistics were reset during the run.
    """

    compared: bool
    locust_requests: int
    locust_failures: int
    recorded_requests: int
    recorded_failures: int
    foreign_requests: int
    foreign_failures: int


def cross_check(recorder: Recorder, requests: int, failures: int, *, compared: bool = True) -> CrossCheckPart:
    """Return Locust's ``requests`` and ``failures`` beside those of ``recorder``."""
    rows = recorder.calls.values()
    return {
        "compared": compared,
        "locust_requests": requests,
        "locust_failures": failures,
        "recorded_requests": sum(row.count for row in rows),
        "recorded_failures": sum(row.failures for row in rows),
        "foreign_requests": recorder.counts.get(FOREIGN_REQUESTS, 0),
        "foreign_failures": recorder.counts.get(FOREIGN_FAILURES, 0),
    }


def difference(part: CrossCheckPart) -> str:
    """Return how the two counts differ, in one line; "" if they agree or were not compared."""
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
