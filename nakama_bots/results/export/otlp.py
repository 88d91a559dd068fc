"""A run's figures and traces as the data of OpenTelemetry's SDK. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from nakama_bots.results.export.exponential import ExponentialDurations
from nakama_bots.results.export.figures import BOUNDS, Durations, Figures
from nakama_bots.results.export.series import Distribution, Labels, Numbers, RunState, metrics
from nakama_bots.results.record.recorder import ABANDONED
from nakama_bots.results.summary import RunInfo
from nakama_bots.results.traces.tracer import TraceEvent

OtlpDurations: TypeAlias = ExponentialDurations | Durations

SCOPE: Final = "nakama_bots"

_PREFIX: Final = f"{SCOPE}."
_HISTOGRAMS: Final = 40
_NUMBERS: Final = 400
"""The points of a part: some milliseconds to encode and send."""
_METHODS: Final = {"GET", "POST", "PUT", "PATCH", "DELETE"}
_PUSHES: Final = {"PUSH", "PUSHED"}
_SOCKET: Final = "WS"
_OWN: Final = ("kind", "name", "outcome", "bytes", "waited_ms", "cid", "state", "why", "player", "source")


@dataclass(frozen=True, slots=True)
class ExportPeriod:
    """The time of exported figures, in seconds since 1970. With ``delta`` they count from ``started``."""

    started: float
    ended: float
    delta: bool = False


def metric_parts(
    figures: Figures[OtlpDurations], state: RunState, period: ExportPeriod, resource: Resource
) -> Iterator[sdk.MetricsData]:
    """Return every metric, in parts that can be sent one by one; other code may run between two of them."""
    part: list[sdk.Metric] = []
    size = 0.0
    for metric in metrics(figures, state, numbers=_NUMBERS, histograms=_HISTOGRAMS):
        part.append(_metric(metric, period))
        size += len(metric.points) / (_HISTOGRAMS if isinstance(metric, Distribution) else _NUMBERS)
        if size >= 1:
            yield _data(part, resource)
            part, size = [], 0.0
    if part:
        yield _data(part, resource)


def spans(events: Sequence[TraceEvent], info: RunInfo, resource: Resource) -> Iterator[ReadableSpan]:
    """Return a trace for each player: a span for the player, and below it one for each of its events.

    A call ends when its answer arrived, by the kernel's clock if it was stamped.
    """
    scope = InstrumentationScope(SCOPE, info.versions.get("nakama_bots"))
    players: dict[str, tuple[float, float]] = {}
    for event in events:
        begin, end = players.get(event["player"], (event["at"], 0.0))
        players[event["player"]] = min(begin, event["at"]), max(end, _ended(event))
    roots = {player: _context(info, player, 0) for player in players}
    for player, (begin, end) in players.items():
        yield ReadableSpan(
            "player", roots[player], None, resource,
            {"nakama_bots.player": player, "nakama_bots.scenario": info.scenario, **_server(info)},
            start_time=_nanoseconds(begin), end_time=_nanoseconds(end), instrumentation_scope=scope,
        )  # fmt: skip
    for number, event in enumerate(events, 1):
        player = event["player"]
        yield ReadableSpan(
            f"{event['kind']} {event['name']}", _context(info, player, number), roots[player], resource,
            _attributes(event, info), kind=_span_kind(event["kind"]), status=_status(event),
            start_time=_nanoseconds(event["at"]), end_time=_nanoseconds(_ended(event)),
            instrumentation_scope=scope,
        )  # fmt: skip


def _data(part: Sequence[sdk.Metric], resource: Resource) -> sdk.MetricsData:
    scope = sdk.ScopeMetrics(InstrumentationScope(SCOPE), part, "")
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], "")])


def _metric(metric: Numbers | Distribution[OtlpDurations], period: ExportPeriod) -> sdk.Metric:
    times = _nanoseconds(period.started), _nanoseconds(period.ended)
    temporality = sdk.AggregationTemporality.DELTA if period.delta else sdk.AggregationTemporality.CUMULATIVE
    name = _PREFIX + metric.name

    def labelled(values: Labels) -> dict[str, str]:
        return dict(zip(metric.labels, values, strict=True))

    if isinstance(metric, Distribution):
        fine = [_exponential(labelled(of), times, value) for of, value in metric.points
                if isinstance(value, ExponentialDurations)]  # fmt: skip
        coarse = [_explicit(labelled(of), times, value) for of, value in metric.points
                  if isinstance(value, Durations)]  # fmt: skip
        histogram = (
            sdk.Histogram(coarse, temporality) if coarse else sdk.ExponentialHistogram(fine, temporality)
        )
        return sdk.Metric(name, metric.help, "s", histogram)
    numbers = [sdk.NumberDataPoint(labelled(of), *times, value) for of, value in metric.points]
    data = sdk.Sum(numbers, temporality, is_monotonic=True) if metric.counts else sdk.Gauge(numbers)
    return sdk.Metric(name, metric.help, metric.unit, data)


def _exponential(
    labels: dict[str, str], times: tuple[int, int], durations: ExponentialDurations
) -> sdk.ExponentialHistogramDataPoint:
    scale, offset, counts = durations.buckets()
    return sdk.ExponentialHistogramDataPoint(
        labels, *times, count=durations.count, sum=durations.total_us / 1e6, scale=scale,
        zero_count=durations.zeros, positive=sdk.Buckets(offset, counts), negative=sdk.Buckets(0, []), flags=0,
        min=durations.min_us / 1e6, max=durations.max_us / 1e6,
    )  # fmt: skip


def _explicit(labels: dict[str, str], times: tuple[int, int], durations: Durations) -> sdk.HistogramDataPoint:
    return sdk.HistogramDataPoint(
        labels, *times, count=durations.count, sum=durations.total_us / 1e6,
        bucket_counts=durations.counts, explicit_bounds=BOUNDS,
        min=None, max=None,  # type: ignore[arg-type] # not known, which OTLP allows
    )  # fmt: skip


def _attributes(event: TraceEvent, info: RunInfo) -> dict[str, str | int | float]:
    """Return the attributes of a call by the semantic conventions, and our own as ``nakama_bots.*``."""
    found: dict[str, str | int | float] = {}
    for key in _OWN:
        value = event.get(key)
        if isinstance(value, (str, int, float)) and value != "":
            found[_PREFIX + key] = value
    kind, name = event["kind"], event["name"]
    if kind in _METHODS:
        found |= {"http.request.method": kind, "url.template": name, **_server(info)}
    elif kind == _SOCKET:
        found |= {"network.protocol.name": "websocket", "rpc.system.name": "nakama", "rpc.method": name,
                  **_server(info)}  # fmt: skip
    hashes = {"user.hash": event["uid"], "session.id": event["sid"], "error.type": event["error"]}
    return found | {key: value for key, value in hashes.items() if value}


def _server(info: RunInfo) -> dict[str, str | int]:
    return {"server.address": info.target.host, "server.port": info.target.port}


def _span_kind(kind: str) -> SpanKind:
    if kind in _PUSHES:
        return SpanKind.CONSUMER
    return SpanKind.CLIENT if kind == _SOCKET or kind in _METHODS else SpanKind.INTERNAL


def _status(event: TraceEvent) -> Status:
    # A call that was abandoned because our player was stopped is not a failure.
    failed = event["outcome"] not in ("ok", ABANDONED)
    return Status(StatusCode.ERROR if failed else StatusCode.UNSET)


def _context(info: RunInfo, player: str, number: int) -> SpanContext:
    """Return the ids of the span ``number`` in the trace of ``player``; they differ between runs."""
    trace = f"{info.started.isoformat()} {player}"
    return SpanContext(
        int(_hash(trace, 16), 16), int(_hash(f"{trace} {number}", 8), 16), is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )  # fmt: skip


def _hash(text: str, size: int) -> str:
    return hashlib.blake2s(text.encode(), digest_size=size).hexdigest()


def _ended(event: TraceEvent) -> float:
    return event["at"] + event["ms"] / 1e3


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000
