"""The capacity search on simulated servers of known capacity, the scalability law, and the printed answer."""

from __future__ import annotations

import dataclasses
import functools
import math
import random

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.results.capacity.answer import answer_lines, exit_code, verdict_of
from nakama_bots.results.capacity.bisection import Bisection
from nakama_bots.results.capacity.document import PLAYERS, Cause
from nakama_bots.results.capacity.search import MOST_TRIALS, Search, SearchPlan, check_gate, warmup_of
from nakama_bots.results.capacity.trial import TrialFacts, no_trial
from nakama_bots.results.capacity.usl import fit, throughput
from nakama_bots.results.gate.gate_file import parse_gate

PLAN = SearchPlan(10, 1000, trial=60.0, warmup=10.0, settle=5.0)
TEXT = "[gate]\nallow_emulator = true\n[[rule]]\nname = 'quick'\ncalls = '*'\nexpect = 'p95 <= 20 ms'\n"


def trial(load, outcome, cause="", why=()):
    return no_trial(TrialFacts(load, PLAYERS, 1, 0.0, 60.0), cause, "") | {
        "outcome": outcome, "why": list(why), "rate": load * 2.0,
        "rule": "quick" if outcome == Outcome.FAILED else "",
    }  # fmt: skip


def too_slow(load):
    return trial(load, Outcome.INVALID, Cause.GENERATOR, ["too slow"])


def lead(judge, plan=PLAN, required=None):
    """Run a whole search; ``judge`` returns the outcome of a load, or a trial. A trial takes a minute."""
    search = Search(plan, "http://h", required)
    while (load := search.next(60.0 * len(search.trials))) is not None:
        found = judge(load)
        search.add(found if isinstance(found, dict) else trial(load, found))
    return search.answer(60.0 * len(search.trials))


def holding(capacity):
    return lambda load: Outcome.PASSED if load <= capacity else Outcome.FAILED


@functools.cache
def found(capacity):
    return lead(holding(capacity))


def searched(seed, edge, low=50, high=5000):
    """Search a server that passes at load n with probability 1 / (1 + (n / capacity) ** (1 / edge))."""
    generator = random.Random(seed)
    capacity = math.exp(generator.uniform(math.log(80), math.log(4000)))
    search = Bisection(low, high)
    while not search.done() and search.trials < MOST_TRIALS:
        load = search.next()
        exponent = max(-60.0, min(60.0, (math.log(load) - math.log(capacity)) / edge))
        search.add(load, passed=generator.random() < 1 / (1 + math.exp(exponent)))
    return capacity, search


def test_searches_find_the_capacity():
    """``benchmarks/capacity.py`` checks accuracy with more searches and fuzzy edges."""
    for seed in range(5):
        capacity, search = searched(seed, 0.0001)
        estimate = search.estimate()
        assert abs(estimate.value / capacity - 1) <= 0.05
        assert estimate.low <= capacity <= estimate.high
        assert search.trials <= MOST_TRIALS


def test_a_server_that_passes_every_load():
    part = lead(holding(math.inf))
    assert (part["bound"], part["value"], part["ended"]) == ("at least", 1000, "the greatest load passed")
    assert len(part["trials"]) <= 6
    assert "at least 1,000 players (no trial failed)" in "\n".join(answer_lines(part))


def test_a_server_that_fails_at_the_lowest_load():
    part = found(0)
    assert (part["bound"], part["high"]) == ("below", 10)
    assert part["ended"] == "the server fails already at 10 players"
    assert exit_code(part) == ExitCode.GATE_FAILED


def test_the_limit_of_the_generator_is_not_that_of_the_server():
    def judge(load):
        return too_slow(load) if load > 150 else Outcome.PASSED

    part = lead(judge)
    assert part["bound"] == "at least"
    assert part["value"] <= 150 < part["generator_limit"] <= part["value"] * 1.1
    assert not part["broke_first"]
    shown = "\n".join(answer_lines(part))
    assert "the generator ends there, not the server" in shown
    assert "too slow" in shown


def test_failures_above_the_limit_of_the_generator_do_not_count():
    def judge(load):
        return Outcome.FAILED if load == 100 else too_slow(load)

    part = lead(judge)
    assert {trial["outcome"] for trial in part["trials"]} == {Outcome.INVALID}
    assert part["trials"][0]["why"][0].startswith("the generator could not even run ")
    assert not part["broke_first"]
    assert part["value"] is None
    assert exit_code(part) == ExitCode.INVALID


def test_a_single_slow_trial_of_the_generator_is_repeated():
    bad = iter([False, True])

    def judge(load):
        return too_slow(load) if next(bad, False) else holding(300)(load)

    part = lead(judge)
    assert part["bound"] == "interval"
    assert part["low"] <= 300 <= part["high"]


def test_a_generator_that_cannot_run_the_lowest_load():
    part = lead(too_slow)
    assert part["value"] is None
    assert part["ended"] == "the generator cannot run 10 players: too slow"
    assert exit_code(part) == ExitCode.INVALID


def test_a_trial_without_figures_is_repeated_once():
    lost = iter([True, False])
    loads = []

    def judge(load):
        loads.append(load)
        return (
            trial(load, Outcome.INVALID, Cause.FIGURES, ["a worker was lost"])
            if next(lost, False)
            else holding(300)(load)
        )

    part = lead(judge)
    assert loads[0] == loads[1]
    assert part["bound"] == "interval"
    assert part["low"] <= 300 <= part["high"]


def test_more_processes_repeat_the_load():
    search = Search(PLAN, "t")
    load = search.next(0.0)
    search.add(too_slow(load), more_processes=True)
    assert search.next(1.0) == load
    search.add(trial(load, Outcome.PASSED))
    assert search.next(2.0) > load


@pytest.mark.parametrize(
    ("cause", "why"), [(Cause.UNREACHABLE, "since trial 3 with"), (Cause.TARGET, "refused")]
)
def test_a_permanent_failure_ends_the_search(cause, why):
    outcomes = iter([Outcome.PASSED, Outcome.FAILED])

    def judge(load):
        return next(outcomes, None) or trial(load, Outcome.INVALID, cause, ["connection refused"])

    part = lead(judge)
    assert why in part["ended"]
    assert (exit_code(part) == ExitCode.UNREACHABLE) == (cause == Cause.UNREACHABLE)
    assert len(part["trials"]) == 3
    assert part["low"] < part["high"]


def test_a_search_ends_within_its_time():
    part = lead(holding(300), dataclasses.replace(PLAN, most_seconds=200.0))
    assert len(part["trials"]) == 3
    assert part["ended"].startswith("the next trial would not end within 200 s, and the interval is ")


def test_neighbouring_loads_are_narrow_enough():
    part = lead(holding(6), dataclasses.replace(PLAN, low=3, high=12))
    assert part["ended"] == "the interval is narrow enough"
    assert part["low"] <= 7
    assert part["high"] >= 6


@pytest.mark.parametrize(
    ("text", "trial_seconds", "line"),
    [
        (TEXT + "severity = 'warn'\n", 60.0, "a gate with a rule that can break"),
        (TEXT.replace("[gate]", "[gate]\nwarmup = '50 s'\ncooldown = '10 s'"), 60.0, "longer than its warm-up"),
    ],
)
def test_a_gate_that_cannot_judge_a_trial_is_refused(text, trial_seconds, line):
    gate = parse_gate(text, "g.toml")

    def check():
        check_gate(gate, "--gate")
        warmup_of(gate, trial_seconds, "trial")

    with pytest.raises(ConfigError, match=line):
        check()


def test_one_outlier_does_not_decide():
    search = Bisection(50, 5000)
    search.add(1000, passed=False)
    for load in (1000, 1000, 1100, 1200):
        search.add(load, passed=True)
    assert search.estimate().value > 1000


def test_the_fit_recovers_the_scalability_law():
    law = {"lam": 10.0, "contention": 0.02, "coherency": 0.00001}
    found = fit([(load, throughput(law, load)) for load in (1, 10, 50, 100, 300, 600)])
    assert found is not None
    assert (found["lam"], found["contention"], found["coherency"]) == pytest.approx(
        (10.0, 0.02, 0.00001), rel=1e-6
    )
    assert found["peak"] == pytest.approx(math.sqrt(0.98 / 0.00001))
    assert found["r2"] == pytest.approx(1.0)


def test_no_peak_without_coherency_and_no_fit_with_few_loads():
    assert fit([(load, 5.0 * load) for load in (1, 2, 3, 4, 5)])["peak"] is None
    assert fit([(1, 1.0), (2, 2.0), (2, 2.0), (2, 2.1)]) is None


def test_the_answer_names_what_broke_first_at_the_lowest_load():
    def judge(load):
        return trial(load, Outcome.FAILED, why=[f"p95 {load} ms, limit 20 ms"]) if load > 47 else Outcome.PASSED

    part = lead(judge)
    assert 45 < part["value"] < 52
    least = min(trial["load"] for trial in part["trials"] if trial["outcome"] == Outcome.FAILED)
    assert part["broke_first"] == f"quick: p95 {least} ms, limit 20 ms"
    assert part["operating_point"] == int(part["low"] * 0.75)
    assert part["usl"]["lam"] == pytest.approx(2.0)
    shown = "\n".join(answer_lines(part))
    assert "90 % interval" in shown
    assert f"what broke first: quick: p95 {least} ms" in shown


@pytest.mark.parametrize(
    ("capacity", "required", "code"),
    [
        (5000, None, ExitCode.PASSED),
        (5000, 900, ExitCode.PASSED),
        (5000, 1100, ExitCode.INVALID),
        (300, 200, ExitCode.PASSED),
        (300, 300, ExitCode.INVALID),
        (300, 400, ExitCode.GATE_FAILED),
        (0, 100, ExitCode.GATE_FAILED),
    ],
)
def test_exit_codes_by_required_capacity(capacity, required, code):
    part = found(capacity) | {"required": required}
    assert exit_code(part) == code
    assert verdict_of(part, "g.toml").exit_code == code


def test_faults_and_missing_files_override_the_answer():
    part = found(300)
    assert verdict_of(part, "g.toml", faults=["a user died"]).exit_code == ExitCode.FAILURES
    assert verdict_of(part, "g.toml", missing=["disk full"]).exit_code == ExitCode.INVALID


def test_a_search_without_trials_has_no_answer():
    part = Search(PLAN, "t").answer(1.0)
    assert exit_code(part) == ExitCode.INVALID
    assert "not measured" in "\n".join(answer_lines(part))
    assert part["ended"] == "it was interrupted"
