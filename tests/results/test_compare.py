"""Verdicts of comparisons between synthetic runs with a known difference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nakama_bots.results.compare.compare import (
    PAIRED,
    CompareOptions,
    Tolerance,
    compare,
    compare_pairs,
    exit_code,
)
from nakama_bots.results.compare.comparison_text import markdown, table, verdict_line
from nakama_bots.results.record import sparse

from .synthetic import blocks, pairs, profile

PING = ("WS", "ping")
JOIN = ("WS", "match_join")
# docs/reports.md: what it takes to find a change of 10 % at p95.
COUNT = 10_000
BASELINES = 5


@pytest.fixture(scope="module")
def baselines():
    return [profile(f"b{number}", {PING: blocks(f"b{number}", COUNT)}) for number in range(BASELINES)]


def verdicts(comparison):
    return {(row["name"], row["statistic"]): row["verdict"] for row in comparison["rows"]}


def against(rows, baseline_rows, **options):
    return compare(profile("run", rows), [profile("base", baseline_rows)], CompareOptions(**options))


def test_twenty_equal_runs_are_no_regression(baselines):
    comparisons = [
        compare(profile("run", {PING: blocks(f"same {seed}", COUNT)}), baselines) for seed in range(20)
    ]
    assert [comparison["totals"]["regressed"] for comparison in comparisons] == [0] * 20
    assert {exit_code(comparison) for comparison in comparisons} == {0}


def test_ten_percent_at_p95_is_found(baselines):
    found = [
        verdicts(compare(profile("run", {PING: blocks(f"slow {seed}", COUNT, shift=1.1)}), baselines))
        for seed in range(10)
    ]
    assert [each["ping", "p95"] for each in found].count("regressed") >= 9
    assert {each["ping", "p50"] for each in found} == {"same"}


def test_a_much_slower_run_is_found_with_one_baseline():
    comparison = against({PING: blocks("a", 1600, shift=2.0)}, {PING: blocks("b", 1600)})
    assert verdicts(comparison)["ping", "p95"] == "regressed"
    assert exit_code(comparison) == 3
    row = next(row for row in comparison["rows"] if row["statistic"] == "p95")
    assert row["change_low"] > 0.05
    assert row["change"] == pytest.approx(1.0, abs=0.3)
    assert row["run"]["low"] < row["run"]["value"] < row["run"]["high"]


def test_a_much_faster_run_is_improved():
    comparison = against({PING: blocks("a", 1600, shift=0.6)}, {PING: blocks("b", 1600)})
    assert verdicts(comparison)["ping", "p95"] == "improved"
    assert exit_code(comparison) == 0


def test_noisy_baselines_hide_a_change(baselines):
    slow = profile("run", {PING: blocks("slow 3", COUNT, shift=1.1)})
    unlike = [
        profile(f"u{number}", {PING: blocks(f"u{number}", COUNT, between=0.2)}) for number in range(BASELINES)
    ]
    assert verdicts(compare(slow, baselines))["ping", "p95"] == "regressed"
    comparison = compare(slow, unlike)
    assert verdicts(comparison)["ping", "p95"] == "too noisy"
    assert comparison["spread"]["p95"] > 0.05


def test_the_same_seed_gives_the_same_comparison(baselines):
    run = profile("run", {PING: blocks("a", 1600)})
    assert compare(run, baselines[:1]) == compare(run, baselines[:1])
    assert compare(run, baselines[:1]) != compare(run, baselines[:1], CompareOptions(seed=2))


def test_an_estimate_does_not_depend_on_other_names():
    alone = against({PING: blocks("a", 1600)}, {PING: blocks("b", 1600)})
    both = against(
        {PING: blocks("a", 1600), JOIN: blocks("c", 160)}, {PING: blocks("b", 1600), JOIN: blocks("d", 160)}
    )
    assert [row["run"] for row in alone["rows"]] == [
        row["run"] for row in both["rows"] if row["name"] == "ping"
    ]


def test_a_tolerance_by_name():
    runs = ({PING: blocks("a", 1600, shift=1.6)}, {PING: blocks("b", 1600)})
    own = (*CompareOptions().tolerances, Tolerance("WS ping p9?", 1.0))
    assert "regressed" in verdicts(against(*runs)).values()
    comparison = against(*runs, tolerances=own, noise=1.0)
    assert set(verdicts(comparison).values()) == {"same"}
    assert {row["statistic"]: row["tolerance"] for row in comparison["rows"]} == {
        "p50": 0.05, "p95": 1.0, "p99": 1.0,
    }  # fmt: skip


def test_a_change_below_the_floor_is_ignored():
    runs = ({PING: blocks("a", 1600, shift=2.0)}, {PING: blocks("b", 1600)})
    assert "regressed" not in verdicts(against(*runs, floor=1.0)).values()


def test_failures_are_compared_if_a_run_has_any():
    good, bad = blocks("a", 1600), blocks("b", 1600, failing=5)
    assert ("ping", "failures") not in verdicts(against({PING: good}, {PING: good}))
    comparison = against({PING: bad}, {PING: good})
    row = next(row for row in comparison["rows"] if row["statistic"] == "failures")
    assert row["verdict"] == "regressed"
    assert row["run"]["value"] == pytest.approx(4.762)
    assert row["change"] == pytest.approx(4.762)
    assert exit_code(comparison) == 3
    assert verdicts(against({PING: good}, {PING: bad}))["ping", "failures"] == "improved"


def test_names_missing_on_one_side():
    busy, rare = blocks("a", 1600), blocks("b", 16)
    comparison = against({PING: busy, JOIN: busy}, {PING: busy})
    assert verdicts(comparison)["match_join", "p50"] == "new"
    assert exit_code(comparison) == 0
    comparison = against({PING: busy}, {PING: busy, JOIN: busy})
    assert verdicts(comparison)["match_join", "p50"] == "missing"
    assert (comparison["verdict"], exit_code(comparison)) == ("missing", 4)
    comparison = against({PING: busy}, {PING: busy, JOIN: rare})
    assert verdicts(comparison)["match_join", "p50"] == "too few"
    assert exit_code(comparison) == 0


def test_late_bots_say_nothing_about_the_server():
    ticks = ("SAMPLE", "tick_lateness")
    slow, fast = {PING: blocks("a", 1600, shift=2.0)}, {PING: blocks("b", 1600)}
    late, punctual = {ticks: blocks("c", 1600, shift=2.0)}, {ticks: blocks("d", 1600)}
    comparison = against(slow | late, fast | punctual)
    assert verdicts(comparison)["tick_lateness", "p95"] == "generator late"
    assert verdicts(comparison)["ping", "p95"] == "regressed"
    assert (comparison["verdict"], exit_code(comparison)) == ("generator late", 4)
    assert exit_code(against(slow | punctual, fast | punctual)) == 3


def test_punctual_bots_alone_are_not_a_pass():
    ticks, rare = {("SAMPLE", "tick_lateness"): blocks("c", 1600)}, {PING: blocks("a", 16)}
    assert exit_code(against(ticks | rare, ticks | rare)) == 4


def test_calls_in_a_single_burst_are_too_few():
    burst, slow = blocks("a", 1600), blocks("b", 1600, shift=3.0)
    for each in (burst, slow):
        each.ok[1:] = [{} for _ in each.ok[1:]]
    assert burst.spread_over == 1.0
    assert set(verdicts(against({PING: slow}, {PING: burst})).values()) == {"too few"}


def test_too_few_calls_are_not_judged_and_not_a_pass():
    comparison = against({PING: blocks("a", 16, failing=2)}, {PING: blocks("b", 16, failing=2)})
    assert comparison["verdict"] == "not judged"
    assert exit_code(comparison) == 4
    assert "NOT JUDGED: 1 of 4 figures could be judged, 3 with too few calls" in verdict_line(comparison)
    enough = verdicts(against({PING: blocks("a", 400)}, {PING: blocks("b", 400)}, noise=9.0))
    assert enough == {("ping", "p50"): "same", ("ping", "p95"): "same", ("ping", "p99"): "too few"}


def test_names_and_statistics_can_be_chosen():
    rows = {PING: blocks("a", 1600), JOIN: blocks("b", 1600)}
    assert set(verdicts(against(rows, rows, names=("WS pi*",), statistics=("p95",)))) == {("ping", "p95")}


def test_different_runs_have_a_warning():
    rows = {PING: blocks("a", 1600)}
    comparison = compare(profile("run", rows, users=40), [profile("base", rows), profile("base", rows)])
    assert comparison["warnings"] == ["another users: 40 against 20"]
    assert "warning: another users" in table(comparison)
    assert "**warning**" in markdown(comparison)


def test_runs_that_were_timed_in_another_way_have_a_warning():
    rows = {PING: blocks("a", 1600)}
    stamped = replace(profile("run", rows), timed={"sockets": "by the kernel", "REST": "by the kernel"})
    read = replace(profile("base", rows), timed={"sockets": "in the process"})
    assert compare(stamped, [stamped, profile("old", rows)])["warnings"] == []
    assert compare(stamped, [stamped, read])["warnings"] == [
        "another way of timing sockets: by the kernel against in the process"
    ]


def test_regressions_are_first_in_the_texts():
    rows = {PING: blocks("a", 1600, shift=2.0), JOIN: blocks("b", 320)}
    comparison = against(rows, {PING: blocks("c", 1600), JOIN: blocks("b", 320)})
    text, marked = table(comparison), markdown(comparison)
    assert text.splitlines()[-1] == verdict_line(comparison)
    assert verdict_line(comparison).startswith("REGRESSED: 2 regressed; 4 of 6 figures could be judged")
    (line,) = [line for line in text.splitlines() if "  p95  " in line and "ping" in line]
    assert line.startswith("REGRESSED  WS ping")
    assert "not judged: WS match_join: too few for p99 (320 calls, baseline 320)" in text.splitlines()
    assert "| **REGRESSED** | WS ping |" in marked
    assert marked.startswith("### REGRESSED")


def test_names_are_escaped_in_markdown():
    rows = {("WS", "@everyone <b>"): blocks("a", 1600)}
    marked = markdown(against(rows, rows))
    assert "everyone" in marked
    assert "@everyone" not in marked
    assert "<b>" not in marked


def test_coverage_says_how_much_longer_runs_must_be():
    # 320 calls in 60 s judge p50 and p95; p99 needs 1,000, so 127.5 s more.
    rows = {PING: blocks("a", 320)}
    comparison = against(rows, {PING: blocks("b", 320)}, noise=9.0)
    assert comparison["coverage"] == {
        "judged": 2, "figures": 3, "too_few": 1, "too_noisy": 0, "more_seconds": 127.5, "more_baselines": None,
    }  # fmt: skip
    assert verdict_line(comparison) == (
        "SAME: 2 of 3 figures could be judged, 1 with too few calls (to judge more: 3 more minutes)"
    )


def test_more_baselines_are_suggested_if_they_help():
    noisy = {PING: blocks("n", COUNT, within=0.1)}
    few = [profile("b0", {PING: blocks("b0", COUNT)})]
    comparison = compare(profile("run", noisy), few, CompareOptions(noise=0.06, statistics=("p50",)))
    (row,) = comparison["rows"]
    assert row["verdict"] == "too noisy"
    enough = [profile(f"b{n}", {PING: blocks(f"b{n}", COUNT)}) for n in range(1 + (row["more_baselines"] or 0))]
    assert row["more_baselines"] is None or len(enough) > 1
    assert row["more_seconds"] is None or row["more_seconds"] > 0


def test_required_figures_must_be_judged():
    runs = ({PING: blocks("a", 320)}, {PING: blocks("b", 320)})
    assert exit_code(against(*runs, noise=9.0)) == 0
    assert exit_code(against(*runs, noise=9.0, required=("WS ping p95",))) == 0
    for pattern in ("WS ping", "WS ping p99", "WS match_join"):
        comparison = against(*runs, noise=9.0, required=(pattern,))
        assert comparison["unmet"] == [pattern]
        assert exit_code(comparison) == 4
        assert f"required but not judged: {pattern}" in verdict_line(comparison)


def paired(seed, count, shift=1.0, options=PAIRED):
    old, new = pairs(seed, count, shift=shift)
    return compare_pairs(profile("new", {PING: new}), profile("old", {PING: old}), options)


def test_equal_pairs_on_a_drifting_machine_are_no_regression():
    comparisons = [paired(seed, COUNT // 2) for seed in range(20)]
    assert sum(comparison["totals"]["regressed"] for comparison in comparisons) <= 1
    assert all(comparison["totals"]["same"] == 3 for comparison in comparisons[:5])


def test_pairs_detect_half_the_change_with_half_the_calls():
    # Without pairs, +10 % takes a run and five baselines of COUNT calls, on a machine without drift.
    calls_of_a_side = (1 + BASELINES) * COUNT // 2 // 2
    p95 = replace(PAIRED, statistics=("p95",))
    found = [verdicts(paired(seed, calls_of_a_side, 1.05, p95)) for seed in range(10)]
    assert [each["ping", "p95"] for each in found].count("regressed") >= 9


@pytest.mark.parametrize(("shift", "verdict"), [(1.0, "same"), (1.1, "regressed")])
def test_a_few_stalled_pairs_do_not_decide(shift, verdict):
    for seed in range(5):
        old, new = pairs(seed, COUNT, shift=shift, drift=0.01)
        for number in (2, 7, 11):
            new.ok[number] = {
                sparse.bucket_of(sparse.highest_in(bucket) * 5): calls
                for bucket, calls in new.ok[number].items()
            }
        options = replace(PAIRED, statistics=("p95",))
        comparison = compare_pairs(profile("new", {PING: new}), profile("old", {PING: old}), options)
        assert verdicts(comparison)["ping", "p95"] == verdict


def test_pairs_with_few_calls_are_joined():
    for count, verdict in ((320, "too few"), (1600, "regressed")):
        old, new = pairs(3, count, shift=2.0)
        rows = compare_pairs(profile("new", {PING: new}), profile("old", {PING: old}))["rows"]
        (p95,) = [row for row in rows if row["statistic"] == "p95"]
        assert p95["verdict"] == verdict
        # Two values beyond p95 on each side of all 16 pairs take 640 calls, twice as many as in 60 s.
        assert p95["more_seconds"] == (60.0 if verdict == "too few" else None)


def test_failures_of_pairs_are_compared():
    old, new = pairs(1, 1600)
    new.failed[:] = [5] * len(new.failed)
    comparison = compare_pairs(profile("new", {PING: new}), profile("old", {PING: old}))
    assert verdicts(comparison)["ping", "failures"] == "regressed"
