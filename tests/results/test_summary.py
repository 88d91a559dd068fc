from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import orjson
import pytest

from nakama_bots.errors import ConfigError, NakamaError
from nakama_bots.observer import FinishedCall
from nakama_bots.results.latency import latency
from nakama_bots.results.record.recorder import OTHER, Recorder
from nakama_bots.results.shapes import check
from nakama_bots.results.show.text import end_of_run
from nakama_bots.results.summary import (
    SCHEMA,
    Summary,
    SummaryError,
    build_summary,
    check_summary,
    recorder_of,
)

from .conftest import ENDED, ORIGIN, STARTED


def test_the_summary_has_its_declared_shape(summary):
    assert summary["schema"] == SCHEMA == "nakama-bots/summary/1"
    check(summary, Summary, "summary")
    check_summary(summary)


def test_run_and_target_are_included(summary):
    assert summary["run"] == {
        "scenario": "duel",
        "started": "2026-03-04T05:06:07.000+00:00",
        "ended": "2026-03-04T05:06:37.250+00:00",
        "duration_s": 30.25,
        "users": 20,
        "spawn_rate": 10.0,
    }
    assert summary["target"] == {"url": "https://game.example.com:443", "is_emulator": False}
    assert summary["versions"] == {"nakama_bots": "0.1.0", "locust": "2.47.0"}
    assert summary["settings"]["id_prefix"] == "nbots"


def test_times_are_in_utc(run, recorder):
    east = timezone(timedelta(hours=9))
    moved = replace(run, started=STARTED.astimezone(east))
    summary = build_summary(moved, recorder, ended=ENDED.astimezone(east), duration=30.25)
    assert summary["run"]["started"] == "2026-03-04T05:06:07.000+00:00"
    assert summary["run"]["ended"] == "2026-03-04T05:06:37.250+00:00"


def test_calls_are_sorted_with_figures_of_successful_ones(summary):
    rows = {(row["kind"], row["name"]): row for row in summary["calls"]}
    assert list(rows) == sorted(rows)
    join = rows["WS", "match_join"]
    assert (join["count"], join["failures"], join["bytes"]) == (1002, 2, 120_000)
    assert join["rate"] == round(1002 / 30.25, 3)
    assert join["outcomes"] == {
        "ok": 1000,
        "server_error": 2,
        "timeout": 0,
        "closed": 0,
        "abandoned": 0,
        "failed": 0,
    }
    # 1,000 calls of 0.01, 0.02 ... 10 ms; the histogram keeps them within 0.1 %.
    times = join["ok_ms"]
    assert (times["count"], times["min"], times["max"], times["mean"]) == (1000, 0.01, 10.0, 5.005)
    expected = {"p50": 5.0, "p75": 7.5, "p90": 9.0, "p95": 9.5, "p99": 9.9, "p99_9": 9.99}
    assert {name: times[name] for name in expected} == pytest.approx(expected, rel=1e-3)
    assert (join["failed_ms"]["count"], join["failed_ms"]["max"]) == (2, 250.0)


def test_a_call_that_never_succeeded_has_no_percentiles(summary):
    (connect,) = [row for row in summary["calls"] if row["name"] == "connect"]
    assert connect["failures"] == connect["count"] == 1
    assert connect["ok_ms"]["count"] == 0
    assert connect["ok_ms"]["p99"] is connect["ok_ms"]["max"] is connect["ok_ms"]["mean"] is None


def test_ticks_delivery_matchmaking_and_chat(summary):
    ticks, delivery, matchmaking = summary["ticks"], summary["delivery"], summary["matchmaking"]
    assert (ticks["sent"], ticks["missed"], ticks["lateness_ms"]["max"]) == (3000, 2, 1.0)
    assert delivery["latency_ms"]["max"] == 2.5
    assert {name: value for name, value in delivery.items() if isinstance(value, int)} == {
        "expected": 3000,
        "received": 2985,
        "missed": 5,
        "lost": 9,
        "unknown": 1,
        "duplicated": 1,
        "reordered": 4,
        "balanced": True,
    }
    # Chat is separate from match data.
    assert summary["deliveries"]["match"] == delivery
    assert (summary["deliveries"]["chat"]["expected"], summary["deliveries"]["chat"]["balanced"]) == (78, False)
    assert summary["deliveries"].keys() == {"match", "chat"}
    assert {name: value for name, value in matchmaking.items() if isinstance(value, int)} == {
        "tickets_added": 22,
        "tickets_matched": 20,
        "tickets_cancelled": 1,
        "tickets_timed_out": 1,
        "tickets_joined": 0,
        "matches_joined": 20,
        "matches_played": 18,
    }
    assert (matchmaking["time_to_match_ms"]["count"], matchmaking["time_to_match_ms"]["max"]) == (20, 2000.0)
    assert summary["chat"] == {"sent": 40, "received": 78}


def test_arrivals_and_dropped_arrivals(run, recorder):
    assert build_summary(run, recorder, ended=ENDED, duration=30.25)["arrivals"]["scheduled"] == 0
    for name, number in (("planned", 10), ("started", 7), ("dropped", 3), ("finished", 5), ("failed", 2)):
        recorder.count(f"arrivals_{name}", number)
    recorder.count("arrivals_dropped_full", 3)
    recorder.sample("arrival_delay", 0.002)
    part = build_summary(run, recorder, ended=ENDED, duration=30.25)["arrivals"]
    assert (part["scheduled"], part["lost"], part["delay_ms"]["p50"]) == (10, 0, 2.0)
    recorder.count("arrivals_scheduled", 14)
    summary = build_summary(run, recorder, ended=ENDED, duration=30.25)
    assert (summary["arrivals"]["scheduled"], summary["arrivals"]["lost"]) == (14, 4)
    lines = end_of_run(summary).splitlines()
    assert "arrivals: 10 planned = 7 started + 3 dropped (0 too late, 3 without a free slot)" in lines
    assert "arrivals LOST with a worker: 4 of 14" in lines


def test_paced_sends_are_raw_and_corrected(run, recorder):
    recorder.sample("paced.WS rpc", 0.01)
    recorder.sample("paced.WS rpc.corrected", 1.0)
    recorder.sample("paced.WS lone", 1.0)
    paced = build_summary(run, recorder, ended=ENDED, duration=30.25)["paced"]
    assert [(part["name"], part["count"]) for part in paced] == [("delivery", 1000), ("WS rpc", 1)]
    assert (paced[0]["raw_ms"]["max"], paced[0]["corrected_ms"]["max"]) == (2.5, 5.0)
    assert (paced[1]["raw_ms"]["p99"], paced[1]["corrected_ms"]["p99"]) == (10.0, 1000.0)


def test_the_ledger_is_balanced(summary):
    ledger = summary["ledger"]
    assert (ledger["sent"], ledger["ok"], ledger["abandoned"], ledger["late"]) == (1234, 1227, 3, 1)
    assert (ledger["pushes"], ledger["pending"], ledger["balanced"]) == (5000, 0, True)


def test_errors_are_sorted_by_frequency_with_an_example(summary):
    errors = summary["errors"]
    assert [error["count"] for error in errors] == [2, 1, 1, 1]
    assert errors[0] == {
        "kind": "WS",
        "name": "match_join",
        "label": "MatchNotFound: 4 MATCH_NOT_FOUND: Match <id> gone",
        "count": 2,
        "first_seen_s": 0.25,
        "example": "match_join: 4 MATCH_NOT_FOUND: Match 2f1c8c1e-0b1c-4d0e-9f5e-3a1b2c3d4e5f gone",
    }


def test_an_abandoned_call_is_not_a_failure(summary):
    (ping,) = [row for row in summary["calls"] if row["name"] == "ping"]
    assert (ping["count"], ping["failures"], ping["outcomes"]["abandoned"]) == (1, 0, 1)
    assert "ping" not in {error["name"] for error in summary["errors"]}


def test_names_of_the_scenario_are_included(summary):
    assert summary["counts"]["fish_caught"] == 7
    assert summary["samples_ms"]["fishing_time"]["max"] == 12_500.0


def test_the_recorder_is_restored_from_the_file(run, recorder, summary):
    again = recorder_of(orjson.loads(orjson.dumps(summary)))
    assert again.recorded() == recorder.recorded()
    assert build_summary(run, again, ended=ENDED, duration=30.25) == summary


def test_two_runs_add_up(summary):
    both = recorder_of(summary)
    both.merge(summary["recorded"])
    assert both.calls["WS", "match_join"].ok.count == 2000
    assert both.counts["ticks_sent"] == 6000


def test_an_empty_run_has_a_summary(run):
    summary = build_summary(run, Recorder(ORIGIN), ended=STARTED, duration=0.0)
    check_summary(summary)
    assert (summary["calls"], summary["errors"], summary["ledger"]["balanced"]) == ([], [], True)
    assert summary["ticks"]["lateness_ms"] == latency(None)


def test_the_other_row_is_last_and_no_duration_gives_no_rate(run):
    recorder = Recorder(ORIGIN, limit=1)
    recorder.call(FinishedCall("WS", "ping", ORIGIN, 0.1, 0, None))
    recorder.call(FinishedCall("WS", "match_join", ORIGIN, 0.1, 0, None))
    rows = build_summary(run, recorder, ended=STARTED, duration=0.0)["calls"]
    assert [(row["kind"], row["rate"]) for row in rows] == [("WS", 0.0), (OTHER, 0.0)]


def test_overflow_and_underflow_are_counted(run):
    recorder = Recorder(ORIGIN)
    recorder.sample("x", 1e6)
    recorder.sample("x", -1.0)
    figures = build_summary(run, recorder, ended=STARTED, duration=1.0)["samples_ms"]["x"]
    assert (figures["overflow"], figures["underflow"], figures["max"]) == (1, 1, 3_600_000.0)


def test_a_secret_setting_is_refused_before_the_run(run):
    with pytest.raises(ConfigError, match="server_key"):
        replace(run, settings={"server_key": "hunter22"})


def with_change(summary, change):
    changed = orjson.loads(orjson.dumps(summary))
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update(schema="nakama-bots/summary/2"), "newer nakama-bots .schema 2.; .* up to 1"),
        (lambda s: s.update(schema="nakama-bots/summary/x"), "not a summary"),
        (lambda s: s.update(schema="k6/summary/1"), "its .schema. is 'k6/summary/1'"),
        (lambda s: s.update(schema=1), "not a summary"),
        (lambda s: s.pop("schema"), "not a summary"),
        (lambda s: s.pop("ledger"), "damaged summary .summary: Object missing required field ledger"),
        (lambda s: s["run"].update(users="20"), r"summary\.run\.users: Expected int, got str"),
        (lambda s: s["recorded"]["calls"][0]["ok"].update(hdr="AAAA"), "recorded: not an encoded"),
        (lambda s: s["recorded"].update(schema="x"), "damaged summary .recorded: the schema"),
    ],
)
def test_bad_summaries_are_refused(summary, change, message):
    with pytest.raises(SummaryError, match=message):
        check_summary(with_change(summary, change))


@pytest.mark.parametrize("value", [None, [], "text", 5, {}])
def test_other_json_is_refused(value):
    with pytest.raises(SummaryError, match="not a summary of nakama-bots"):
        check_summary(value)


def test_the_error_is_a_nakama_error():
    assert issubclass(SummaryError, NakamaError)
