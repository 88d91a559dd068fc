"""Figures and traces at an OpenTelemetry collector, a missing or slow collector, and the missing extra."""

from __future__ import annotations

import socket
from collections import defaultdict
from pathlib import Path

import pytest

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.run_folder import read_summary, read_traces
from nakama_bots.results.summary import Summary, recorder_of

from .collector import Collector, collector, labels
from .running import LOCUSTFILES, ROOT, TOKEN, TRACE, Locust, assert_no_secret, free_port, poll, run, until
from .test_web import Web

NOBODY = LOCUSTFILES / "nobody.py"
SECRET = "planted-collector-key-2f9a"
BLOCKER = """\
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name == "opentelemetry" or name.startswith("opentelemetry."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())
"""


def assert_has_all_calls(found: Collector, summary: Summary, *, deltas: bool) -> None:
    """Each histogram has the count and the sum of the summary; with ``deltas`` its points are added up."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    sums: dict[tuple[str, str, str], float] = defaultdict(float)
    for of_point, point in found.histograms("nakama_bots.call_duration"):
        of = dict(of_point)
        key = of["kind"], of["name"], of["result"]
        assert point.zero_count + sum(point.positive.bucket_counts) == point.count
        counts[key] = point.count + deltas * counts[key]
        sums[key] = point.sum + deltas * sums[key]
    for (kind, name), row in recorder_of(summary).calls.items():
        for result, durations in (("ok", row.ok), ("failed", row.failed)):
            assert counts.pop((kind, name, result), 0) == durations.count, name
            total = durations.count * (durations.mean or 0.0)
            assert sums[kind, name, result] == pytest.approx(total, abs=1e-9), name
    assert not counts


def test_a_collector_receives_the_figures_and_the_traces(tmp_path: Path) -> None:
    with collector() as found:
        locust = run(
            tmp_path, "-u", "4", "-r", "4", "-t", "240s", "--nakama-otlp", f"{found.url}/otlp",
            "--nakama-traces", "3",
            environment={
                "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {SECRET}",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
                "OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,deployment.environment.name=ci",
                **until("matches_played"),
            },
        )  # fmt: skip
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert "/ERROR/" not in locust.output
    assert_has_all_calls(found, locust.summary, deltas=False)
    counts = {name: value for labels, value in found.numbers("nakama_bots.ticks") for _, name in labels}
    assert counts["sent"] == locust.summary["counts"]["ticks_sent"]
    verdicts = {dict(labels)["verdict"]: value for labels, value in found.numbers("nakama_bots.run_verdict")}
    assert verdicts == {"passed": 1, "failed": 0, "invalid": 0}
    # One span for each trace event and one for each player: no library of the package is instrumented.
    [folder] = locust.folders
    events = read_traces(folder)
    spans = found.spans()
    roots = [span for span in spans if not span.parent_span_id]
    assert {span.name for span in roots} == {"player"}
    assert len(roots) == len({event["player"] for event in events})
    assert sorted((span.start_time_unix_nano, span.name) for span in spans if span.parent_span_id) == sorted(
        (round(event["at"] * 1e6) * 1000, f"{event['kind']} {event['name']}") for event in events
    )
    # The environment variables of the SDK apply; its secrets and those of the run are in no output.
    assert {head["Authorization"] for head in found.heads} == {f"Bearer {SECRET}"}
    assert {head["Content-Encoding"] for head in found.heads} == {"gzip"}
    attributes = {
        (one.key, one.value.string_value)
        for request in found.metrics for resource in request.resource_metrics
        for one in resource.resource.attributes
    }  # fmt: skip
    assert {("service.name", "mine"), ("deployment.environment.name", "ci")} <= attributes
    assert not any(secret.encode() in body for body in found.bodies for secret in (SECRET, TOKEN))
    assert_no_secret(locust, SECRET)


def test_deltas_add_up_after_a_refusal(tmp_path: Path) -> None:
    with collector(0, 1, 2) as found:
        locust = run(
            tmp_path, "-u", "4", "-r", "4", "-t", "240s", "--nakama-otlp", "environment",
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": found.url,
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
                "OTEL_METRIC_EXPORT_INTERVAL": "300",
                **until("matches_played", seconds=4),
            },
        )  # fmt: skip
        assert locust.finish() == 0
    assert len(found.metrics) > 1
    assert_has_all_calls(found, locust.summary, deltas=True)
    assert locust.output.count("--nakama-otlp: ") == 1
    assert "--nakama-otlp: the collector does not accept what is sent (HTTP 400): the run" in locust.output


def test_a_missing_or_silent_collector_changes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away, slow = free_port(), silent.getsockname()[1]
        for port, reason in ((away, "nothing listens at the target"), (slow, "no answer in 5 s")):
            locust = run(
                tmp_path / str(port), "-u", "1", "-r", "1", "-t", "2s", "--nakama-traces", "2",
                "--nakama-otlp", f"http://127.0.0.1:{port}", locustfile=NOBODY,
                environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "3600"},
            )  # fmt: skip
            assert locust.finish() == 0
            assert TRACE not in locust.output
            assert locust.summary.get("gaps", []) == []
            assert "run: PASSED (exit code 0)" in locust.output
            errors = [line.split(": ", 1)[1] for line in locust.output.splitlines() if "/ERROR/" in line]
            url = f"http://127.0.0.1:{port}"
            line = f"--nakama-otlp: {url} does not accept what is sent ({reason}): the run continues"
            assert errors == [line]


def test_each_run_of_the_web_ui_is_sent_separately(tmp_path: Path) -> None:
    with collector() as found:
        web = Web(tmp_path / "reports", "--nakama-otlp", found.url)
        with web.locust:
            for number in (1, 2):
                assert web.swarm()["success"]
                web.locust.wait_for("All users spawned", number)
                for _ in poll(lambda: "WS,ping" in web.page("/stats/requests/csv")):
                    pass
                web.stop()
                web.locust.wait_for("cid ledger", number)
            web.locust.interrupt()
            assert web.locust.finish() == 0, web.locust.output
    # By the process in the resource: each run has a different one.
    pings = {
        dict(labels(resource.resource.attributes))["service.instance.id"]: point.count
        for request in found.metrics for resource in request.resource_metrics
        for scope in resource.scope_metrics for metric in scope.metrics
        if metric.name == "nakama_bots.call_duration"
        for point in metric.exponential_histogram.data_points
        if {("name", "ping"), ("result", "ok")} <= labels(point.attributes)
    }  # fmt: skip
    recorders = [recorder_of(read_summary(folder)) for folder in web.locust.folders]
    assert sorted(pings.values()) == sorted(recorder.calls["WS", "ping"].ok.count for recorder in recorders)
    assert TRACE not in web.locust.output


def test_the_extra_is_only_needed_for_the_option(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    without = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    locust = run(
        tmp_path / "a", "-t", "1s", "--nakama-otlp", "environment", environment=without, locustfile=NOBODY
    )
    assert locust.finish() == ExitCode.USAGE
    assert TRACE not in locust.output
    assert "--nakama-otlp: 'environment' cannot be used" in locust.output
    assert "pip install 'nakama_bots[otel]'" in locust.output
    assert locust.folders == []
    environment = {**without, **until("ping")}
    with Locust(tmp_path / "b", "-t", "120s", environment=environment, locustfile=NOBODY) as locust:
        assert locust.finish() == 0


def test_a_disabled_sdk_sends_nothing(tmp_path: Path) -> None:
    with collector() as found:
        locust = run(
            tmp_path, "-t", "120s", "--nakama-otlp", found.url, locustfile=NOBODY,
            environment={"OTEL_SDK_DISABLED": "true", **until("ping")},
        )  # fmt: skip
        assert locust.finish() == 0
    assert found.number == 0
