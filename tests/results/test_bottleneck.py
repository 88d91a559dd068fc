"""What breaks first, in synthetic time lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nakama_bots import observer
from nakama_bots.results.bottleneck.bins import RunBins
from nakama_bots.results.bottleneck.figures import FIGURES
from nakama_bots.results.bottleneck.rules import RULES
from nakama_bots.results.bottleneck.verdict import bottleneck
from nakama_bots.results.record import gauges
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import SERVER, SERVER_PREFIX, Timeline, gauges_only
from nakama_bots.results.server.log import INPUT_QUEUE, OUTGOING_QUEUE, LimitLog
from nakama_bots.results.show.bottleneck import bottleneck_lines

START = 1_700_000_000.0
STEPS = (10,) * 20 + (20,) * 20 + (40,) * 40
"""Players in each second."""


def run(steps=STEPS, *, levels=None, rates=None, counts=None, delivery=None, report=5, scrape=5):
    """A run whose server's figures are functions of the players.

    ``rates`` grow per second; the server reports every ``report`` seconds and is read every ``scrape``.
    """
    timeline = Timeline(START)
    totals: dict[str, float] = {"messages": 0.0}
    reported = dict(totals)
    for second, players in enumerate(steps):
        recorder = Recorder(0.0)
        for name, of in (counts or {}).items():
            recorder.count(name, of(players))
        if delivery is not None:
            for _ in range(5):
                recorder.sample(observer.DELIVERY_LATENCY, delivery(players))
        timeline.add({
            "source": "local", "at": START + second, "seconds": 1.0, "recorded": recorder.drain(),
            "gauges": {gauges.USERS: float(players)},
        })  # fmt: skip
        totals["messages"] += 1
        for name, of in (rates or {}).items():
            totals[name] = totals.get(name, 0.0) + of(players)
        if (second + 1) % report == 0:
            reported = dict(totals)
        if (second + 1) % scrape == 0:
            read = {name: of(players) for name, of in (levels or {}).items()} | reported
            named = {SERVER_PREFIX + name: float(value) for name, value in read.items()}
            timeline.add(gauges_only(SERVER, START + second + 1 - scrape, scrape, named))
    return timeline


def above(players, high, low=0.0):
    """``high`` for more than ``players`` players."""
    return lambda now: high if now > players else low


def named(timeline, **kwargs):
    return bottleneck([RunBins(timeline)], **kwargs)


POOLS = {"levels": {"lua_runtimes": lambda _: 4, "processors": lambda _: 4, "cpu": lambda _: 2.4}}
JOINED = {observer.AUTHORITATIVE_JOINED: lambda _: 1}


@pytest.mark.parametrize(
    ("planted", "name", "players"),
    [
        ({"rates": {"db_wait_seconds": above(15, 3.0), "db_waits": above(15, 60)}}, "the database pool", 20),
        (POOLS | {"rates": {"rpc_seconds": above(30, 9.0, 1.0)}}, "the pool of Lua runtimes", 40),
        ({"levels": {"postgres_waiting_for_locks": above(30, 5)}}, "locks in the database", 40),
        ({"levels": {"cpu": above(30, 3.7, 1.0), "processors": lambda _: 4}}, "the server's CPU", 40),
        ({"rates": {"matchmaker_seconds": above(30, 0.8, 0.1)}}, "the matchmaker's runs", 40),
        (POOLS | {"rates": {"gc_seconds": above(30, 0.1)}}, "garbage collection", 40),
        ({"rates": {"dropped_events": above(15, 2)}}, "runtime events", 20),
        ({"delivery": above(30, 0.6, 0.03), "counts": JOINED}, "the match loop", 40),
        ({"delivery": above(30, 0.6, 0.03)}, "the relay of match data", 40),
        ({"counts": {observer.QUEUE_FULL_CLOSES: above(15, 1, 0)}}, "outgoing queues", 20),
        (
            {"counts": {observer.INPUTS_SENT: lambda now: now * 20, observer.INPUTS_DROPPED: above(30, 40, 0)}},
            "a match's input queue",
            40,
        ),
        (
            {"counts": {observer.SERVER_TICKS_DUE: lambda _: 20, observer.SERVER_TICKS: above(15, 15, 20)}},
            "the match loop",
            20,
        ),
        (
            {"rates": {"before_hook_seconds": above(30, 6, 0.1), "before_hooks": lambda _: 30,
                       "request_seconds": lambda _: 8}},
            "before hooks",
            40,
        ),
    ],
)  # fmt: skip
def test_a_bottleneck_is_named_with_the_players_it_starts_at(planted, name, players):
    verdict = named(run(**planted))
    assert (verdict["named"], verdict["found"][0]["players"]) == (name, players)
    assert f"from {players} players on" in verdict["text"]
    assert verdict["most_players"] == 40


def test_long_matchmaker_waits_point_to_the_interval():
    """Each of 20 players waits 14 s of every 20 s for a match."""
    timeline = Timeline(START)
    for second in range(120):
        recorder = Recorder(0.0)
        recorder.count(observer.TICKETS_ADDED)
        recorder.count(observer.TICKETS_MATCHED, int(second >= 14))
        timeline.add({
            "source": "local", "at": START + second, "seconds": 1.0, "recorded": recorder.drain(),
            "gauges": {gauges.USERS: 20.0},
        })  # fmt: skip
    verdict = named(timeline)
    assert verdict["named"] == "the matchmaker's interval"
    assert "wait for a match 14" in verdict["text"]


def test_nothing_stands_out_in_a_healthy_run():
    healthy = run(
        levels={"cpu": lambda now: now / 40, "processors": lambda _: 2, "lua_runtimes": lambda _: 16,
                "open_files": lambda now: 20 + now, "open_files_max": lambda _: 20000},
        rates={"db_wait_seconds": lambda _: 0, "rpc_seconds": lambda now: now / 20, "gc_seconds": lambda _: 0},
        counts=JOINED, delivery=lambda now: 0.02 + now / 1000,
    )  # fmt: skip
    verdict = named(healthy)
    assert (verdict["named"], verdict["found"]) == ("", [])
    assert verdict["text"].startswith("not clear: nothing stands out")
    assert "presence events" in verdict["not_measured"]
    assert "the database pool" not in verdict["not_measured"]


def test_a_short_spike_is_no_bottleneck():
    spike = (40,) * 30 + (41,) * 5 + (40,) * 45
    assert named(run(spike, rates={"db_wait_seconds": above(40, 9.0)}))["named"] == ""


def test_the_first_to_break_is_first_and_causes_precede_the_cpu():
    both = {
        "levels": {"cpu": above(15, 1.9), "processors": lambda _: 2},
        "rates": {"db_wait_seconds": above(30, 4.0)},
    }
    assert [one["name"] for one in named(run(**both))["found"]] == ["the server's CPU", "the database pool"]
    both["rates"] = {"db_wait_seconds": above(15, 4.0)}
    assert [one["name"] for one in named(run(**both))["found"]] == ["the database pool", "the server's CPU"]


def test_evidence_is_quoted_with_the_value_before():
    verdict = named(
        run(levels={"cpu": lambda _: 1.1, "processors": lambda _: 2}, rates={"db_wait_seconds": above(30, 3.0)})
    )
    [found] = verdict["found"]
    assert found["before"] == 0.0
    assert verdict["text"] == (
        "the database pool: 3.0 calls waited for a connection at any time from 40 players on (before: 0.0), "
        "while: the server's CPU 55 %"
    )
    assert found["source"].startswith("https://")


def test_a_server_that_reports_once_per_minute():
    steps = (10,) * 120 + (40,) * 120
    waits = {"rates": {"db_wait_seconds": above(30, 3.0)}, "report": 60}
    verdict = named(run(steps, **waits))
    assert (verdict["named"], verdict["found"][0]["players"]) == ("the database pool", 40)
    # No report arrived in time, so the pool is listed as not measured.
    verdict = named(run((40,) * 40, **waits))
    assert verdict["named"] == ""
    assert "the database pool" in verdict["not_measured"]


def test_times_from_a_slow_generator_are_left_out():
    slow = run(**POOLS, delivery=above(30, 0.6, 0.03), rates={"gc_seconds": above(30, 0.1)}, counts=JOINED)
    assert named(slow)["named"] == "the match loop"
    verdict = named(slow, generator_slow=True)
    assert verdict["named"] == "garbage collection"
    assert verdict["note"] == "the generator was too slow: the times that it measures are left out"


def test_the_trials_of_a_search_are_judged_together():
    trials = [
        RunBins(run((players,) * 30, rates={"db_wait_seconds": above(15, 2.0)})) for players in (40, 10, 20)
    ]
    verdict = bottleneck(trials)
    assert (verdict["named"], verdict["found"][0]["players"]) == ("the database pool", 20)


def test_log_lines_are_evidence():
    lines = LimitLog(START)
    entry = {"level": "warn", "msg": "Match handler data processing too slow, dropping data message", "m": "x"}
    lines.add(
        json.dumps(entry | {"ts": datetime.fromtimestamp(START + at, UTC).isoformat()}).encode() + b"\n"
        for at in range(-5, 80)
        if at < 0 or at >= 40
    )
    lines.add(
        [
            b"not JSON, session outgoing queue full\n",
            b"Could not write message, session outgoing queue full\n",
            b'{"level":"info","ts":"2026-11-27T12:47:27.750Z","msg":"Startup done"}\n',
        ]
    )
    assert sum(lines.lines[INPUT_QUEUE].values()) == 40
    assert (lines.lines[OUTGOING_QUEUE], lines.bad, lines.read) == ({}, 1, 48)
    verdict = bottleneck([RunBins(run(), lines.lines)], first_lines=lines.first)
    assert verdict["named"] == "a match's input queue"
    assert "dropping data message" in verdict["found"][0]["log"]
    assert "log lines a second" in verdict["text"]
    assert "a match's input queue" not in verdict["not_measured"]


def test_the_cost_per_player_is_a_linear_fit():
    levels = {"cpu": lambda now: 0.1 + now * 0.02, "memory": lambda now: 5e7 * (now % 3)}
    [cpu] = named(run(levels=levels))["sizes"]
    assert cpu == {"figure": "cpu", "idle": 0.1, "per_player": 0.02, "r2": 1.0, "low": 10, "high": 40}
    assert named(run((10,) * 40 + (12,) * 40, levels=levels))["sizes"] == []


def test_a_run_without_rows_has_no_verdict():
    assert named(Timeline(START))["text"].startswith("not clear")


def test_the_end_of_run_shows_verdict_advice_and_missing_figures():
    part = named(run(levels={"cpu": above(15, 1.9, 0.4), "processors": lambda _: 2}))
    lines = [line for line in bottleneck_lines({"bottleneck": part, "settings": {}}, 110) if line]
    assert lines[0].startswith(
        "what breaks first: the server's CPU: it was at 95 % of its processors from 20 players"
    )
    assert any(line.startswith("  advice: more processors or nodes") for line in lines)
    assert any(line.startswith("  not measured: the database pool") for line in lines)
    assert max(map(len, lines)) <= 110


def test_nothing_is_shown_without_server_metrics():
    part = named(run())
    assert bottleneck_lines({"bottleneck": part, "settings": {"metrics": ""}}, 110) == []
    asked = bottleneck_lines({"bottleneck": part, "settings": {"metrics": "http://h:1"}}, 110)
    assert asked[1].startswith("what breaks first: not clear: nothing stands out")
    assert bottleneck_lines({"settings": {}}, 110) == []


def test_the_documentation_has_every_rule():
    page = (Path(__file__).parents[2] / "docs" / "bottlenecks.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if "| <https" in line] == [row(rule) for rule in RULES]


def row(rule):
    figure = FIGURES[rule.figure]
    limits = ["any" if rule.limit < 1e-6 else figure.show(rule.limit)]
    limits += [f"{FIGURES[name].words} {FIGURES[name].show(limit)}" for name, limit in rule.also]
    limits += [f"{rule.grows:g} times as much as at half of the players"] if rule.grows else []
    return f"| {rule.name} | {figure.words} | {', '.join(limits)} | <{rule.source}> |"


def test_every_rule_has_figures_a_source_and_a_text():
    for rule in RULES:
        assert {rule.figure, *rule.beside, *(name for name, _ in rule.also)} <= FIGURES.keys()
        assert rule.source.startswith("https://")
        assert "{value}" in rule.says
