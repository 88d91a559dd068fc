"""The judge during a run: a failing outlook, which only exports show, must not affect the verdict."""

from __future__ import annotations

from typing import cast

import gevent
import pytest

from nakama_bots.load.figures.intervals import LOCAL, Totals
from nakama_bots.load.judge import Judge
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.rules import Gate, Rule
from nakama_bots.results.record.recorder import Recorder

from .running import poll


def test_a_failing_outlook_is_no_gap(caplog: pytest.LogCaptureFixture) -> None:
    totals, recorder = Totals(), Recorder(0.0)
    recorder.call(FinishedCall("WS", "ping", 0.0, 0.1, 0, None))
    at = totals.timeline.started
    totals.add({"source": LOCAL, "at": at, "seconds": 1.0, "recorded": recorder.drain(), "gauges": {}})
    broken = Rule("broken", "broken", "calls", "p95", "<=", cast("float", "not a number"))
    judge = Judge(Gate("gate.toml", (broken,)), totals, lambda: None, watch_all=True)
    judge.start()
    try:
        for _ in poll(lambda: "cannot be computed" in caplog.text or len(totals.gaps) > 0, timeout=60.0):
            gevent.sleep(0.05)
    finally:
        judge.stop()
    assert list(totals.gaps) == []
    assert judge.outlook() == "passed"
