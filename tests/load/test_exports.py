"""Exports of a run: Prometheus metrics, JSON lines and the webhook; and each of them failing."""

from __future__ import annotations

import json
import os
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nakama_bots.results.run_folder import read_timeline

from .hook import SECRET, hook
from .running import LOCUSTFILES, QUICK, ROOT, TRACE, Locust, assert_no_secret, poll, run

NOBODY = LOCUSTFILES / "nobody.py"
# Exposed by the Go runtime of a real server; the emulator does not have it.
OF_GO = {f"nakama_bots_server_{name}" for name in ("cpu_cores", "goroutines", "memory_bytes")}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(locust: Locust) -> Samples:
    found = re.search(r"metrics for Prometheus at (http://\S+)", locust.output)
    assert found, locust.output
    with urllib.request.urlopen(found[1], timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        page = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, /, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    wanted = frozenset(labels.items())
    return sum(number for (name, of), number in samples.items() if name == metric and wanted <= of)


def assert_dashboard_shows(served: set[str]) -> None:
    """Every metric in a panel of the Grafana dashboard was served by this run."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "nakama-bots.json").read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    asked = {
        panel["title"]: set(re.findall(r"nakama_bots_\w+", json.dumps(panel["targets"]))) for panel in panels
    }
    assert len(panels) > 15
    assert all(asked.values())
    served = served | OF_GO
    assert {title: sorted(names - served) for title, names in asked.items() if names - served} == {}


def test_all_exports_of_a_run(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    with (
        hook() as (url, posted),
        Locust(
            tmp_path / "reports", "-u", "4", "-r", "4", "-t", "120s", "--nakama-prometheus", "0",
            "--nakama-timeline", str(lines), "--nakama-metrics-interval", "0.5",
            environment={"NAKAMA_WEBHOOK": url, "CI_JOB_URL": "https://ci.example.com/7"},
        ) as locust,
    ):  # fmt: skip
        locust.wait_for("metrics for Prometheus at")
        seen: Samples = {}

        def working() -> bool:
            seen.clear()
            seen.update(scrape(locust))
            return value(seen, "nakama_bots_matches_total", step="played") >= 4

        for _ in poll(working):
            pass
        locust.interrupt()
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert value(seen, "nakama_bots_run_active") == 1
    assert value(seen, "nakama_bots_run_verdict", verdict="passed") == 1
    assert value(seen, "nakama_bots_run_verdict", verdict="failed") == 0
    assert value(seen, "nakama_bots_users", process="local") == 4
    assert value(seen, "nakama_bots_calls_total", kind="WS", name="match_join", outcome="ok") >= 4
    assert value(seen, "nakama_bots_matchmaker_tickets_total", step="added") >= 4
    assert value(seen, "nakama_bots_server_sessions") == 4
    joins = {"kind": "WS", "name": "match_join", "result": "ok"}
    counted = value(seen, "nakama_bots_call_duration_seconds_count", **joins)
    assert counted == value(seen, "nakama_bots_calls_total", kind="WS", name="match_join", outcome="ok")
    assert value(seen, "nakama_bots_call_duration_seconds_bucket", le="+Inf", **joins) == counted
    assert 0 < value(seen, "nakama_bots_call_duration_seconds_sum", **joins) < 60 * counted
    assert_dashboard_shows({name for name, _ in seen})
    # The lines written during the run equal the time line in its folder.
    assert list(read_timeline(lines)) == list(locust.timeline)
    [message] = posted
    assert message["path"] == f"/services/{SECRET}?a=b"
    assert message["text"].startswith(":white_check_mark: *PASSED* (exit code 0): duel")
    assert message["text"].endswith("<https://ci.example.com/7|the job>")
    assert_no_secret(locust, SECRET)


def test_failing_exports_are_logged_in_one_line_each_and_change_nothing(tmp_path: Path) -> None:
    with hook(status=500) as (url, posted), socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        locust = run(
            tmp_path, "-u", "2", "-r", "2", "-t", "3s", "--nakama-prometheus", str(port),
            "--nakama-timeline", "/dev/full", "--nakama-webhook", url, locustfile=NOBODY,
        )  # fmt: skip
        assert locust.finish() == 0
    assert TRACE not in locust.output
    errors = [line.split(": ", 1)[1] for line in locust.output.splitlines() if "/ERROR/" in line]
    on = "the run continues without it"
    assert errors == [
        f"--nakama-prometheus: cannot listen on 127.0.0.1:{port} (Address already in use): {on}",
        f"--nakama-timeline: /dev/full cannot be written (No space left on device): {on}",
        f"--nakama-webhook: {url.split('/')[2]} did not accept the verdict (HTTP 500)",
    ]
    assert len(posted) == 1
    assert "gaps" not in locust.summary or locust.summary["gaps"] == []
    assert_no_secret(locust, SECRET)


def test_lines_are_written_to_an_open_descriptor(tmp_path: Path) -> None:
    script = 'exec 7>"$0"; exec "$@"'
    lines = tmp_path / "lines.jsonl"
    locust = run(
        tmp_path / "reports", "-u", "1", "-r", "1", "-t", "2s", "--nakama-timeline", "fd:7", locustfile=NOBODY,
        launcher=("sh", "-c", script, str(lines)),
    )  # fmt: skip
    assert locust.finish() == 0
    assert list(read_timeline(lines)) == list(locust.timeline)


def test_a_reader_that_never_reads_blocks_nothing(tmp_path: Path) -> None:
    # A pipe that is full from the start; it has a reader that reads nothing.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with_room = True
    while with_room:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            with_room = False
    locust = run(
        tmp_path / "reports", "-u", "1", "-r", "1", "-t", "2s", "--nakama-timeline", str(pipe),
        locustfile=NOBODY,
    )  # fmt: skip
    os.close(reader)
    os.close(writer)
    assert locust.finish() == 0
    assert locust.output.count(f"--nakama-timeline: {pipe} has not been read for 5 s") == 1
    assert len(list(locust.timeline)) >= 1


def test_other_paths_and_other_methods_are_refused(tmp_path: Path) -> None:
    with Locust(
        tmp_path, "-t", "60s", "--nakama-prometheus", "0", locustfile=NOBODY, prefix=("--headless", *QUICK)
    ) as locust:
        locust.wait_for("metrics for Prometheus at")
        found = re.search(r"metrics for Prometheus at (http://\S+)/metrics", locust.output)
        assert found
        for path, data, status in (("/other", None, 404), ("/metrics", b"x", 405)):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(found[1] + path, data=data, timeout=30)
            refusal.value.close()
            assert refusal.value.code == status
        locust.interrupt()
        locust.finish()
