"""Figures and traces as OpenTelemetry data: exact counts, the names of the Prometheus export, no ids."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind, StatusCode

from nakama_bots.errors import Abandoned, RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.export.exponential import MOST_BUCKETS, ExponentialDurations
from nakama_bots.results.export.figures import BOUNDS, D, Durations, Figures
from nakama_bots.results.export.otlp import ExportPeriod, OtlpDurations, metric_parts, spans
from nakama_bots.results.export.prometheus import pages
from nakama_bots.results.export.series import RunState
from nakama_bots.results.record.histogram import Histogram as Recorded
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import gauges_only
from nakama_bots.results.summary import RunInfo
from nakama_bots.results.traces.tracer import TraceEvent, event_of, hashed
from nakama_bots.settings.target import Target

from .synthetic import INFO

STATE = RunState(INFO, active=True, verdict="passed")
RESOURCE = Resource({"service.name": "x"})
PERIOD = ExportPeriod(5.0, 7.5)


def durations(times: list[float]) -> ExponentialDurations:
    recorded, found = Recorded(), ExponentialDurations()
    for time in times:
        recorded.record(time)
    found.add(recorded.encode(folded=False))
    return found


GAUGES = {"users": 3.0, "cpu": 0.5, "loop_busy": 0.25, "hub_lag": 0.01, "memory": 1e6}
SERVER = {"server.latency_p95": 0.2, "server.memory": 1e6, "server.cpu": 1.0}


def figures(recorder: Recorder, new: Callable[[], D]) -> Figures[D]:
    found = Figures(new)
    found.add({"source": "local", "at": 5.0, "seconds": 1.0, "recorded": recorder.drain(), "gauges": GAUGES})
    found.add(gauges_only("server", 0.0, 1.0, SERVER))
    return found


def fine(recorder: Recorder) -> Figures[OtlpDurations]:
    return figures(recorder, ExponentialDurations)


def sent(parts: list[MetricsData]) -> list[Metric]:
    scopes = [scope for part in parts for resource in part.resource_metrics for scope in resource.scope_metrics]
    assert {scope.scope.name for scope in scopes} == {"nakama_bots"}
    return [metric for scope in scopes for metric in scope.metrics]


def recorder_with_everything() -> Recorder:
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "rpc", 0.0, 0.2, 5, None, 0.003))
    recorder.call(FinishedCall("WS", "match_join", 0.0, 0.3, 0, RequestTimeout("no answer")))
    recorder.sample("delivery", 0.1)
    for name, number in {"ticks_sent": 7, "delivery.chat_lost": 1, "ledger.late": 4, "my.count": 9}.items():
        recorder.count(name, number)
    return recorder


@pytest.mark.parametrize("number", [100, 3000])  # as values, and as an HDR text
def test_buckets_hold_what_was_recorded(number: int) -> None:
    draw = random.Random(number)
    times = sorted(round(draw.lognormvariate(-5, 1), 6) for _ in range(number))
    found = durations(times)
    scale, offset, counts = found.buckets()
    bounds = [2 ** ((offset + index) / 2**scale) for index in range(len(counts) + 1)]
    for (low, high), counted in zip(pairwise(bounds), counts, strict=True):
        # Values near a bound may be counted on its other side: HDR buckets are 0.1 % wide.
        least = sum(low * 1.001 < time <= high / 1.001 for time in times)
        most = sum(low / 1.001 < time <= high * 1.001 for time in times)
        assert least <= counted <= most
    assert sum(counts) == found.count == number
    assert (found.total_us, found.min_us, found.max_us) == pytest.approx(
        (sum(times) * 1e6, times[0] * 1e6, times[-1] * 1e6), abs=1
    )


def test_an_upper_bound_belongs_to_its_bucket() -> None:
    assert durations([0.5]).buckets() == (6, -65, [1])
    assert durations([0.500001]).buckets() == (6, -64, [1])
    assert durations([0.0, 1.0]).zeros == 1


def test_a_wide_range_lowers_the_scale_within_the_bucket_limit() -> None:
    found = durations([0.000001, 0.001, 1.0, 3600.0])
    scale, offset, counts = found.buckets()
    assert len(counts) <= MOST_BUCKETS
    for time in (0.000001, 0.001, 1.0, 3600.0):
        [index] = [i for i in range(len(counts))
                   if 2 ** ((offset + i) / 2**scale) < time <= 2 ** ((offset + i + 1) / 2**scale)]  # fmt: skip
        assert counts[index] == 1


def test_both_exports_have_the_same_metrics() -> None:
    """Names are compared after a collector's translation to Prometheus: dots, units and ``_total``."""
    units = {"": "", "s": "_seconds", "By": "_bytes", "1": "_ratio", "{core}": ""}
    names = set()
    for metric in sent(list(metric_parts(fine(recorder_with_everything()), STATE, PERIOD, RESOURCE))):
        grows = isinstance(metric.data, Sum) and metric.data.is_monotonic
        names.add(metric.name.replace(".", "_") + units[metric.unit or ""] + "_total" * grows)
    page = b"".join(pages(figures(recorder_with_everything(), Durations), STATE)).decode()
    assert names == {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    assert "nakama_bots_call_received_bytes_total" in names
    assert "nakama_bots_server_cpu_cores" in names


def test_points_have_the_times_of_the_period() -> None:
    for metric in sent(list(metric_parts(fine(recorder_with_everything()), STATE, PERIOD, RESOURCE))):
        for point in metric.data.data_points:
            assert (point.start_time_unix_nano, point.time_unix_nano) == (5_000_000_000, 7_500_000_000)
        if not isinstance(metric.data, Gauge):
            assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_a_restart_keeps_names_and_gauges() -> None:
    found = fine(recorder_with_everything())
    found.restart()
    period = ExportPeriod(5.0, 7.5, delta=True)
    by_name = {metric.name: metric.data for metric in sent(list(metric_parts(found, STATE, period, RESOURCE)))}
    calls, users = by_name["nakama_bots.calls"], by_name["nakama_bots.users"]
    assert isinstance(calls, Sum)
    assert calls.aggregation_temporality is AggregationTemporality.DELTA
    assert {point.value for point in calls.data_points} == {0}
    assert "nakama_bots.call_duration" not in by_name
    assert isinstance(users, Gauge)
    assert [point.value for point in users.data_points] == [3.0]


def test_explicit_buckets_on_request() -> None:
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "rpc", 0.0, 0.2, 0, None))
    coarse: Figures[OtlpDurations] = figures(recorder, Durations)
    parts = list(metric_parts(coarse, STATE, PERIOD, RESOURCE))
    [data] = [metric.data for metric in sent(parts) if metric.name == "nakama_bots.call_duration"]
    assert isinstance(data, Histogram)
    [point] = data.data_points
    assert point.explicit_bounds == BOUNDS
    assert [bound for bound, n in zip(BOUNDS, point.bucket_counts, strict=False) if n] == [0.25]


def test_many_names_are_split_into_parts() -> None:
    recorder = Recorder(0.0)
    for number in range(100):
        recorder.call(FinishedCall("WS", f"rpc.{number}", 0.0, 0.001, 0, None, 0.001))
    parts = list(metric_parts(fine(recorder), STATE, PERIOD, RESOURCE))
    found = [metric for metric in sent(parts) if isinstance(metric.data, ExponentialHistogram)]
    assert len(parts) > 4
    assert sum(len(metric.data.data_points) for metric in found) == 200


def event(call: FinishedCall, **known: str) -> TraceEvent:
    return event_of(call, 1000.0) | {"player": hashed("device"), **known}  # type: ignore[return-value]


def test_a_player_is_a_trace_and_its_calls_are_spans() -> None:
    info = RunInfo(
        "duel", datetime(2026, 1, 1, tzinfo=UTC), Target("h"), is_emulator=False, users=1, spawn_rate=1.0
    )
    events = [
        event(FinishedCall("POST", "/v2/account", 1.0, 0.25, 9, None)),
        event(
            FinishedCall("WS", "rpc", 2.0, 0.5, 0, RequestTimeout("no 1b4f0c4e"), None, "7"),
            uid=hashed("u"), sid=hashed("s"),
        ),
        event(FinishedCall("WS", "ping", 2.0, 0.5, 0, Abandoned("stopped"))),
        event(FinishedCall("PUSHED", "match_data", 3.0, 0.0, 9, None, 0.01)),
    ]  # fmt: skip
    root, post, rpc, ping, push = spans(events, info, RESOURCE)
    assert (root.name, root.parent) == ("player", None)
    assert (root.start_time, root.end_time) == (1001 * 10**9, 1003 * 10**9)
    ids = {span.context.span_id for span in (root, post, rpc, ping, push) if span.context is not None}
    assert len(ids) == 5
    assert all(span.parent == root.context for span in (post, rpc, ping, push))
    assert (post.start_time, post.end_time) == (1001 * 10**9, 1001_250_000_000)
    assert [span.kind for span in (post, rpc, push)] == [SpanKind.CLIENT, SpanKind.CLIENT, SpanKind.CONSUMER]
    assert [span.status.status_code for span in (post, rpc, ping)] == [
        StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET,
    ]  # fmt: skip
    attributes = dict(post.attributes or {}) | dict(rpc.attributes or {})
    expected = {
        "http.request.method": "POST", "url.template": "/v2/account", "server.address": "h",
        "server.port": 7350, "rpc.method": "rpc", "network.protocol.name": "websocket",
        "error.type": "RequestTimeout", "user.hash": hashed("u"), "session.id": hashed("s"),
        "nakama_bots.cid": "7", "nakama_bots.outcome": "timeout",
    }  # fmt: skip
    assert {key: attributes.get(key) for key in expected} == expected
    assert "1b4f0c4e" not in str(attributes)
    assert (push.attributes or {})["nakama_bots.waited_ms"] == 10.0
