"""The verdict on the generator, from rows in the form that processes send."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.gate.verdict import conclude
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.health import FIGURES, JUDGED, Health, health_of, short_source
from nakama_bots.results.record.timeline import gauges_only
from nakama_bots.results.show.text import WIDTH, end_of_run
from nakama_bots.results.summary import build_summary
from nakama_bots.settings.health_limits import HealthLimits

from .conftest import ENDED

WELL = {"users": 10.0, "cpu": 0.3, "loop_busy": 0.3, "hub_lag": 0.001, "receive_wait": 0.0005}
SLOW = WELL | {"cpu": 0.99, "cpu_own": 0.2, "cpu_scenario": 0.7}
WORKER = "generator.example_" + "0123456789abcdef" * 2


def rows(*gauges, source="local", seconds=1.0):
    return [
        gauges_only(source, number * seconds, seconds, values)
        for number, values in enumerate(gauges, start=100)
    ]


def test_a_process_that_keeps_up_is_valid():
    part = health_of(rows(*[WELL] * 60))
    assert part["valid"]
    assert part["reasons"] == []
    (process,) = part["processes"]
    assert (process["source"], process["seconds"], process["valid"]) == ("local", 60.0, True)
    assert process["figures"]["cpu"] == {"mean": 0.3, "max": 0.3, "over_s": 0.0}


@pytest.mark.parametrize(
    ("slow", "of", "valid"), [(3, 5, True), (4, 5, False), (11, 60, True), (12, 60, False)]
)
def test_slow_seconds_count_above_a_share_and_a_minimum(slow, of, valid):
    part = health_of(rows(*[SLOW] * slow, *[WELL] * (of - slow)))
    assert part["valid"] is valid
    assert part["processes"][0]["figures"]["cpu"]["over_s"] == slow


@pytest.mark.parametrize("name", JUDGED)
def test_each_judged_figure_can_make_a_run_invalid(name):
    (reason,) = health_of(rows(*[WELL | {name: 0.95}] * 10))["reasons"]
    assert reason.startswith(f"local: {FIGURES[name]} above ")
    assert "in 10 of 10 s" in reason


def test_the_reason_says_whose_code_used_the_cpu():
    (reason,) = health_of(rows(*[SLOW] * 10))["reasons"]
    assert reason == ("local: CPU above 90 % in 10 of 10 s (mean 99 %, most 99 %; CPU 70 % in the scenario)")


def test_only_the_slow_worker_is_named():
    part = health_of([*rows(*[WELL] * 10, source="fast"), *rows(*[SLOW] * 10, source=WORKER)])
    assert not part["valid"]
    assert [(process["source"], process["valid"]) for process in part["processes"]] == [
        ("fast", True), (WORKER, False),
    ]  # fmt: skip
    assert part["reasons"][0].startswith("generator.example_012345: CPU")


def test_a_process_without_users_is_not_judged():
    assert health_of(rows(*[SLOW | {"users": 0.0}] * 60))["processes"] == []
    assert health_of(rows(*[{"server.cpu": 1.0}] * 60, source="server"))["processes"] == []


def test_a_long_interval_counts_with_its_length():
    assert not health_of(rows(SLOW, seconds=7.0))["valid"]


def test_ticks_are_judged_only_in_seconds_with_ticks():
    late = WELL | {"tick_lateness": 0.2}
    (reason,) = health_of(rows(*[WELL] * 50, *[late] * 5))["reasons"]
    assert "tick lateness above 50.0 ms in 5 of 5 s" in reason


def test_a_limit_can_be_changed_or_disabled_with_0():
    assert health_of(rows(*[SLOW] * 10), replace(HealthLimits(), cpu=0.0))["valid"]
    assert not health_of(rows(*[WELL] * 10), replace(HealthLimits(), cpu=0.2))["valid"]


def test_health_is_known_during_the_run():
    health = Health()
    verdicts = []
    for row in rows(*[SLOW] * 6):
        health.add(row)
        verdicts.append(bool(health.reasons))
    assert verdicts == [False, False, False, True, True, True]


def test_a_slow_generator_makes_the_run_invalid_without_a_gate(run, recorder):
    summary = build_summary(
        run, recorder, ended=ENDED, duration=10.0, health=health_of(rows(*[SLOW] * 10, source=WORKER))
    )
    verdict = conclude(summary, None)
    assert verdict.exit_code == ExitCode.INVALID
    assert verdict.why[0].startswith("generator too slow: generator.example_012345: CPU above")
    assert "INVALID" in end_of_run(summary, verdict=verdict)
    text = end_of_run(summary)
    assert "TOO SLOW" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_every_figure_is_a_gauge():
    assert set(FIGURES) <= set(GAUGES)
    assert set(JUDGED) <= set(FIGURES)


def test_short_names_of_processes():
    assert short_source("local") == "local"
    assert short_source("a_b") == "a_b"
    assert short_source(WORKER) == "generator.example_012345"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("cpu", 0.5, "50 %"), ("hub_lag", 0.0123, "12.3 ms"), ("users", 1234.0, "1,234"),
     ("receive_backlog", 900.0, "900 B"), ("memory", 85_300_000.0, "85.3 MB")],
)  # fmt: skip
def test_gauges_are_shown_with_readable_units(name, value, shown):
    assert GAUGES[name].show(value) == shown
