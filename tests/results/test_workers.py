from __future__ import annotations

from dataclasses import replace

import pytest

from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Interval, gauges_only
from nakama_bots.results.record.workers import COMPLETE, MISSING, ReportHead, WorkerRecord
from nakama_bots.results.show.text import WIDTH, end_of_run
from nakama_bots.results.summary import build_summary, check_summary

from .conftest import ENDED

STARTED = 1_000_000.0


def head(number: int) -> ReportHead:
    return {"number": number, "index": 1, "host": "generator-2", "pid": 4711}


def interval(second: float, **counts: int) -> Interval:
    recorder = Recorder(0.0)
    for name, number in counts.items():
        recorder.count(name, number)
    return {**gauges_only("w", STARTED + second, 1.0, {}), "recorded": recorder.recorded()}


@pytest.fixture
def record() -> WorkerRecord:
    record = WorkerRecord("generator-2_abc", 1)
    record.hear(head(1), 53.0)
    record.add(interval(2.0, chat_sent=2, x=1), 5)
    record.add(interval(3.0, chat_sent=3), 6)
    return record


def test_a_worker_that_reported_everything_is_complete(record: WorkerRecord) -> None:
    record.end(1)
    part = record.part(started=STARTED, now=60.0)
    assert (part["state"], part["missing"], part["lost_reports"]) == (COMPLETE, "", 0)
    assert (part["host"], part["pid"], part["index"]) == ("generator-2", 4711, 1)
    assert (part["joined_s"], part["figures_until_s"], part["report_age_s"]) == (2.0, 4.0, 7.0)
    assert (part["calls"], part["counts"]) == (11, {"chat_sent": 5, "x": 1})


def test_the_missing_figures_of_a_lost_worker_are_named(record: WorkerRecord, run, recorder) -> None:
    part = record.part(started=STARTED, now=60.0)
    assert (part["state"], part["missing"]) == (MISSING, "its figures after second 4.0")
    never = WorkerRecord("generator-3_def", 2).part(started=STARTED, now=60.0)
    assert never["missing"] == "all of its figures"
    whole = WorkerRecord("generator-4_ghi", 0)
    whole.end(0)
    parts = [whole.part(started=STARTED, now=60.0), part, never]
    summary = build_summary(run, recorder, ended=ENDED, duration=30.0, workers=parts)
    assert check_summary(summary)["workers"] == parts
    lines = end_of_run(summary).splitlines()
    at = lines.index("workers: 1 of 3 with complete figures")
    assert lines[at + 1 : at + 5] == [
        "  worker 1 (generator-2, pid 4711) is MISSING: last report 7.0 s before the end, 11 calls counted",
        "    not among the figures: its figures after second 4.0",
        "  worker 2 (generator-3_def) is MISSING: never reported, 0 calls counted",
        "    not among the figures: all of its figures",
    ]
    long = replace(record, host="h" * 300).part(started=STARTED, now=60.0)
    text = end_of_run(build_summary(run, recorder, ended=ENDED, duration=30.0, workers=[long]))
    assert max(map(len, text.splitlines())) <= WIDTH


def test_lost_reports_are_counted(record: WorkerRecord) -> None:
    record.hear(head(4), 56.0)
    record.hear(head(5), 57.0)
    record.end(6)
    part = record.part(started=STARTED, now=60.0)
    assert (part["reports"], part["lost_reports"], part["state"]) == (3, 3, MISSING)
    assert part["missing"] == "3 reports that did not arrive"
