"""A run with every part that a report shows; its time line and summary agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nakama_bots import observer
from nakama_bots.errors import RequestTimeout, realtime_error
from nakama_bots.exit_codes import Outcome
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.verdict import SCHEMA
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline, gauges_only
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.show.report.view import RunView, bins_of
from nakama_bots.results.summary import build_summary
from results.conftest import COUNTS, STARTED

SECONDS = 30
START = STARTED.timestamp()


def record(recorder, second):
    for number in range(20):
        elapsed = (number + 1 + second) / 1000
        recorder.call(FinishedCall("WS", "match_join", 0.0, elapsed, 120, None))
        recorder.call(FinishedCall("WS", "ping", 0.0, elapsed / 2, 7, None))
        recorder.call(FinishedCall("POST", "/v2/account/authenticate/device", 0.0, elapsed * 2, 700, None))
        recorder.sample(observer.TICK_LATENESS, elapsed / 10)
        recorder.sample(observer.DELIVERY_LATENCY, elapsed / 3)
        recorder.sample(observer.DELIVERY_LATENCY + observer.CORRECTED, elapsed / 2)
    recorder.call(FinishedCall("PUSH", "matchmaker_matched", 0.0, 1.5, 400, None))
    recorder.sample("fishing_time", 12.5)
    recorder.sample("delivery.chat", 0.004)
    recorder.count("delivery.chat_lost", 2)
    recorder.sample("delivery.chat.Duel", 0.004)
    recorder.count("delivery.chat.Duel.lost", 2)
    recorder.count("reconnects")
    recorder.sample("reconnect", 0.5)
    error = realtime_error(4, "Match <b>not</b> found", operation="match_join", elapsed=0.02)
    recorder.call(FinishedCall("WS", "match_join", 0.0, 0.02, 0, error))
    if second == 7:
        timeout = RequestTimeout("no answer within 10.0 s", operation="channel_join")
        recorder.call(FinishedCall("WS", "channel_join", 0.0, 10.0, 0, timeout))
    if second == 0:
        for name, number in COUNTS.items():
            recorder.count(name, number)


@pytest.fixture
def timeline():
    timeline = Timeline(START)
    for second in range(SECONDS):
        for source in ("worker-1", "worker-2"):
            recorder = Recorder(0.0)
            if source == "worker-1":
                record(recorder, second)
            timeline.add({
                "source": source, "at": START + second, "seconds": 1.0, "recorded": recorder.drain(),
                "gauges": {"users": 10.0, "sockets": 9.0},
            })  # fmt: skip
        server_gauges = {"server.sessions": 18.0 + second, "server.latency_p95": 0.004, "server.fish": 7.0}
        timeline.add(gauges_only("server", START + second, 1.0, server_gauges))
    return timeline


@pytest.fixture
def view(run, timeline):
    total = without_ends(timeline, 0.0, 0.0).recorder
    summary = build_summary(run, total, ended=STARTED + timedelta(seconds=SECONDS), duration=float(SECONDS))
    return RunView("20260304-050607-duel", summary, bins_of(timeline), verdict(run))


def verdict(run):
    rule = {
        "name": "join p99", "outcome": "failed", "severity": "fail", "subject": "WS match_join",
        "relation": "<=", "expectation": "WS match_join p99 <= 20 ms",
        "limit": 20.0, "measured": 48.0, "unit": "ms",
        "samples": 600, "min_samples": 1, "matched": 1, "broken": 1,
        "message": "p99 48 ms, limit 20 ms (WS match_join, 600 samples)",
    }  # fmt: skip
    return {
        "schema": SCHEMA, "verdict": Outcome.FAILED.value, "exit_code": 3,
        "why": [f"join p99: {rule['message']}"],
        "gate": "ci.toml", "scenario": run.scenario, "started": STARTED.isoformat(), "target": "x",
        "is_emulator": False, "rules": [rule, rule | {"name": "enough", "outcome": "passed"}],
    }  # fmt: skip


@pytest.fixture
def emulator_run(run):
    return replace(run, is_emulator=True)
