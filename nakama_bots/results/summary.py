"""The summary of a run: everything that was measured, in one versioned shape, with times in milliseconds.

It holds measured facts only, no verdict. ``recorded`` is the complete content of the recorder, histograms
included, so that a gate, a comparison or a merge of several runs needs only this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final, NotRequired, TypedDict, cast

from nakama_bots import observer
from nakama_bots.errors import NakamaError, without_secrets
from nakama_bots.ledger import Ledger
from nakama_bots.results.bottleneck.verdict import BottleneckPart
from nakama_bots.results.capacity.document import CapacityPart
from nakama_bots.results.latency import Latency, latency
from nakama_bots.results.record.cross_check import CrossCheckPart
from nakama_bots.results.record.gaps import GapPart
from nakama_bots.results.record.health import Health, HealthPart
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.purposes import PurposePart
from nakama_bots.results.record.recorder import ABANDONED, OTHER, OUTCOMES, CallKey, CallRow, Recorded, Recorder
from nakama_bots.results.record.workers import WorkerPart
from nakama_bots.results.redact import Scalar, public_settings
from nakama_bots.results.server.metrics import ServerMetrics, ServerPart
from nakama_bots.results.shapes import ShapeError, document
from nakama_bots.results.show.published import PublishedPart, side_by_side
from nakama_bots.results.timing import TimingPart, timing_part
from nakama_bots.settings.target import Target

SCHEMA: Final = "nakama-bots/summary/1"

MATCHED: Final[CallKey] = ("PUSH", "matchmaker_matched")
"""The call whose response time is the time to match: from the request for the ticket to the push."""


class SummaryError(NakamaError):
    """A summary cannot be written, or this version cannot read a file: the path and why, in one line."""


class RunPart(TypedDict):
    """Times are ISO 8601 in UTC; ``duration_s`` is monotonic time; ``spawn_rate`` in users per second."""

    scenario: str
    started: str
    ended: str
    duration_s: float
    users: int
    spawn_rate: float


class TargetPart(TypedDict):
    """The target of the load; ``is_emulator``: it was the emulator, not a Nakama server."""

    url: str
    is_emulator: bool


class CallPart(TypedDict):
    """One kind and name; ``rate`` in calls per second over the run, ``outcomes`` by each of ``OUTCOMES``.

    ``ok_ms`` covers successful calls only, ``failed_ms`` the others. A call that was abandoned because its
    player was stopped is among the others, but is not a failure.

    ``waited_ms`` (missing in older summaries): how long the answers waited in the generator's kernel to be
    read. It is not part of the other times, which end when the kernel received the answer. Its ``count`` is 0
    for calls timed in the process.
    """

    kind: str
    name: str
    count: int
    failures: int
    outcomes: dict[str, int]
    rate: float
    bytes: int
    ok_ms: Latency
    failed_ms: Latency
    waited_ms: NotRequired[Latency]


class TicksPart(TypedDict):
    """Match-state ticks; ``lateness_ms`` is the delay behind the planned time."""

    sent: int
    missed: int
    lateness_ms: Latency


class DeliveryPart(TypedDict):
    """Messages between players: ``expected`` = ``received`` + ``missed`` + ``lost`` + ``unknown``.

    ``missed``: the receiver was disconnected; ``unknown``: it cannot be judged. ``latency_ms`` is from the send
    to the receipt. ``balanced``: every expected delivery has ended exactly once. Older summaries lack
    these and the counts ``missed`` and ``unknown``.
    """

    expected: int
    received: int
    lost: int
    duplicated: int
    reordered: int
    latency_ms: Latency
    missed: NotRequired[int]
    unknown: NotRequired[int]
    balanced: NotRequired[bool]


class MatchmakingPart(TypedDict):
    """Tickets and their outcomes; a ticket that timed out has expired for the player and was removed.

    What followed the match is missing in older summaries. ``match_sizes``: the number of tickets by the number
    of players (as text) that they were matched with. ``interval_s`` is the matchmaker interval of the server,
    null if unknown, and ``intervals_to_match`` the p50 and p95 of the time to match in these intervals.
    """

    tickets_added: int
    tickets_matched: int
    tickets_cancelled: int
    tickets_timed_out: int
    matches_joined: int
    matches_played: int
    time_to_match_ms: Latency
    tickets_joined: NotRequired[int]
    match_sizes: NotRequired[dict[str, int]]
    interval_s: NotRequired[float | None]
    intervals_to_match: NotRequired[dict[str, float]]


class ArrivalsPart(TypedDict):
    """Arrivals of an open load; all 0 without one.

    ``planned`` = ``started`` + ``dropped``; ``dropped`` = ``dropped_late`` + ``dropped_full`` (no free slot);
    ``started`` = ``finished`` + ``failed`` + ``cut`` (by the end of the run). ``scheduled`` is the number in
    the load profile, ``lost`` the part that was not planned because a worker died. ``delay_ms`` is from the
    planned time to the start.
    """

    scheduled: int
    planned: int
    started: int
    dropped: int
    dropped_late: int
    dropped_full: int
    finished: int
    failed: int
    cut: int
    lost: int
    delay_ms: Latency


class PacedPart(TypedDict):
    """Paced sends: ``raw_ms`` counts from the send, ``corrected_ms`` from the planned time.

    ``name`` is ``delivery`` (match state, up to its arrival), the kind and name of a call, or ``arrival``.
    """

    name: str
    count: int
    raw_ms: Latency
    corrected_ms: Latency


class ChatPart(TypedDict):
    """Chat messages of the bots of this run."""

    sent: int
    received: int


class LedgerPart(TypedDict):
    """The fields of ``Ledger``, and what follows from them."""

    sent: int
    ok: int
    error: int
    timeout: int
    closed: int
    abandoned: int
    late: int
    refused: int
    pushes: int
    pushes_dropped: int
    unmatched: int
    pending: int
    balanced: bool


class ErrorPart(TypedDict):
    """One kind of failure; ``first_seen_s`` in seconds since the start."""

    kind: str
    name: str
    label: str
    count: int
    first_seen_s: float
    example: str


class LaterParts(TypedDict, total=False):
    """Missing in older summaries.

    ``gaps``: what the figures lack; ``cross_check``: Locust's own count of the requests; ``purposes``: what
    scenarios must do, and whether they did; ``capacity``: the answer of a run that was a capacity search;
    ``bottleneck``: what breaks first, if the server's metrics or its log were read.
    """

    published: list[PublishedPart]
    timing: TimingPart
    deliveries: dict[str, DeliveryPart]
    """By kind of message (match, party, chat, status), only kinds that occurred; ``delivery`` is match data."""
    gaps: list[GapPart]
    cross_check: CrossCheckPart
    purposes: list[PurposePart]
    capacity: CapacityPart
    bottleneck: BottleneckPart


class Summary(LaterParts):
    """``summary.json``. ``samples_ms`` and ``counts`` hold every name, including those of scenarios.

    ``workers`` is empty for a run of one process.
    """

    schema: str
    run: RunPart
    target: TargetPart
    versions: dict[str, str]
    settings: dict[str, str | int | float | bool | None]
    ledger: LedgerPart
    calls: list[CallPart]
    ticks: TicksPart
    delivery: DeliveryPart
    matchmaking: MatchmakingPart
    chat: ChatPart
    arrivals: ArrivalsPart
    paced: list[PacedPart]
    health: HealthPart
    workers: list[WorkerPart]
    server: ServerPart
    errors: list[ErrorPart]
    samples_ms: dict[str, Latency]
    counts: dict[str, int]
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known when a run starts. ``started`` is timezone-aware.

    ``settings`` must not contain secrets: the name of a secret is a ``ConfigError``, here and not at the end,
    where it would cost the results of the run.
    """

    scenario: str
    started: datetime
    target: Target
    is_emulator: bool
    users: int
    spawn_rate: float
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    matchmaker_interval: float = 0.0
    """The interval of the server in seconds; 0 if unknown."""
    workloads: tuple[str, ...] = ()
    """The published workloads that the run repeats."""

    def __post_init__(self) -> None:
        public_settings(self.settings)


def build_summary(
    run: RunInfo,
    recorder: Recorder,
    *,
    ended: datetime,
    duration: float,
    health: HealthPart | None = None,
    workers: Sequence[WorkerPart] = (),
    server: ServerPart | None = None,
    later: LaterParts | None = None,
) -> Summary:
    """Return the summary of a run that lasted ``duration`` seconds; the recorder keeps its content."""
    counts, samples = recorder.counts, recorder.samples
    return {
        **(later or {}),
        "schema": SCHEMA,
        "run": {
            "scenario": run.scenario,
            "started": _iso(run.started),
            "ended": _iso(ended),
            "duration_s": round(duration, 3),
            "users": run.users,
            "spawn_rate": run.spawn_rate,
        },
        "target": {"url": run.target.http_url, "is_emulator": run.is_emulator},
        "versions": {name: without_secrets(version) for name, version in run.versions.items()},
        "settings": public_settings(run.settings),
        "ledger": _ledger(Ledger.from_counts(counts)),
        "calls": [_call(key, recorder.calls[key], duration) for key in sorted(recorder.calls, key=_order)],
        "timing": timing_part(recorder),
        "ticks": {
            "sent": counts.get(observer.TICKS_SENT, 0),
            "missed": counts.get(observer.TICKS_MISSED, 0),
            "lateness_ms": latency(samples.get(observer.TICK_LATENESS)),
        },
        "delivery": _delivery("match", counts, samples),
        "deliveries": {
            kind: part
            for kind in observer.DELIVERY_KINDS
            if any((part := _delivery(kind, counts, samples))[field] for field in ("expected", "received"))
        },
        "matchmaking": _matchmaking(counts, recorder.calls.get(MATCHED), run.matchmaker_interval),
        "chat": {
            "sent": counts.get(observer.CHAT_SENT, 0),
            "received": counts.get(observer.CHAT_RECEIVED, 0),
        },
        "arrivals": _arrivals(counts, samples),
        "paced": _paced(samples),
        "health": health or Health().part(),
        "workers": list(workers),
        "server": server or ServerMetrics().part(),
        "published": side_by_side(run.workloads, recorder, duration),
        "errors": error_parts(recorder),
        "samples_ms": {name: latency(samples[name]) for name in sorted(samples)},
        "counts": {name: counts[name] for name in sorted(counts)},
        "recorded": recorder.recorded(),
    }


def ended(call: CallPart) -> int:
    """Return the number of calls that ended: all but those whose player was stopped."""
    return call["count"] - call["outcomes"][ABANDONED]


def check_summary(value: object) -> Summary:
    """Return ``value`` as a summary, with its histograms checked. Raises ``SummaryError`` if it is not one."""
    summary = document(value, Summary, SCHEMA, SummaryError, "not a summary of nakama-bots")
    try:
        Recorder(0.0).merge(summary["recorded"])
    except ShapeError as error:
        raise SummaryError(f"a damaged summary ({error})") from None
    return summary


def recorder_of(summary: Summary) -> Recorder:
    """Return a recorder with everything that the run recorded; others can be merged into it."""
    recorder = Recorder(0.0)
    recorder.merge(summary["recorded"])
    return recorder


def _delivery(kind: str, counts: Mapping[str, int], samples: Mapping[str, Histogram]) -> DeliveryPart:
    total = observer.delivery_total(kind)
    part = {field: counts.get(f"{total}_{field}", 0) for field in observer.DELIVERY_FIELDS}
    balanced = part["expected"] == sum(part[field] for field in observer.DELIVERY_ENDS)
    return cast("DeliveryPart", {**part, "balanced": balanced, "latency_ms": latency(samples.get(total))})


def _call(key: CallKey, row: CallRow, duration: float) -> CallPart:
    return {
        "kind": key[0],
        "name": key[1],
        "count": row.count,
        "failures": row.failures,
        "outcomes": {
            outcome: row.ok.count if outcome == "ok" else row.outcomes.get(outcome, 0) for outcome in OUTCOMES
        },
        "rate": round(row.count / duration, 3) if duration > 0 else 0.0,
        "bytes": row.size,
        "ok_ms": latency(row.ok),
        "failed_ms": latency(row.failed),
        "waited_ms": latency(row.waited),
    }


def _matchmaking(counts: Mapping[str, int], matched: CallRow | None, interval: float) -> MatchmakingPart:
    times = latency(matched.ok if matched else None)
    sizes = {
        name.removeprefix(observer.MATCH_SIZE_PREFIX): number
        for name, number in sorted(counts.items())
        if name.startswith(observer.MATCH_SIZE_PREFIX)
    }
    shown = (("p50", times["p50"]), ("p95", times["p95"]))
    return {
        "tickets_added": counts.get(observer.TICKETS_ADDED, 0),
        "tickets_matched": counts.get(observer.TICKETS_MATCHED, 0),
        "tickets_cancelled": counts.get(observer.TICKETS_CANCELLED, 0),
        "tickets_timed_out": counts.get(observer.TICKETS_TIMED_OUT, 0),
        "tickets_joined": counts.get(observer.TICKETS_JOINED, 0),
        "matches_joined": counts.get(observer.MATCHES_JOINED, 0),
        "matches_played": counts.get(observer.MATCHES_PLAYED, 0),
        "match_sizes": sizes,
        "interval_s": interval or None,
        "intervals_to_match": {
            name: round(ms / interval / 1e3, 3) for name, ms in shown if ms is not None and interval
        },
        "time_to_match_ms": times,
    }


def _arrivals(counts: Mapping[str, int], samples: Mapping[str, Histogram]) -> ArrivalsPart:
    planned = counts.get(observer.ARRIVALS_PLANNED, 0)
    scheduled = counts.get(observer.ARRIVALS_SCHEDULED, planned)
    return {
        "scheduled": scheduled,
        "planned": planned,
        "started": counts.get(observer.ARRIVALS_STARTED, 0),
        "dropped": counts.get(observer.ARRIVALS_DROPPED, 0),
        "dropped_late": counts.get(observer.ARRIVALS_DROPPED_LATE, 0),
        "dropped_full": counts.get(observer.ARRIVALS_DROPPED_FULL, 0),
        "finished": counts.get(observer.ARRIVALS_FINISHED, 0),
        "failed": counts.get(observer.ARRIVALS_FAILED, 0),
        "cut": counts.get(observer.ARRIVALS_CUT, 0),
        "lost": max(0, scheduled - planned),
        "delay_ms": latency(samples.get(observer.ARRIVAL_DELAY)),
    }


def _paced(samples: Mapping[str, Histogram]) -> list[PacedPart]:
    return [
        {
            "name": name.removeprefix(observer.PACED_PREFIX),
            "count": samples[name].count,
            "raw_ms": latency(samples[name]),
            "corrected_ms": latency(samples[name + observer.CORRECTED]),
        }
        for name in sorted(samples)
        if name + observer.CORRECTED in samples
    ]


def error_parts(recorder: Recorder) -> list[ErrorPart]:
    """Return the kinds of failures so far, the most frequent first."""
    rows = [
        ErrorPart(
            kind=kind,
            name=name,
            label=label,
            count=row.count,
            first_seen_s=round(row.first_seen, 3),
            example=row.example,
        )
        for (kind, name, label), row in recorder.errors.items()
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["kind"], row["name"], row["label"]))


def _ledger(totals: Ledger) -> LedgerPart:
    ends = {**asdict(totals), "pending": totals.pending, "balanced": totals.balanced}
    return cast("LedgerPart", ends)


def _order(key: CallKey) -> tuple[bool, CallKey]:
    return key[0] == OTHER, key


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
