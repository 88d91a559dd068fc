"""The search for a capacity, on servers made up so that the truth is known; the law; the answer in words."""

from __future__ import annotations

import math
import random

import pytest

from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.capacity.answer import answer_of, exit_code, text
from nakama_bots.results.capacity.search import MOST_TRIALS, Bisection
from nakama_bots.results.capacity.usl import Usl, fit


def searched(seed, edge, low=50, high=5000):
    """A search of a server that passes at load n with probability 1 / (1 + (n / capacity) ** (1 / edge))."""
    generator = random.Random(seed)
    capacity = math.exp(generator.uniform(math.log(80), math.log(4000)))
    search = Bisection(low, high)
    while not search.done() and search.trials < MOST_TRIALS:
        load = search.next()
        exponent = max(-60.0, min(60.0, (math.log(load) - math.log(capacity)) / edge))
        search.add(load, passed=generator.random() < 1 / (1 + math.exp(exponent)))
    return capacity, search


@pytest.mark.parametrize("edge", [0.0001, 0.02], ids=["cliff", "fuzzy"])
def test_twenty_searches_find_the_capacity(edge):
    found = [searched(seed, edge) for seed in range(20)]
    estimates = [(capacity, search.estimate()) for capacity, search in found]
    assert sum(abs(estimate.value / capacity - 1) <= 0.05 for capacity, estimate in estimates) >= 18
    assert sum(estimate.low <= capacity <= estimate.high for capacity, estimate in estimates) >= 17
    assert max(search.trials for _, search in found) <= 12


def test_a_server_that_holds_everything_is_at_least_the_greatest_load():
    search = Bisection(10, 100)
    while not search.done():
        search.add(search.next(), passed=True)
    assert search.passed[-1] == 100
    assert search.estimate().at_least
    assert search.trials <= 6


def test_a_server_that_fails_at_the_least_load_is_below_it():
    search = Bisection(10, 1000)
    while not search.done():
        search.add(search.next(), passed=False)
    assert search.failed[-1] == 10
    assert search.estimate().below


def test_the_generators_limit_is_not_the_servers():
    search = Bisection(10, 1000)
    search.limit = 150
    while not search.done():
        load = search.next()
        assert load <= 150
        search.add(load, passed=True)
    assert search.passed[-1] == 150
    assert search.estimate().at_least
    part = answer_of(search, [trial(150, "passed", 1.0)], target="t", ended="e", seconds=1.0)
    assert "at least 150 players (the limit of the generator)" in text(part)


def test_one_trial_against_the_rule_does_not_decide():
    search = Bisection(50, 5000)
    search.add(1000, passed=False)
    for load in (1000, 1000, 1100, 1200):
        search.add(load, passed=True)
    assert search.estimate().value > 1000


def trial(load, outcome, rate, rule="", why=()):
    return {
        "load": load, "outcome": outcome, "rule": rule, "why": list(why), "processes": 1, "seconds": 1.0,
        "rate": rate, "folder": "f", "calls": [],
    }  # fmt: skip


def test_the_law_is_found_again():
    law = Usl(10.0, 0.02, 0.00001, 1.0)
    found = fit([(load, law.at(load)) for load in (1, 10, 50, 100, 300, 600)])
    assert found is not None
    assert (found.lam, found.sigma, found.kappa) == pytest.approx((10.0, 0.02, 0.00001), rel=1e-6)
    assert found.peak == pytest.approx(math.sqrt(0.98 / 0.00001))
    assert found.r2 == pytest.approx(1.0)


def test_a_law_without_coherency_has_no_peak_and_few_loads_have_no_law():
    assert fit([(load, 5.0 * load) for load in (1, 2, 3, 4, 5)]).peak is None
    assert fit([(1, 1.0), (2, 2.0), (2, 2.0), (2, 2.1)]) is None


def test_the_answer_names_what_broke_first_at_the_least_load():
    search = Bisection(10, 1000)
    trials = []
    for load, passed in (
        (100, False),
        (31, True),
        (55, False),
        (40, True),
        (45, True),
        (50, False),
        (47, True),
    ):
        search.add(load, passed=passed)
        why = () if passed else (f"p95 {load} ms, limit 20 ms",)
        trials.append(trial(load, "passed" if passed else "failed", load * 2.0, "" if passed else "quick", why))
    part = answer_of(search, trials, target="http://h", ended="done", seconds=60.0)
    assert part["bound"] == "interval"
    assert 45 < part["value"] < 52
    assert part["broke_first"] == "quick: p95 50 ms, limit 20 ms"
    assert part["operating_point"] == int(part["low"] * 0.75)
    shown = text(part)
    assert "90 % interval" in shown
    assert "what broke first: quick: p95 50 ms" in shown


@pytest.mark.parametrize(
    ("passed", "required", "code"),
    [
        ((True, 1000), None, ExitCode.PASSED),
        ((True, 1000), 900, ExitCode.PASSED),
        ((True, 1000), 1100, ExitCode.INVALID),
        ((False, 20), 100, ExitCode.GATE_FAILED),
    ],
)
def test_exit_codes_by_what_is_required(passed, required, code):
    search = Bisection(10, 1000)
    search.add(passed[1], passed=passed[0])
    part = answer_of(search, [], target="t", ended="e", seconds=1.0)
    assert exit_code(part, required) == code


def test_nothing_measured_is_no_answer():
    part = answer_of(Bisection(10, 1000), [], target="t", ended="the server is gone", seconds=1.0)
    assert exit_code(part, None) == ExitCode.INVALID
    assert "not measured" in text(part)
