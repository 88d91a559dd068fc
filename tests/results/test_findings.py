"""Findings in a summary that make its run fail or invalid."""

from __future__ import annotations

from typing import Any

import pytest

from nakama_bots import observer
from nakama_bots.errors import Abandoned, ConnectionFailed, RequestTimeout
from nakama_bots.exit_codes import ExitCode
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.findings import no_figures, own_faults
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.results.gate.rules import evaluate_all
from nakama_bots.results.gate.verdict import check_verdict, conclude, verdict_part
from nakama_bots.results.record.cross_check import cross_check, difference
from nakama_bots.results.record.purposes import Purpose, purpose_parts, undone_lines
from nakama_bots.results.record.recorder import LIMIT, MOST, SCENARIO, Recorder
from nakama_bots.results.summary import Summary, build_summary

from .conftest import ENDED, ORIGIN


def ok() -> Recorder:
    recorder = Recorder(ORIGIN)
    recorder.call(FinishedCall("WS", "ping", ORIGIN, 0.01, 3, None))
    return recorder


@pytest.fixture
def summarise(run):
    def make(recorder: Recorder, **later: Any) -> Summary:
        return build_summary(run, recorder, ended=ENDED, duration=10.0, later=later or None)

    return make


def test_a_healthy_run_has_no_findings(summarise) -> None:
    summary = summarise(ok(), cross_check=cross_check(ok(), 1, 0), gaps=[], purposes=[])
    assert no_figures(summary) == own_faults(summary) == []
    assert conclude(summary, None).exit_code is ExitCode.PASSED


@pytest.mark.parametrize("gate", [None, '[[rule]]\non = "ledger"\nexpect = "unanswered == 0"\n'])
def test_calls_that_never_ended_are_no_data(summarise, gate) -> None:
    recorder = Recorder(ORIGIN)
    recorder.call(FinishedCall("WS", "ping", ORIGIN, 0.01, 3, Abandoned("stopped")))
    summary = summarise(recorder)
    parsed = parse_gate(gate, "g.toml") if gate else None
    results = evaluate_all(parsed, summary, None) if parsed else ()
    verdict = conclude(summary, parsed, results)
    assert verdict.exit_code is ExitCode.INVALID
    assert verdict.why[0] == "no data: none of 1 calls ended"
    assert all(result.measured is None for result in results)


def test_requests_of_other_code_are_data(summarise) -> None:
    recorder = Recorder(ORIGIN)
    recorder.count(observer.FOREIGN_REQUESTS, 3)
    assert no_figures(summarise(recorder)) == []


def test_a_gap_makes_the_run_invalid(summarise) -> None:
    gap = {"source": "", "what": "figures", "first_s": 3.0, "last_s": 9.0, "reason": "Too many open files"}
    verdict = conclude(summarise(ok(), gaps=[gap]), None)
    assert verdict.exit_code is ExitCode.INVALID
    assert verdict.why == ("figures of seconds 3 to 9 are missing: Too many open files",)


def test_different_counts_are_reported_with_both_numbers(summarise) -> None:
    recorder = ok()
    recorder.call(FinishedCall("WS", "ping", ORIGIN, 0.01, 3, RequestTimeout("late")))
    recorder.count(observer.FOREIGN_REQUESTS, 5)
    assert difference(cross_check(recorder, 7, 1)) == ""
    part = cross_check(recorder, 2350, 2300)
    assert difference(part) == (
        "2,350 requests by Locust's count, 2 in the figures and 5 of other code; "
        "2,300 failures by Locust's count, 1 in the figures"
    )
    assert difference({**part, "compared": False}) == ""
    assert no_figures(summarise(recorder, cross_check=part)) == [
        f"the figures are not what Locust counted: {difference(part)}"
    ]


def test_only_scenarios_with_users_must_fulfil_their_purpose() -> None:
    counts = {"purpose.Party": 3, "purpose.Party.WS ping": 4, "purpose.Duel": 2, "purpose.Duel.played": 1}
    parts = purpose_parts(
        [
            Purpose("Party", ("matches_joined", "WS ping"), "run four"),
            Purpose("Duel", ("played",)),
            Purpose("Nobody", ("played",)),
        ],
        counts,
    )
    assert [part["scenario"] for part in parts] == ["Party", "Duel"]
    assert undone_lines(parts) == [
        "Party never did what it is for: matches_joined is 0 with 3 users (run four)"
    ]


@pytest.mark.parametrize(
    "text", ["[Errno 24] Too many open files", "[Errno 99] Cannot assign requested address"]
)
def test_calls_without_a_free_file_or_port_make_the_run_invalid(summarise, text: str) -> None:
    recorder = Recorder(ORIGIN)
    for _ in range(9):
        recorder.call(FinishedCall("WS", "connect", ORIGIN, 0.01, 0, ConnectionFailed(text)))
    verdict = conclude(summarise(recorder), None)
    # Not exit code 5: the server may be reachable.
    assert verdict.exit_code is ExitCode.INVALID
    assert verdict.why[0] == f"9 calls failed in the generator itself: ConnectionFailed: {text}"


def test_too_many_names_are_reported(summarise) -> None:
    recorder = ok()
    for number in range(LIMIT + 3):
        recorder.count(f"fish_{number}")
        recorder.sample(f"nap_{number}", 0.1)
    (line,) = own_faults(summarise(recorder))
    assert line == f"more than {LIMIT} names of samples and of counts: the others are under (other)"


def test_a_count_at_its_bound_is_reported(summarise) -> None:
    recorder = ok()
    for _ in range(2):
        more = Recorder(ORIGIN)
        more.count("fish", MOST)
        recorder.merge(more.recorded())
    assert recorder.counts["fish"] == MOST
    assert no_figures(summarise(recorder)) == ["the count fish exceeds the largest number that can be counted"]


def test_handler_failures_can_be_allowed(run, summarise) -> None:
    recorder = ok()
    recorder.count(observer.HANDLER_FAILURES, 3780)
    recorder.count("handler_failed.tap.match_data.KeyError", 3780)
    summary = summarise(recorder)
    assert conclude(summary, None).exit_code is ExitCode.FAILURES
    assert own_faults(summary)[0].startswith(
        "3,780 calls of push handlers and taps failed: tap.match_data.KeyError 3,780"
    )
    summary["settings"]["allow_handler_failures"] = True
    assert own_faults(summary) == []


def test_faults_of_a_scenario_are_not_failed_calls(summarise) -> None:
    recorder = ok()
    recorder.fault(SCENARIO, "Duel", "ScenarioFault: x", "x: 0.5", ORIGIN + 1)
    recorder.count(observer.SCENARIO_FAULTS)
    verdict = conclude(summarise(recorder), None)
    assert verdict.exit_code is ExitCode.FAILURES
    assert verdict.why == ("1 figures of the scenario could not be kept: Duel: x: 0.5 (1)",)


def test_an_older_verdict_is_read(summarise) -> None:
    summary = summarise(ok())
    part: Any = verdict_part(conclude(summary, None), summary)
    for before, now in (("", []), ("a worker's figures", ["a worker's figures"])):
        assert check_verdict({**part, "missing": before})["missing"] == now
