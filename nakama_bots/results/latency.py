"""The times of a histogram as in a summary: milliseconds, with the usual percentiles."""

from __future__ import annotations

from typing import Final, TypedDict, cast

from nakama_bots.results.record.histogram import Histogram

PERCENTILES: Final[dict[str, float]] = {
    "p50": 50.0,
    "p75": 75.0,
    "p90": 90.0,
    "p95": 95.0,
    "p99": 99.0,
    "p99_9": 99.9,
}


class Latency(TypedDict):
    """Milliseconds with 3 decimals; all but the counts are null if nothing was measured.

    ``overflow`` values were above one hour, ``underflow`` values below zero; they count as one hour and zero.
    """

    count: int
    overflow: int
    underflow: int
    min: float | None
    mean: float | None
    max: float | None
    p50: float | None
    p75: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None


def latency(histogram: Histogram | None) -> Latency:
    """Return the figures of a histogram; None stands for an empty one."""
    histogram = histogram or Histogram()
    found = histogram.percentiles(PERCENTILES.values())
    figures = {
        "count": histogram.count,
        "overflow": histogram.overflow,
        "underflow": histogram.underflow,
        "min": milliseconds(histogram.min),
        "mean": milliseconds(histogram.mean),
        "max": milliseconds(histogram.max),
        **{name: milliseconds(found[percent]) for name, percent in PERCENTILES.items()},
    }
    return cast("Latency", figures)


def milliseconds(seconds: float | None) -> float | None:
    """Return ``seconds`` in milliseconds, as summaries and pages have them."""
    return None if seconds is None else round(seconds * 1e3, 3)


def shown_ms(value: float | None) -> str:
    """Return milliseconds for display; "-" if nothing was measured."""
    return "-" if value is None else f"{value:,.2f}"
