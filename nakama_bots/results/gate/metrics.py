"""What a rule can measure: one row per family of names, with its metrics. Pure, over a ``Window``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from statistics import fmean
from typing import Final

from nakama_bots import observer
from nakama_bots.ledger import Ledger
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import CallKey, CallRow
from nakama_bots.results.record.window import Window
from nakama_bots.results.summary import MATCHED


class Unit(StrEnum):
    """The unit of a measured value and its limit."""

    TIME = "ms"
    RATIO = "ratio"
    RATE = "/s"
    COUNT = ""
    GAUGE = "gauge"
    """The unit of the gauge."""


Measured = tuple[float | None, int]
"""The value (None: not measured) and the number of samples that it is computed from."""


@dataclass(frozen=True, slots=True)
class Metric:
    """``measure`` adds up the given subjects. ``grows``: the value never falls during a run.

    ``of_others``: a count of some of the samples, such as failures of calls: without samples, 0 says nothing.
    """

    unit: Unit
    measure: Callable[[Window, Sequence[str]], Measured]
    grows: bool = False
    of_others: bool = False


Times = Callable[[Window, Sequence[str]], Histogram]

_STATISTIC: Final = re.compile(
    r"(?:(?P<of>[a-z_]+)\.)?(?P<statistic>mean|min|max|p(?P<percent>\d{1,2}(?:\.\d+)?|100))"
)
STATISTICS: Final = ("p50", "p99.9 or any other percentile", "mean", "min", "max")


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Subjects of one kind. ``times`` have ``STATISTICS`` each, under ``<name>.``, or bare if it is "".

    ``by_pattern``: rules select subjects by a name pattern. ``whole_run``: no window can be cut out.
    """

    noun: str
    subjects: Callable[[Window], list[str]]
    numbers: Mapping[str, Metric]
    times: Mapping[str, Times] = field(default_factory=dict)
    by_pattern: bool = True
    whole_run: bool = False

    def metric(self, name: str) -> Metric | None:
        """Return the metric with that name, or None."""
        if name in self.numbers:
            return self.numbers[name]
        found = _STATISTIC.fullmatch(name)
        times = self.times.get(found["of"] or "") if found else None
        if found is None or times is None:
            return None
        if not found["percent"]:
            return _statistic(times, attrgetter(found["statistic"]))
        percent = float(found["percent"])
        return _statistic(times, lambda histogram: histogram.percentile(percent)) if percent else None

    def metric_names(self) -> str:
        """Return the accepted names, for an error message."""
        dotted = [
            f"{name}.{statistic}" if name else statistic for name in self.times for statistic in STATISTICS
        ]
        return ", ".join((*dotted, *self.numbers))


def _statistic(times: Times, of: Callable[[Histogram], float | None]) -> Metric:
    def measure(window: Window, subjects: Sequence[str]) -> Measured:
        histogram = times(window, subjects)
        seconds = of(histogram)
        return None if seconds is None else round(seconds * 1e3, 3), histogram.count

    return Metric(Unit.TIME, measure)


def call_subject(key: CallKey) -> str:
    """Return the name of a row of calls: ``WS match_join``."""
    return f"{key[0]} {key[1]}"


def _calls(window: Window, subjects: Sequence[str]) -> CallRow:
    wanted = set(subjects)
    return window.calls(key for key in window.recorder.calls if call_subject(key) in wanted)


def _of_calls(number: Callable[[CallRow], int], *, of_others: bool = True) -> Metric:
    def measure(window: Window, subjects: Sequence[str]) -> Measured:
        row = _calls(window, subjects)
        return number(row), _ended(row)

    return Metric(Unit.COUNT, measure, grows=True, of_others=of_others)


def _share_of_calls(number: Callable[[CallRow], int]) -> Metric:
    def measure(window: Window, subjects: Sequence[str]) -> Measured:
        row = _calls(window, subjects)
        return _ratio(number(row), _ended(row))

    return Metric(Unit.RATIO, measure)


def _call_rate(window: Window, subjects: Sequence[str]) -> Measured:
    return _rate(window, _ended(_calls(window, subjects)))


def _ended(row: CallRow) -> int:
    """Count the calls without those that were abandoned because their player was stopped."""
    return row.ok.count + row.failures


def _unanswered(row: CallRow) -> int:
    return row.outcomes.get("timeout", 0) + row.outcomes.get("closed", 0)


def _ratio(part: int, whole: int) -> Measured:
    return (part / whole if whole else None), whole


def _counted(name: str, *, of: str = "") -> Metric:
    """Return a metric of one counter; its samples are those of the counter ``of``."""

    def measure(window: Window, _: Sequence[str]) -> Measured:
        counts = window.recorder.counts
        return counts.get(name, 0), counts.get(of or name, 0)

    return Metric(Unit.COUNT, measure, grows=True, of_others=bool(of))


def _share(name: str, of: Sequence[str]) -> Metric:
    def measure(window: Window, _: Sequence[str]) -> Measured:
        counts = window.recorder.counts
        return _ratio(counts.get(name, 0), _total(window, of))

    return Metric(Unit.RATIO, measure)


def _rate(window: Window, number: int) -> Measured:
    return (number / window.seconds if window.seconds else None), number


def _total(window: Window, names: Sequence[str]) -> int:
    return sum(window.recorder.counts.get(name, 0) for name in names)


def _counts(window: Window, subjects: Sequence[str]) -> Measured:
    total = _total(window, subjects)
    return total, total


def _count_rate(window: Window, subjects: Sequence[str]) -> Measured:
    return _rate(window, _total(window, subjects))


def _of_ledger(number: Callable[[Ledger], int], *, of_others: bool = True) -> Metric:
    def measure(window: Window, _: Sequence[str]) -> Measured:
        totals = Ledger.from_counts(window.recorder.counts)
        return number(totals), totals.sent

    return Metric(Unit.COUNT, measure, grows=True, of_others=of_others)


def _ledger_unanswered_ratio(window: Window, _: Sequence[str]) -> Measured:
    totals = Ledger.from_counts(window.recorder.counts)
    return _ratio(totals.timeout + totals.closed, totals.sent - totals.abandoned)


def _of_gauge(of: Callable[[Sequence[float]], float]) -> Metric:
    def measure(window: Window, subjects: Sequence[str]) -> Measured:
        values = [value for name in subjects for value in window.gauges.get(name, ())]
        return (of(values) if values else None), len(values)

    return Metric(Unit.GAUGE, measure)


def _sampled(name: str) -> Times:
    return lambda window, _: window.samples((name,))


def _part(
    noun: str,
    numbers: Mapping[str, Metric],
    times: Mapping[str, Times] | None = None,
    *,
    whole_run: bool = False,
) -> MetricFamily:
    return MetricFamily(noun, lambda _: [noun], numbers, times or {}, by_pattern=False, whole_run=whole_run)


def _delivery(kind: str) -> MetricFamily:
    """Return the family for messages of one kind: ``delivery`` is match data, ``delivery.chat`` chat."""
    total = observer.delivery_total(kind)
    expected = f"{total}_expected"
    counted = {
        name: _counted(f"{total}_{name}", of=expected)
        for name in ("missed", "lost", "unknown", "duplicated", "reordered")
    }
    return _part(
        total,
        {
            "received": _counted(f"{total}_received"),
            **counted,
            "loss": _share(f"{total}_lost", (expected,)),
            "unknown_ratio": _share(f"{total}_unknown", (expected,)),
        },
        {"latency": _sampled(total)},
    )


PATTERNED: Final[dict[str, MetricFamily]] = {
    "calls": MetricFamily(
        "call",
        lambda window: sorted(map(call_subject, window.recorder.calls)),
        {
            "count": _of_calls(_ended, of_others=False),
            "rate": Metric(Unit.RATE, _call_rate),
            "failures": _of_calls(attrgetter("failures")),
            "fail_ratio": _share_of_calls(attrgetter("failures")),
            "unanswered": _of_calls(_unanswered),
            "unanswered_ratio": _share_of_calls(_unanswered),
        },
        {
            "": lambda window, subjects: _calls(window, subjects).ok,
            "waited": lambda window, subjects: _calls(window, subjects).waited,
        },
    ),
    "samples": MetricFamily(
        "sample",
        lambda window: sorted(window.recorder.samples),
        {"count": Metric(Unit.COUNT, lambda window, names: 2 * (window.samples(names).count,), grows=True)},
        {"": Window.samples},
    ),
    "counts": MetricFamily(
        "counter",
        # A counter of ours at zero was never counted, but it exists.
        lambda window: sorted({*window.recorder.counts, *observer.COUNT_NAMES}),
        {"count": Metric(Unit.COUNT, _counts, grows=True), "rate": Metric(Unit.RATE, _count_rate)},
    ),
    "gauges": MetricFamily(
        "gauge",
        lambda window: sorted(window.gauges),
        {
            "max": _of_gauge(max),
            "min": _of_gauge(min),
            "mean": _of_gauge(fmean),
            "last": _of_gauge(lambda values: values[-1]),
        },
    ),
}
"""Families by the key under which a rule has its pattern."""

PARTS: Final[dict[str, MetricFamily]] = {
    "ticks": _part(
        "ticks",
        {
            "sent": _counted(observer.TICKS_SENT),
            "rate": Metric(Unit.RATE, lambda window, _: _count_rate(window, (observer.TICKS_SENT,))),
            "missed": _counted(observer.TICKS_MISSED, of=observer.TICKS_SENT),
            "missed_ratio": _share(observer.TICKS_MISSED, (observer.TICKS_SENT, observer.TICKS_MISSED)),
        },
        {"lateness": _sampled(observer.TICK_LATENESS)},
    ),
    **{observer.delivery_total(kind): _delivery(kind) for kind in observer.DELIVERY_KINDS},
    "matchmaking": _part(
        "matchmaking",
        {
            "tickets": _counted(observer.TICKETS_ADDED),
            "matched": _counted(observer.TICKETS_MATCHED, of=observer.TICKETS_ADDED),
            "matched_ratio": _share(observer.TICKETS_MATCHED, (observer.TICKETS_ADDED,)),
            "timed_out": _counted(observer.TICKETS_TIMED_OUT, of=observer.TICKETS_ADDED),
            "joined": _counted(observer.MATCHES_JOINED),
            "played": _counted(observer.MATCHES_PLAYED),
        },
        {"time_to_match": lambda window, _: window.calls((MATCHED,)).ok},
    ),
    "chat": _part("chat", {"sent": _counted(observer.CHAT_SENT), "received": _counted(observer.CHAT_RECEIVED)}),
    # The ledger of a socket is counted when the socket ends, mostly at the end of the run.
    "ledger": _part(
        "ledger",
        {
            "sent": _of_ledger(attrgetter("sent"), of_others=False),
            "unanswered": _of_ledger(lambda ledger: ledger.timeout + ledger.closed),
            "unanswered_ratio": Metric(Unit.RATIO, _ledger_unanswered_ratio),
            **{
                name: _of_ledger(attrgetter(name))
                for name in ("late", "refused", "unmatched", "pushes_dropped")
            },
        },
        whole_run=True,
    ),
}
"""Families by the value of ``on`` in a rule."""

FAMILIES: Final[dict[str, MetricFamily]] = PATTERNED | PARTS
