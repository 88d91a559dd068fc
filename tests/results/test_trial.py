"""One trial of a capacity search: the judged part of its time line, and its outcome."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nakama_bots import observer
from nakama_bots.observer import FinishedCall
from nakama_bots.results.capacity.document import ARRIVALS, PLAYERS
from nakama_bots.results.capacity.trial import TrialFacts, TrialTimes, judge_trial
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.results.record.purposes import Purpose
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.health_limits import HealthLimits
from nakama_bots.settings.target import Target

GATE = parse_gate("[[rule]]\nname = 'quick'\ncalls = 'WS rpc'\nexpect = 'p95 <= 50 ms'\n", "g.toml")
MUST = Purpose("Duel", ("matches_joined",))
START = 1000.0


def trial(
    seconds=0.01,
    *,
    users=10,
    load=10,
    lag=0.0,
    counts=(),
    emulator=False,
    purposes=(),
    first=0.9,
    gate=GATE,
    **facts,
):
    """Ten seconds of a run; the trial is from 2 to 8, with a slow warm-up of 2 s."""
    timeline = Timeline(START)
    for second in range(10):
        recorder = Recorder(0.0)
        inside = 4 <= second < 8
        for _ in range(10):
            took = seconds if inside else 0.9
            recorder.call(FinishedCall("WS", "rpc", 0.0, took, 10, None, None, ""))
        for name, number in dict(counts).items():
            recorder.count(name, number)
        timeline.add({
            "source": "local", "at": START + second, "seconds": 1.0, "recorded": recorder.recorded(),
            "gauges": {"users": users, "sockets": users, "hub_lag": lag if second == 5 else 0.0, "cpu": 0.5},
        })  # fmt: skip
    info = RunInfo("duel", datetime(2026, 3, 4, tzinfo=UTC), Target("game.example.com"), emulator, 0, 0.0)
    conditions = TrialFacts(load, facts.pop("unit", PLAYERS), 1, 2.0, 9.0, **facts)
    times = TrialTimes(START + 2, START + 8, START + 10)
    return judge_trial(timeline, GATE, info, HealthLimits(), purposes, times, 2.0, conditions)


def test_only_the_measured_part_counts():
    part = trial()
    assert (part["outcome"], part["cause"]) == ("passed", "")
    assert part["rate"] == pytest.approx(10.0)
    assert part["calls"][0]["p95"] == pytest.approx(10, rel=0.01)
    assert part["rules"][0]["measured"] == pytest.approx(10, rel=0.01)
    assert part["gauges"]["users"] == 10


def test_a_broken_rule_fails():
    part = trial(0.08)
    assert (part["outcome"], part["rule"]) == ("failed", "quick")
    assert part["why"][0].startswith("p95 80")


@pytest.mark.parametrize(
    ("conditions", "cause", "why"),
    [
        # One slow second of four: a run would need four, but a trial this short tolerates none.
        ({"seconds": 0.08, "lag": 0.2}, "generator", "generator too slow: local: hub lag"),
        ({"users": 8}, "generator", "only 8 of 10 players took part"),
        ({"seconds": 0.08, "missing": ["1 of 2 workers were lost"]}, "figures", "1 of 2 workers were lost"),
        ({"faults": ["the scenario raised 3 unexpected exceptions"]}, "figures", "the scenario raised"),
        ({"emulator": True}, "target", "the target was the emulator"),
        ({"seconds": 0.08, "alive": False}, "unreachable", "quick: p95 80"),
        ({"purposes": (MUST,), "counts": {"purpose.Duel": 10}}, "figures", "Duel never did what it is for"),
        (
            {"unit": ARRIVALS, "counts": {observer.ARRIVALS_PLANNED: 10, observer.ARRIVALS_DROPPED: 1}},
            "generator",
            "4 of 40 arrivals were dropped",
        ),
    ],
)
def test_trials_that_prove_nothing_are_invalid(conditions, cause, why):
    part = trial(**conditions)
    assert (part["outcome"], part["cause"]) == ("invalid", cause)
    assert why in part["why"][0]
    assert not part["rule"]


def test_a_server_that_blocks_every_player_fails():
    part = trial(0.08, purposes=(MUST,), counts={"purpose.Duel": 10})
    assert part["outcome"] == "failed"
