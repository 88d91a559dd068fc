"""The current state of a run: the last minutes by second, the last seconds by message. Pure.

It costs nothing while the page is closed: a view reads the new rows of the time line when it is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from nakama_bots import observer
from nakama_bots.ledger import Ledger
from nakama_bots.results.latency import milliseconds
from nakama_bots.results.record import gauges, sparse
from nakama_bots.results.record.health import HealthPart
from nakama_bots.results.record.recorder import CallKey, Recorded, Recorder, failures_of
from nakama_bots.results.record.timeline import SERVER, Interval, Timeline
from nakama_bots.results.show.ended import EndedRun
from nakama_bots.results.show.report.axes import clock
from nakama_bots.results.summary import MATCHED, ErrorPart, TargetPart, error_parts

SECONDS: Final = 300
"""Seconds that the series go back."""

RECENT: Final = 10.0
"""Seconds before the end of the last interval that the figures by message cover."""

ERRORS: Final = 50
"""The most kinds of failures on a page; the report lists all."""

IDLE, RUNNING, ENDING, ENDED = "idle", "running", "ending", "ended"
"""Phases of a page."""

_ROUND_TRIPS: Final = "WS"
_CONNECT: Final = "connect"
_PERCENTS: Final = (50.0, 95.0, 99.0)
_RATES: Final[dict[str, str]] = {
    "data_out": observer.MATCH_SENT,
    "data_in": observer.MATCH_RECEIVED,
    "ticks_missed": observer.TICKS_MISSED,
}
"""Series that are counts per second, and their counters."""

_SERIES: Final = ("trips", "failures", *_RATES)
_PATIENCE: Final = 6
"""Seconds that the page waits for a process; a process that is silent for longer is gone."""

_SHORTEST: Final = 0.5
"""Fewest seconds for a rate: the rest at the end of a run would otherwise become a rate by itself."""

_FUNNEL: Final[dict[str, str]] = {
    "tickets added": observer.TICKETS_ADDED,
    "matched": observer.TICKETS_MATCHED,
    "cancelled": observer.TICKETS_CANCELLED,
    "timed out": observer.TICKETS_TIMED_OUT,
    "matches joined": observer.MATCHES_JOINED,
    "matches played": observer.MATCHES_PLAYED,
}

Pause = Callable[[], object]


class TimesPart(TypedDict):
    """Percentiles of response times, null if there were none."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class MessagePart(TimesPart):
    """One kind and name: ``count`` and ``failures`` for the whole run, the others for the last seconds."""

    kind: str
    name: str
    count: int
    failures: int
    rate: float


class NowPart(TimesPart):
    """The last seconds in one line. Times in milliseconds; ``trips`` and ``failures`` per second."""

    users: float
    sockets: float
    pending: float
    trips: float
    failures: float
    data_out: float
    data_in: float
    tick_late_ms: float | None
    failed: int


class LivePart(TypedDict):
    """The content of a live page. ``seconds`` of the series count from the start; null is no value.

    ``phase`` is idle, running, ending or ended; ``now`` is null if no run is in progress. ``runs`` are the
    ended runs of this process, newest first.
    """

    state: str
    phase: str
    elapsed: float
    target: TargetPart
    now: NowPart | None
    seconds: list[int]
    series: dict[str, list[float | None]]
    messages: list[MessagePart]
    funnel: dict[str, int]
    time_to_match_ms: list[float | None]
    ledger: str
    errors: list[ErrorPart]
    health: HealthPart
    runs: list[EndedRun]


@dataclass(frozen=True, slots=True)
class RunStage:
    """Where a run is: Locust's state, the page's phase, and the seconds since the start."""

    state: str
    phase: str
    elapsed: float


@dataclass(slots=True)
class _Reported:
    """What one process reported in a second: mostly one row; by rounding, none or two."""

    length: float
    gauges: Mapping[str, float]
    rates: dict[str, float]
    rows: int = 1


@dataclass(slots=True)
class _Second:
    trips: sparse.Buckets = field(default_factory=dict)
    reported: dict[str, _Reported] = field(default_factory=dict)


class Live:
    """A view of one run; call ``update`` before reading it."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._heard = 0
        self._seconds: dict[int, _Second] = {}
        self._recent: list[Interval] = []

    def update(self, pause: Pause = lambda: None) -> None:
        """Read the rows that were added since the last time; ``pause`` is called after each."""
        for row in self.timeline.since(self._heard):
            self._heard += 1
            self._add(row)
            pause()
        if self._seconds:
            oldest = max(self._seconds) - SECONDS
            self._seconds = {second: found for second, found in self._seconds.items() if second > oldest}
        ended = max(map(_ended, self._recent), default=0.0)
        self._recent = [row for row in self._recent if _ended(row) > ended - RECENT]

    def _add(self, row: Interval) -> None:
        second = self._seconds.setdefault(max(0, round(_ended(row) - self.timeline.started)), _Second())
        rates: dict[str, float] = {}
        if row["source"] != SERVER:
            self._recent.append(row)
            seconds = max(row["seconds"], _SHORTEST)
            rates = {name: number / seconds for name, number in _numbers(row, second.trips).items()}
        reported = _Reported(row["seconds"], row["gauges"], rates)
        before = second.reported.get(row["source"])
        if before is not None:
            reported.rows += before.rows
            reported.rates = {name: rate + before.rates.get(name, 0.0) for name, rate in rates.items()}
        second.reported[row["source"]] = reported

    def part(
        self,
        recorder: Recorder,
        health: HealthPart,
        target: TargetPart,
        stage: RunStage,
        runs: Sequence[EndedRun] = (),
    ) -> LivePart:
        """Return the content of the page. ``recorder`` has the whole run."""
        seconds = self._complete()
        matched = recorder.calls.get(MATCHED)
        found = matched.ok.percentiles(_PERCENTS) if matched else {}
        return {
            "state": stage.state,
            "phase": stage.phase,
            "elapsed": round(stage.elapsed, 1),
            "target": target,
            "now": self.now(recorder) if stage.phase == RUNNING else None,
            "seconds": seconds,
            "series": self._series(seconds),
            "messages": self.messages(recorder),
            "funnel": funnel_of(recorder),
            "time_to_match_ms": [milliseconds(found.get(percent)) for percent in _PERCENTS],
            "ledger": Ledger.from_counts(recorder.counts).line(),
            "errors": error_parts(recorder)[:ERRORS],
            "health": health,
            "runs": list(runs),
        }

    def now(self, recorder: Recorder) -> NowPart:
        """Add up the last seconds."""
        window = self._window()
        trips: sparse.Buckets = {}
        ticks: sparse.Buckets = {}
        numbers: Counter[str] = Counter()
        for row in self._recent:
            numbers.update(_numbers(row, trips))
            if observer.TICK_LATENESS in row["recorded"]["samples"]:
                sparse.add_encoded(ticks, row["recorded"]["samples"][observer.TICK_LATENESS])
        # The gauges of the last interval of each process.
        latest = _folded({row["source"]: row["gauges"] for row in self._recent})
        return {
            **_times(trips),
            "users": latest.get(gauges.USERS, 0.0),
            "sockets": latest.get(gauges.SOCKETS, 0.0),
            "pending": latest.get(gauges.PENDING, 0.0),
            "trips": round(numbers["trips"] / window, 1),
            "failures": round(numbers["failures"] / window, 2),
            "data_out": round(numbers["data_out"] / window, 1),
            "data_in": round(numbers["data_in"] / window, 1),
            "tick_late_ms": _times(ticks)["p95_ms"],
            "failed": sum(row.failures for row in recorder.calls.values()),
        }

    def _window(self) -> float:
        if not self._recent:
            return 1.0
        return max(1.0, max(map(_ended, self._recent)) - min(row["at"] for row in self._recent))

    def _complete(self) -> list[int]:
        """Return the seconds that every process has reported; a worker reports several at once."""
        in_order = sorted(self._seconds)
        latest = {source: second for second in in_order for source in self._seconds[second].reported}
        latest.pop(SERVER, None)
        newest = max(latest.values(), default=0)
        until = min((second for second in latest.values() if second >= newest - _PATIENCE), default=0)
        return [second for second in in_order if second <= until]

    def _series(self, seconds: list[int]) -> dict[str, list[float | None]]:
        held: dict[str, tuple[int, _Reported]] = {}
        rows: list[dict[str, float | None]] = []
        for second in seconds:
            found = self._seconds[second]
            held |= {source: (second, reported) for source, reported in found.reported.items()}
            # A process whose row was rounded into the previous second keeps its values.
            now = {source: last for source, (since, last) in held.items() if second - since <= last.length + 1}
            gauged = _folded({source: last.gauges for source, last in now.items()})
            times = _times(found.trips)
            timed = {"p50": times["p50_ms"], "p95": times["p95_ms"], "p99": times["p99_ms"]}
            rates = {name: sum(last.rates.get(name, 0.0) / last.rows for last in now.values())
                     for name in _SERIES}  # fmt: skip
            rows.append({**gauged, **timed, **rates})
        names = sorted({name for values in rows for name in values})
        return {name: [_rounded(values.get(name)) for values in rows] for name in names}

    def messages(self, recorder: Recorder) -> list[MessagePart]:
        """Return a row per kind and name, round trips first."""
        window = self._window()
        recent: dict[CallKey, sparse.Buckets] = defaultdict(dict)
        failed: dict[CallKey, int] = defaultdict(int)
        for each in self._recent:
            for call in each["recorded"]["calls"]:
                key = call["kind"], call["name"]
                sparse.add_encoded(recent[key], call["ok"])
                failed[key] += sum(call["outcomes"].values())
        parts: list[MessagePart] = []
        for key, row in recorder.calls.items():
            parts.append({
                **_times(recent[key]),
                "kind": key[0],
                "name": key[1],
                "count": row.count,
                "failures": row.failures,
                "rate": round((sum(recent[key].values()) + failed[key]) / window, 2),
            })  # fmt: skip
        return sorted(parts, key=lambda part: (part["kind"] != _ROUND_TRIPS, part["kind"], part["name"]))


@dataclass(frozen=True, slots=True)
class Progress:
    """How long a run has taken and will take, in seconds. ``length`` is None if only a signal ends it."""

    elapsed: float
    length: float | None = None

    def text(self) -> str:
        """Return the time since the start, and the time left if it is known."""
        elapsed = clock(round(self.elapsed))
        if self.length is None:
            return f"{elapsed}, until Ctrl-C"
        left = max(0.0, self.length - self.elapsed)
        share = min(1.0, self.elapsed / self.length) if self.length else 1.0
        return f"{elapsed} of {clock(round(self.length))} ({share:.0%}), {clock(round(left))} left"


def line(now: NowPart, funnel: Mapping[str, int], health: HealthPart, progress: Progress) -> str:
    """Return the same in one line, for a run without a page."""
    parts = [
        progress.text(),
        f"{now['users']:,.0f} users, {now['sockets']:,.0f} sockets, {now['pending']:,.0f} in flight",
        f"{now['trips']:,.0f} rt/s p50 {shown(now['p50_ms'])} p95 {shown(now['p95_ms'])} ms",
        f"{now['failed']:,} failed",
    ]
    return " | ".join([*parts, *notes(now, funnel, health)])


def notes(now: NowPart, funnel: Mapping[str, int], health: HealthPart) -> list[str]:
    """Return match data and tickets, if any, and whether the generator is fast enough."""
    parts: list[str] = []
    if now["data_out"] or now["data_in"]:
        parts.append(
            f"match data {now['data_out']:,.0f}/s out {now['data_in']:,.0f}/s in, "
            f"ticks late p95 {shown(now['tick_late_ms'])} ms"
        )
    if funnel["tickets added"]:
        parts.append(
            f"tickets {funnel['tickets added']:,}, matched {funnel['matched']:,}, "
            f"joined {funnel['matches joined']:,}"
        )
    if health["reasons"]:
        parts.append(f"generator TOO SLOW: {health['reasons'][0]}")
    else:
        measured = not any(process.get("unmeasured") for process in health["processes"])
        parts.append("generator ok" if measured else "generator not measured")
    return parts


def funnel_of(recorder: Recorder) -> dict[str, int]:
    """Return the outcomes of the matchmaker tickets so far."""
    return {label: recorder.counts.get(name, 0) for label, name in _FUNNEL.items()}


def _ended(row: Interval) -> float:
    return row["at"] + row["seconds"]


def _numbers(row: Interval, trips: sparse.Buckets) -> dict[str, int]:
    """Return what ``_SERIES`` are rates of, in ``row``; the times of its round trips are added to ``trips``."""
    found = dict.fromkeys(_SERIES, 0)
    for call in row["recorded"]["calls"]:
        failures = failures_of(call)
        found["failures"] += failures
        if call["kind"] == _ROUND_TRIPS and call["name"] != _CONNECT:
            before = sum(trips.values())
            sparse.add_encoded(trips, call["ok"])
            found["trips"] += sum(trips.values()) - before + failures
    for name in _RATES:
        found[name] = _number(row["recorded"], name)
    return found


def _number(recorded: Recorded, name: str) -> int:
    of = _RATES[name]
    buckets: sparse.Buckets = {}
    for sample, encoded in recorded["samples"].items():
        # The counts of all scenarios.
        if sample == of or sample.startswith(f"{of}."):
            sparse.add_encoded(buckets, encoded)
    return recorded["counts"].get(of, 0) + sum(buckets.values())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _folded(by_source: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    several: dict[str, list[float]] = defaultdict(list)
    for values in by_source.values():
        for name, value in values.items():
            several[name].append(value)
    return {name: gauges.fold(name, values) for name, values in several.items()}


def _times(buckets: sparse.Buckets) -> TimesPart:
    p50, p95, p99 = map(milliseconds, sparse.percentiles(buckets, _PERCENTS))
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def shown(value: float | None) -> str:
    """Return milliseconds as text; "-" if they were not measured."""
    return "-" if value is None else f"{value:,.1f}"
