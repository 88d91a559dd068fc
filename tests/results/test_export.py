"""Figures for dashboards: exact sums, bounded names; the verdict as a message."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nakama_bots.errors import RequestTimeout, realtime_error
from nakama_bots.observer import FinishedCall
from nakama_bots.results.export.figures import BOUNDS, MOST_NAMES, MOST_PROCESSES, STALE, Durations, Figures
from nakama_bots.results.export.prometheus import pages
from nakama_bots.results.export.series import LABEL_LENGTH, RunState
from nakama_bots.results.export.slack import LONGEST_LINK, job_url, message
from nakama_bots.results.gate.verdict import SCHEMA, VerdictPart
from nakama_bots.results.record.recorder import OTHER, Recorder
from nakama_bots.results.record.timeline import Interval, gauges_only

from .synthetic import INFO

STATE = RunState(INFO, active=True, verdict="passed")


def interval(recorder: Recorder, source: str = "local", at: float = 0.0, **gauges: float) -> Interval:
    return {"source": source, "at": at, "seconds": 1.0, "recorded": recorder.drain(), "gauges": gauges}


def exported(figures: Figures[Durations]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    page = b"".join(pages(figures, STATE)).decode()
    families = list(text_string_to_metric_families(page))
    assert len({family.name for family in families}) == len(families)
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def of(name: str, /, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


@pytest.mark.parametrize("number", [10, 5000])  # as values, and as an HDR text
def test_a_histogram_counts_what_was_recorded(number: int) -> None:
    draw = random.Random(number)
    times = [draw.lognormvariate(-4, 2) for _ in range(number)]
    # No value is so near a bound that the width of a bucket matters.
    times = [time for time in times if all(abs(time / bound - 1) > 0.002 for bound in BOUNDS)]
    figures, recorder = Figures(Durations), Recorder(0.0)
    for half in (times[: number // 2], times[number // 2 :]):
        for time in half:
            recorder.call(FinishedCall("WS", "match_join", 0.0, time, 3, None))
        figures.add(interval(recorder))
    found = exported(figures)
    labels = {"kind": "WS", "name": "match_join", "result": "ok"}
    for bound in BOUNDS:
        counted = found[of("nakama_bots_call_duration_seconds_bucket", le=str(bound), **labels)]
        assert counted == sum(time <= bound for time in times), bound
    assert found[of("nakama_bots_call_duration_seconds_count", **labels)] == len(times)
    total = found[of("nakama_bots_call_duration_seconds_sum", **labels)]
    assert total == pytest.approx(sum(times), abs=len(times) * 1e-6)
    assert found[of("nakama_bots_call_received_bytes_total", kind="WS", name="match_join")] == 3 * len(times)


def test_every_kind_of_figure_has_a_metric() -> None:
    figures, recorder = Figures(Durations), Recorder(0.0)
    recorder.call(FinishedCall("WS", "match_join", 0.0, 0.2, 0, RequestTimeout("no answer within 5 s")))
    recorder.call(
        FinishedCall("WS", "rpc", 0.0, 0.2, 0, realtime_error(3, "no 1b4f0c4e-0000-4000-8000-000000000001"))
    )
    recorder.call(FinishedCall("WS", "rpc", 0.0, 0.2, 0, None, 0.003))
    recorder.sample("delivery", 0.1)
    counts = {"ticks_sent": 7, "tickets_added": 2, "delivery.chat_lost": 1, "ledger.late": 4, "my.count": 9}
    for name, number in counts.items():
        recorder.count(name, number)
    figures.add(interval(recorder, users=3.0, cpu=0.5, loop_busy=0.25, hub_lag=0.01, memory=1e6))
    figures.add(gauges_only("server", 0.0, 1.0, {"server.latency_p95": 0.2, "server.memory": 1e6}))
    found = exported(figures)
    expected = {
        of("nakama_bots_calls_total", kind="WS", name="match_join", outcome="timeout"): 1,
        of("nakama_bots_calls_total", kind="WS", name="match_join", outcome="ok"): 0,
        of("nakama_bots_errors_total", kind="WS", name="match_join", error="RequestTimeout"): 1,
        of("nakama_bots_sample_duration_seconds_count", name="delivery"): 1,
        of("nakama_bots_call_waited_seconds_sum", kind="WS", name="rpc"): 0.003,
        of("nakama_bots_ticks_total", state="sent"): 7,
        of("nakama_bots_matchmaker_tickets_total", step="added"): 2,
        of("nakama_bots_deliveries_total", kind="chat", state="lost"): 1,
        of("nakama_bots_cids_total", state="late"): 4,
        of("nakama_bots_counts_total", name="my.count"): 9,
        of("nakama_bots_users", process="local"): 3,
        of("nakama_bots_cpu_cores", process="local"): 0.5,
        of("nakama_bots_loop_busy_ratio", process="local"): 0.25,
        of("nakama_bots_hub_lag_seconds", process="local"): 0.01,
        of("nakama_bots_memory_bytes", process="local"): 1e6,
        of("nakama_bots_server_latency_seconds", quantile="0.95"): 0.2,
        of("nakama_bots_server_memory_bytes"): 1e6,
        of("nakama_bots_run_verdict", verdict="passed"): 1,
        of("nakama_bots_run_verdict", verdict="invalid"): 0,
    }
    assert {key: found.get(key) for key in expected} == expected
    # A figure that was not counted is absent, not 0.
    assert of("nakama_bots_ticks_total", state="missed") not in found
    assert not any("1b4f0c4e" in str(key) for key in found)


def test_names_beyond_the_limit_share_one_series() -> None:
    figures, recorder = Figures(Durations), Recorder(0.0, limit=10_000)
    for number in range(500):
        recorder.call(FinishedCall("WS", f"rpc.{number}", 0.0, 0.001, 0, RequestTimeout("x")))
        recorder.sample(f"s.{number}", 0.1)
        recorder.count(f"c.{number}")
    recorder.count("ticks_sent", 5)
    figures.add(interval(recorder))
    assert len(figures.calls) == MOST_NAMES + 1
    found = exported(figures)
    assert found[of("nakama_bots_calls_total", kind=OTHER, name=OTHER, outcome="timeout")] == 400
    assert found[of("nakama_bots_folded_names_total", of="calls")] == 1
    assert found[of("nakama_bots_ticks_total", state="sent")] == 5  # the package's own counts keep their series
    assert sum(value for (name, _), value in found.items() if name == "nakama_bots_counts_total") == 500
    assert len(found) < 5000


def test_long_names_have_distinct_labels_of_bounded_length() -> None:
    figures, recorder = Figures(Durations), Recorder(0.0)
    for number in (1, 2):
        recorder.call(FinishedCall("RPC", "x" * 400 + str(number), 0.0, 0.001, 0, None))
    figures.add(interval(recorder))
    names = {dict(labels)["name"] for name, labels in exported(figures) if name == "nakama_bots_calls_total"}
    assert [len(name) for name in names] == [LABEL_LENGTH, LABEL_LENGTH]


def test_exporting_yields_between_names() -> None:
    recorder, paused = Recorder(0.0), []
    for number in range(50):
        recorder.call(FinishedCall("WS", f"rpc.{number}", 0.0, 0.001, 0, None))
        recorder.sample(f"s.{number}", 0.1)
    figures = Figures(Durations)
    figures.add(interval(recorder), pause=lambda: paused.append((len(figures.calls), len(figures.samples))))
    assert paused == [*((n, 0) for n in range(1, 51)), *((50, n) for n in range(1, 51))]
    # A call that is added while the page is written is in all of its metrics or in none.
    parts = pages(figures, STATE)
    page = next(part for part in parts if b"calls_total" in part)
    recorder.call(FinishedCall("WS", "rpc.49", 0.0, 0.001, 0, None))
    figures.add(interval(recorder))
    page += b"".join(parts)
    (ended,) = {
        line.split()[-1] for line in page.splitlines() if b'calls_total{kind="WS",name="rpc.49"' in line
    }
    (counted,) = {
        line.split()[-1]
        for line in page.splitlines()
        if b'duration_seconds_count{kind="WS",name="rpc.49"' in line
    }
    assert ended == counted


def test_stale_processes_have_no_gauges_and_their_number_is_bounded() -> None:
    figures = Figures(Durations)
    for number in range(2 * MOST_PROCESSES):
        figures.add(gauges_only(f"w{number}", 0.0, 1.0, {"users": 1.0}))
    assert len(figures.current()) == MOST_PROCESSES
    assert "processes" in figures.folded
    figures.add(gauges_only("late", STALE + 5, 1.0, {"users": 2.0}))
    assert list(figures.current()) == ["late"]


def test_nothing_is_exported_before_a_run() -> None:
    assert b"".join(pages(Figures(Durations), RunState())) == b""


def verdict(**changes: object) -> VerdictPart:
    part: VerdictPart = {
        "schema": SCHEMA, "verdict": "failed", "exit_code": 3, "why": ["p95 <!channel> & more"], "faults": [],
        "missing": [], "gate": None, "scenario": "duel", "started": "", "target": "http://h:7350",
        "is_emulator": False, "rules": [],
    }  # fmt: skip
    return part | changes  # type: ignore[return-value]


def test_a_message_is_bounded_and_mentions_no_user() -> None:
    text = message(verdict(), "reports/x")["text"]
    assert text == (
        ":x: *FAILED* (exit code 3): duel against http://h:7350\n• p95 &lt;!channel&gt; &amp; more\nreports/x"
    )
    long = message(verdict(why=["x" * 1000] * 500), "")["text"]
    assert len(long) < 5000
    assert long.endswith("and 490 more")


@pytest.mark.parametrize("link", ["https://ci.example.com/" + "x" * 1000, "reports/" + "x" * 1000])
def test_a_link_is_whole_or_left_out(link: str) -> None:
    assert link in message(verdict(), link)["text"]
    assert "xxx" not in message(verdict(), link + "x" * LONGEST_LINK)["text"]


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, ""),
        ({"CI_JOB_URL": "https://gitlab.example.com/j/1"}, "https://gitlab.example.com/j/1"),
        (
            {"GITHUB_SERVER_URL": "https://h", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"},
            "https://h/o/r/actions/runs/7",
        ),
        ({"GITHUB_SERVER_URL": "https://h"}, ""),
    ],
)
def test_the_link_to_the_ci_job(environment: Mapping[str, str], url: str) -> None:
    assert job_url(environment) == url
