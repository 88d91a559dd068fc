"""Every kind of rule under, at and over its limit and without data; what decides the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from nakama_bots import observer
from nakama_bots.errors import Abandoned, CallError, ConnectionClosed, ConnectionRefused, RequestTimeout
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.results.gate.metrics import FAMILIES, PARTS
from nakama_bots.results.gate.rules import GateError, Rule, RuleOutcome, evaluate, evaluate_all
from nakama_bots.results.gate.verdict import VerdictPart, conclude, verdict_part
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline, gauges_only
from nakama_bots.results.record.window import Window, gauge_values
from nakama_bots.results.shapes import check
from nakama_bots.results.summary import Summary, build_summary

from .conftest import ENDED

HEAD = "[gate]\nallow_emulator = true\n"


def rule(subject: str, expectation: str, more: str = "") -> Rule:
    (only,) = parse_gate(f'{HEAD}[[rule]]\n{subject}\nexpect = "{expectation}"\n{more}', "t.toml").rules
    return only


def calls(
    *seconds: float, kind: str = "WS", name: str = "match_join", bad: Iterable[CallError] = ()
) -> Recorder:
    recorder = Recorder(0.0)
    for each in seconds:
        recorder.call(FinishedCall(kind, name, 0.0, each, 10, None))
    for error in bad:
        recorder.call(FinishedCall(kind, name, 0.0, 1.0, 0, error))
    return recorder


def counted(**counts: int) -> Recorder:
    recorder = Recorder(0.0)
    for name, number in counts.items():
        recorder.count(name.replace("__", "."), number)
    return recorder


def sampled(name: str, *seconds: float) -> Recorder:
    recorder = Recorder(0.0)
    for each in seconds:
        recorder.sample(name, each)
    return recorder


def waited(seconds: float) -> Recorder:
    """A fast answer that waited in the generator."""
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "match_join", 0.0, 0.001, 0, None, seconds))
    return recorder


def bad(number: int) -> list[CallError]:
    return [RequestTimeout("no answer"), ConnectionClosed(1001, "gone"), CallError("odd")][:number]


def ok(number: int) -> tuple[float, ...]:
    return (0.01,) * number


JOIN = 'calls = "WS match_join"'


def by_kind(kind: str) -> list[tuple[str, str, Any, tuple[int, int, int]]]:
    """Rules for messages other than match data, by kind."""
    on, total = f'on = "delivery.{kind}"', f"delivery.{kind}"

    def of(name: str) -> Any:
        return lambda number: counted(**{f"{total}_expected": 1000, f"{total}_{name}": number})

    counts = [(on, f"{name} <= 7", of(name), (6, 7, 8)) for name in
              ("received", "missed", "lost", "unknown", "duplicated", "reordered")]  # fmt: skip
    return [
        *counts,
        (on, "loss <= 0.7 %", of("lost"), (6, 7, 8)),
        (on, "unknown_ratio <= 0.7 %", of("unknown"), (6, 7, 8)),
        (on, "latency.p99 <= 5 ms", lambda ms: sampled(total, ms / 1e3), (4, 5, 6)),
    ]


DELIVERED = {"delivery_expected": 1000, "delivery_received": 990}
SENT = {"ledger__sent": 100}

# The rule as written, and a run of ten seconds whose value is under, at or over its limit.
TABLE: list[tuple[str, str, Callable[[int], Recorder], tuple[int, int, int]]] = [
    (JOIN, "p50 <= 50 ms", lambda ms: calls(*(ms / 1e3,) * 9), (49, 50, 51)),
    (JOIN, "p99.9 <= 0.05 s", lambda ms: calls(*(ms / 1e3,) * 9), (49, 50, 51)),
    (JOIN, "p100 <= 50 ms", lambda ms: calls(0.001, ms / 1e3), (49, 50, 51)),
    (JOIN, "mean <= 50000 us", lambda ms: calls(0.04, ms / 1e3), (59, 60, 61)),
    (JOIN, "max <= 50 ms", lambda ms: calls(0.001, ms / 1e3), (49, 50, 51)),
    (JOIN, "min <= 50 ms", lambda ms: calls(1.0, ms / 1e3), (49, 50, 51)),
    (JOIN, "count <= 20", lambda number: calls(*ok(number)), (19, 20, 21)),
    (JOIN, "rate <= 2 /s", lambda number: calls(*ok(number)), (19, 20, 21)),
    (JOIN, "rate <= 120 /min", lambda number: calls(*ok(number)), (19, 20, 21)),
    (JOIN, "failures <= 2", lambda number: calls(0.01, bad=bad(number)), (1, 2, 3)),
    (JOIN, "fail_ratio <= 2 %", lambda number: calls(*ok(100 - number), bad=bad(number)), (1, 2, 3)),
    (JOIN, "fail_ratio <= 0.02", lambda number: calls(*ok(100 - number), bad=bad(number)), (1, 2, 3)),
    (JOIN, "unanswered <= 1", lambda number: calls(0.01, bad=bad(number)), (0, 1, 2)),
    (JOIN, "unanswered_ratio <= 1 %", lambda number: calls(*ok(100 - number), bad=bad(number)), (0, 1, 2)),
    (JOIN, "waited.p99 <= 50 ms", lambda ms: waited(ms / 1e3), (49, 50, 51)),
    ('samples = "fishing"', "p95 <= 50 ms", lambda ms: sampled("fishing", ms / 1e3), (49, 50, 51)),
    ('samples = "fishing"', "count <= 2", lambda number: sampled("fishing", *ok(number)), (1, 2, 3)),
    ('counts = "fish_caught"', "count <= 7", lambda number: counted(fish_caught=number), (6, 7, 8)),
    ('counts = "fish_caught"', "rate <= 0.7 /s", lambda number: counted(fish_caught=number), (6, 7, 8)),
    ('on = "ticks"', "lateness.p95 <= 5 ms", lambda ms: sampled(observer.TICK_LATENESS, ms / 1e3), (4, 5, 6)),
    ('on = "ticks"', "missed <= 2", lambda number: counted(ticks_sent=9, ticks_missed=number), (1, 2, 3)),
    ('on = "ticks"', "missed_ratio <= 2 %",
     lambda number: counted(ticks_sent=100 - number, ticks_missed=number), (1, 2, 3)),
    ('on = "ticks"', "sent <= 10", lambda number: counted(ticks_sent=number), (9, 10, 11)),
    ('on = "ticks"', "rate <= 1 /s", lambda number: counted(ticks_sent=number), (9, 10, 11)),
    ('on = "delivery"', "latency.p99 <= 5 ms",
     lambda ms: sampled(observer.DELIVERY_LATENCY, ms / 1e3), (4, 5, 6)),
    ('on = "delivery"', "loss <= 0.7 %", lambda number: counted(**DELIVERED, delivery_lost=number), (6, 7, 8)),
    ('on = "delivery"', "lost <= 7", lambda number: counted(**DELIVERED, delivery_lost=number), (6, 7, 8)),
    ('on = "delivery"', "duplicated <= 1",
     lambda number: counted(**DELIVERED, delivery_duplicated=number), (0, 1, 2)),
    ('on = "delivery"', "reordered <= 1", lambda n: counted(**DELIVERED, delivery_reordered=n), (0, 1, 2)),
    ('on = "delivery"', "received <= 7", lambda number: counted(delivery_received=number), (6, 7, 8)),
    ('on = "delivery"', "missed <= 7", lambda number: counted(**DELIVERED, delivery_missed=number), (6, 7, 8)),
    ('on = "delivery"', "unknown <= 7", lambda n: counted(**DELIVERED, delivery_unknown=n), (6, 7, 8)),
    ('on = "delivery"', "unknown_ratio <= 0.7 %",
     lambda number: counted(**DELIVERED, delivery_unknown=number), (6, 7, 8)),
    *(row for kind in ("party", "chat", "status") for row in by_kind(kind)),
    ('on = "matchmaking"', "time_to_match.p95 <= 3 s",
     lambda seconds: calls(seconds, kind="PUSH", name="matchmaker_matched"), (2, 3, 4)),
    ('on = "matchmaking"', "timed_out <= 1",
     lambda number: counted(tickets_added=9, tickets_timed_out=number), (0, 1, 2)),
    ('on = "matchmaking"', "matched_ratio <= 50 %",
     lambda number: counted(tickets_added=8, tickets_matched=number), (3, 4, 5)),
    ('on = "matchmaking"', "tickets <= 4", lambda number: counted(tickets_added=number), (3, 4, 5)),
    ('on = "matchmaking"', "matched <= 4", lambda n: counted(tickets_added=8, tickets_matched=n), (3, 4, 5)),
    ('on = "matchmaking"', "joined <= 4", lambda number: counted(matches_joined=number), (3, 4, 5)),
    ('on = "matchmaking"', "played <= 4", lambda number: counted(matches_played=number), (3, 4, 5)),
    ('on = "chat"', "sent <= 4", lambda number: counted(chat_sent=number), (3, 4, 5)),
    ('on = "chat"', "received <= 4", lambda number: counted(chat_received=number), (3, 4, 5)),
    ('on = "ledger"', "sent <= 4", lambda number: counted(ledger__sent=number), (3, 4, 5)),
    ('on = "ledger"', "unanswered <= 2",
     lambda number: counted(**SENT, ledger__closed=1, ledger__timeout=number - 1), (1, 2, 3)),
    ('on = "ledger"', "unanswered_ratio <= 2 %", lambda n: counted(**SENT, ledger__timeout=n), (1, 2, 3)),
    ('on = "ledger"', "late <= 1", lambda number: counted(**SENT, ledger__late=number), (0, 1, 2)),
    ('on = "ledger"', "refused <= 1", lambda number: counted(**SENT, ledger__refused=number), (0, 1, 2)),
    ('on = "ledger"', "unmatched <= 1", lambda number: counted(**SENT, ledger__unmatched=number), (0, 1, 2)),
    ('on = "ledger"', "pushes_dropped <= 1",
     lambda number: counted(**SENT, ledger__pushes_dropped=number), (0, 1, 2)),
]  # fmt: skip
NO_DATA = [row for row in TABLE if row[1].split()[0] != "count"]


def window(recorder: Recorder, **gauges: list[float]) -> Window:
    return Window(recorder, 0.0, 10.0, gauges)


@pytest.mark.parametrize(
    ("subject", "expectation", "run", "at"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE]
)
def test_under_at_and_over_the_limit(
    subject: str, expectation: str, run: Callable[[int], Recorder], at: tuple[int, int, int]
) -> None:
    kept = {"<=": (True, True, False), "<": (True, False, False), ">=": (False, True, True),
            ">": (False, False, True), "==": (False, True, False)}  # fmt: skip
    for relation, expected in kept.items():
        one = rule(subject, expectation.replace("<=", relation))
        results = [evaluate(one, window(run(value))) for value in at]
        assert [result.outcome is RuleOutcome.PASSED for result in results] == list(expected), results
        for result in results:
            assert one.shown(result.measured) in result.message
            assert one.shown(one.limit) in result.message


@pytest.mark.parametrize(("subject", "expectation"), [row[:2] for row in NO_DATA])
def test_a_rule_without_data_fails(subject: str, expectation: str) -> None:
    one = rule(subject, expectation)
    result = evaluate(one, window(Recorder(0.0)))
    if one.measure.grows and not one.measure.of_others and one.family in PARTS:
        # A counter without counts is zero, which is a valid figure.
        assert result.measured == 0
    else:
        assert result.outcome is RuleOutcome.FAILED
        assert result.measured is None or result.samples == 0


def test_every_metric_is_in_the_table() -> None:
    written = {
        (subject.split('"')[1] if subject.startswith("on") else subject.split()[0], expectation.split()[0])
        for subject, expectation, _, _ in TABLE
    }
    for family, row in FAMILIES.items():
        if family == "gauges":
            continue
        assert {metric for of, metric in written if of == family} >= set(row.numbers)
        for prefix in row.times:
            assert any(of == family and metric.startswith(prefix) for of, metric in written)


@pytest.mark.parametrize(
    ("expectation", "values", "kept"),
    [
        ("max <= 80", [10, 80], True), ("max <= 80", [10, 81], False), ("min >= 8", [8, 9], True),
        ("min >= 8", [7, 9], False), ("mean == 2", [1, 3], True), ("last < 3", [9, 2], True),
        ("last < 3", [2, 3], False), ("max <= 80", [], False),
    ],
)  # fmt: skip
def test_gauges(expectation: str, values: list[float], kept: bool) -> None:
    result = evaluate(rule('gauges = "users"', expectation), window(Recorder(0.0), users=values))
    assert (result.outcome is RuleOutcome.PASSED) == kept


@pytest.mark.parametrize(
    ("gauge", "expectation", "values", "shown"),
    [
        ("cpu", "max <= 90 %", (0.89, 0.9, 0.91), "90 %"),
        ("loop_busy", "max <= 0.9", (0.89, 0.9, 0.91), "90 %"),
        ("hub_lag*", "max <= 25 ms", (0.024, 0.025, 0.026), "25 ms"),
        ("tick_lateness", "mean <= 0.05 s", (0.049, 0.05, 0.051), "50 ms"),
        ("memory", "last <= 500 MB", (499e6, 500e6, 501e6), "500 MB"),
        ("nakama_sessions", "max <= 10", (9, 10, 11), "10"),
    ],
)  # fmt: skip
def test_gauges_of_the_generator_and_the_server(
    gauge: str, expectation: str, values: tuple[float, float, float], shown: str
) -> None:
    one = rule(f'gauges = "{gauge}"', expectation)
    name = gauge.replace("*", "_max")
    results = [evaluate(one, window(Recorder(0.0), **{name: [value]})) for value in values]
    assert [result.outcome for result in results] == ["passed", "passed", "failed"]
    assert f"limit {shown} (" in results[0].message


def test_a_pattern_applies_to_each_name_and_reports_the_worst() -> None:
    recorder = calls(0.010, 0.010)
    recorder.merge(calls(0.070, name="match_leave").recorded())
    recorder.merge(calls(0.060, name="match_create").recorded())
    result = evaluate(rule('calls = "WS match_*"', "p95 <= 50 ms"), window(recorder))
    assert (result.subject, result.measured, result.matched, result.broken) == ("WS match_leave", 70.0, 3, 2)
    assert "2 of 3 names break the rule" in result.message
    assert evaluate(rule('calls = "WS match_*"', "min >= 50 ms"), window(recorder)).subject == "WS match_join"
    together = evaluate(rule('calls = "WS match_*"', "count == 4", "together = true"), window(recorder))
    assert (together.outcome, together.subject) == (RuleOutcome.PASSED, "WS match_*")


def test_a_broken_rule_precedes_a_missing_value() -> None:
    recorder = calls(0.070, 0.070)
    recorder.merge(calls(name="match_leave", bad=bad(1)).recorded())
    result = evaluate(rule('calls = "WS match_*"', "p95 <= 50 ms"), window(recorder))
    assert (result.subject, result.broken, result.measured_breach) == ("WS match_join", 2, True)
    lacking = evaluate(rule('calls = "WS match_leave"', "p95 <= 50 ms"), window(recorder))
    assert (lacking.outcome, lacking.measured_breach) == (RuleOutcome.FAILED, False)


def test_an_unmatched_pattern_fails_and_lists_the_names() -> None:
    result = evaluate(rule('calls = "WS party_*"', "fail_ratio <= 1 %"), window(calls(0.01)))
    assert result.outcome is RuleOutcome.FAILED
    assert "no call matches 'WS party_*' in this run; it has: WS match_join" in result.message


def test_too_few_samples_fail() -> None:
    for number, outcome in ((4, RuleOutcome.FAILED), (5, RuleOutcome.PASSED)):
        result = evaluate(rule(JOIN, "p95 <= 50 ms", "min_samples = 5"), window(calls(*ok(number))))
        assert result.outcome is outcome
    assert "p95 not judged: 4 of at least 5 samples (WS match_join)" in evaluate(
        rule(JOIN, "p95 <= 50 ms", "min_samples = 5"), window(calls(*ok(4)))
    ).message  # fmt: skip


def test_abandoned_calls_are_neither_failures_nor_data() -> None:
    recorder = calls(*ok(99), bad=[RequestTimeout("x"), *[Abandoned("stopped")] * 50])
    assert evaluate(rule(JOIN, "fail_ratio == 1 %"), window(recorder)).outcome is RuleOutcome.PASSED
    assert evaluate(rule(JOIN, "count == 100"), window(recorder)).outcome is RuleOutcome.PASSED


def test_a_known_counter_without_counts_is_zero() -> None:
    result = evaluate(rule('counts = "matches_deserted"', "count == 0"), window(Recorder(0.0)))
    assert result.outcome is RuleOutcome.PASSED


def timeline(*rows: tuple[float, float]) -> Timeline:
    """One second per row: its start, relative to the run, and the duration of its only call."""
    line = Timeline(1000.0)
    for at, elapsed in rows:
        line.add({"source": "local", "at": 1000.0 + at, "seconds": 1.0, "recorded": calls(elapsed).recorded(),
                  "gauges": {"users": at}})  # fmt: skip
    return line


def test_warmup_and_cooldown_are_left_out(summary: Summary) -> None:
    line = timeline((0, 9.0), (1, 0.01), (2, 0.02), (3, 9.0))
    text = '[gate]\nwarmup = 1\ncooldown = "1 s"\n'
    text += '[[rule]]\ncalls = "WS *"\nexpect = ["max <= 20 ms", "rate == 1 /s"]\n'
    text += '[[rule]]\ngauges = "users"\nexpect = ["max == 2", "min == 1"]\n'
    assert [result.outcome for result in evaluate_all(parse_gate(text, "g"), summary, line)] == 4 * ["passed"]
    whole = parse_gate(text.replace("warmup = 1", "warmup = 0"), "g")
    assert evaluate_all(whole, summary, line)[0].measured == 9000.0


def test_an_empty_window_fails(summary: Summary) -> None:
    gate = parse_gate('[gate]\nwarmup = 60\n[[rule]]\ncalls = "WS *"\nexpect = "max <= 9 s"\n', "g")
    assert evaluate_all(gate, summary, timeline((0, 0.01)))[0].outcome is RuleOutcome.FAILED


def test_the_ledger_is_judged_over_the_whole_run(summary: Summary) -> None:
    gate = parse_gate('[gate]\nwarmup = 1\n[[rule]]\non = "ledger"\nexpect = "sent == 1234"\n', "g")
    assert evaluate_all(gate, summary, timeline((0, 0.01)))[0].outcome is RuleOutcome.PASSED


def test_a_window_needs_a_time_line(summary: Summary) -> None:
    gate = parse_gate('[gate]\nwarmup = 1\n[[rule]]\ncalls = "WS *"\nexpect = "max <= 9 s"\n', "g.toml")
    with pytest.raises(GateError, match=r"g\.toml: 'calls WS \*: max <= 9 s' needs the run's time line"):
        evaluate_all(gate, summary, None)


def test_gauges_of_several_processes_are_one_value_per_second() -> None:
    rows = []
    for second in range(4):
        for source, users in (("a", 2.0), ("b", 3.0), ("master", None)):
            if source != "b" or second < 2:
                rows.append(
                    gauges_only(source, second + (source == "b") * 0.3, 1.0, {"users": users} if users else {})
                )
    assert gauge_values(rows) == {"users": [5.0, 5.0, 5.0, 2.0]}


def failing(severity: str = "fail") -> str:
    return (
        f'{HEAD}[[rule]]\n{JOIN}\nexpect = "p50 <= 1 ms"\nseverity = "{severity}"\nname = "joins are quick"\n'
    )


@pytest.mark.parametrize(
    ("text", "outcome", "code", "expected"),
    [
        (failing(), Outcome.FAILED, ExitCode.GATE_FAILED, "joins are quick: p50 5."),
        (failing("warn"), Outcome.PASSED, ExitCode.PASSED, "warning: joins are quick"),
        (failing().replace("1 ms", "9 ms"), Outcome.PASSED, ExitCode.PASSED, "every rule of g.toml"),
    ],
)  # fmt: skip
def test_the_gate_decides(summary: Summary, text: str, outcome: Outcome, code: ExitCode, expected: str) -> None:
    gate = parse_gate(text, "g.toml")
    verdict = conclude(summary, gate, evaluate_all(gate, summary, None))
    assert (verdict.outcome, verdict.exit_code) == (outcome, code)
    assert expected in "\n".join(verdict.why)
    check(verdict_part(verdict, summary), VerdictPart, "verdict")


def test_the_emulator_is_invalid_unless_allowed(run, recorder) -> None:
    summary = build_summary(replace(run, is_emulator=True), recorder, ended=ENDED, duration=30.0)
    gate = parse_gate(failing().replace("1 ms", "9 ms"), "g.toml")
    results = evaluate_all(gate, summary, None)
    assert conclude(summary, gate, results).exit_code is ExitCode.PASSED
    refused = conclude(summary, replace(gate, allow_emulator=False), results)
    assert (refused.outcome, refused.exit_code) == (Outcome.INVALID, ExitCode.INVALID)
    assert "allow_emulator = true in g.toml" in refused.why[0]


def test_a_run_without_calls_is_invalid(run) -> None:
    summary = build_summary(run, Recorder(0.0), ended=ENDED, duration=30.0)
    gate = parse_gate(failing(), "g.toml")
    verdict = conclude(summary, gate, evaluate_all(gate, summary, None))
    assert (verdict.outcome, verdict.exit_code, verdict.why[0]) == (
        Outcome.INVALID, ExitCode.INVALID, "no data: no call was made",
    )  # fmt: skip


@pytest.mark.parametrize("text", [None, failing()])
def test_only_refused_connections_is_unreachable(run, text: str | None) -> None:
    recorder = calls(bad=[ConnectionRefused("refused"), ConnectionRefused("refused")])
    gate = parse_gate(text, "g.toml") if text else None
    for more, code in (
        ((), ExitCode.UNREACHABLE),
        (ok(1), ExitCode.GATE_FAILED if gate else ExitCode.FAILURES),
    ):
        recorder.merge(calls(*more).recorded())
        summary = build_summary(run, recorder, ended=ENDED, duration=30.0)
        results = evaluate_all(gate, summary, None) if gate else ()
        assert conclude(summary, gate, results).exit_code is code


def test_without_a_gate_any_failed_call_fails(summary: Summary, run) -> None:
    assert conclude(summary, None).exit_code is ExitCode.FAILURES
    assert "5 calls failed: " in conclude(summary, None).why[0]
    clean = build_summary(run, calls(0.01), ended=ENDED, duration=30.0)
    assert conclude(clean, None).exit_code is ExitCode.PASSED


def test_a_fault_of_the_run_overrides_a_passed_gate(summary: Summary) -> None:
    gate = parse_gate(failing().replace("1 ms", "9 ms"), "g.toml")
    verdict = conclude(summary, gate, evaluate_all(gate, summary, None), faults=["a worker is missing"])
    assert (verdict.exit_code, verdict.why) == (ExitCode.FAILURES, ("a worker is missing",))


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ("p95 <= 200 ms", "p95 10 ms, limit 200 ms (WS match_join, 20 samples)"),
        ("count >= 100", "count 20, limit >= 100 (WS match_join, 20 samples)"),
        ("fail_ratio < 1 %", "fail_ratio 0 %, limit < 1 % (WS match_join, 20 samples)"),
    ],
)
def test_a_message_has_value_and_limit_once(expectation: str, message: str) -> None:
    result = evaluate(rule(JOIN, expectation), window(calls(*[0.01] * 20)))
    assert result.message == message
    assert result.rule.heading == "calls WS match_join"
