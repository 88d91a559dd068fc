"""How a user handles failing tasks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.summary import ended

from .running import LOCUSTFILES, TRACE, Locust, calls, run, until

FAULTS = LOCUSTFILES / "faults.py"


@pytest.fixture(scope="module")
def failing(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Locust:
    """Tasks that raise errors of the server."""
    return run(
        tmp_path_factory.mktemp("failing"), "-u", "2", "-r", "2", "--host", emulator.url,
        "Plain", "Nested", locustfile=FAULTS,
        environment=until("match_join>=3", "failed:channel_leave", "ping", seconds=5),
    )  # fmt: skip


@pytest.fixture(scope="module")
def faulty(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Locust:
    """Tasks that raise unexpected exceptions."""
    return run(
        tmp_path_factory.mktemp("faulty"), "-u", "2", "-r", "2", "--host", emulator.url,
        "Faulty", "Dying", locustfile=FAULTS,
        environment=until("says:a fault of the scenario", "says:a fault of the start"),
    )  # fmt: skip


def test_a_failed_call_is_counted_once_and_has_no_traceback(failing: Locust) -> None:
    assert failing.finish() == 1
    assert TRACE not in failing.output
    row = calls(failing.summary)["WS", "match_join"]
    assert ended(row) == row["failures"] == row["outcomes"]["server_error"]  # one may be pending at the end
    (error,) = (error for error in failing.summary["errors"] if error["name"] == "match_join")
    assert error["count"] == row["failures"]
    assert "# fails" in failing.output


def test_the_user_backs_off(failing: Locust) -> None:
    # Pauses of 0.25 to 0.5, 0.5 to 1, 1 to 2, 2 to 4 s: with a task every 0.05 s it would be near 100.
    count = calls(failing.summary)["WS", "match_join"]["count"]
    assert 3 <= count <= 5 + failing.summary["run"]["duration_s"]


def test_a_kind_of_failure_is_logged_once(failing: Locust) -> None:
    lines = [line for line in failing.output.splitlines() if re.search(r"WARNING.*match_join: ", line)]
    assert len(lines) == 1
    assert "only counted" in lines[0]


def test_failures_in_nested_task_sets_are_handled(failing: Locust) -> None:
    rows = calls(failing.summary)
    left = rows["WS", "channel_leave"]
    # The call that is pending at the end of the run may be abandoned instead.
    assert left["failures"] + left["outcomes"]["abandoned"] == left["count"] > left["outcomes"]["abandoned"]
    # The user continued with the next task of the sequence, in the same TaskSet.
    assert rows["WS", "ping"]["count"] > 0
    assert rows["WS", "ping"]["failures"] == 0


def test_a_fault_of_the_scenario_keeps_its_traceback(faulty: Locust) -> None:
    assert faulty.finish() == 1
    assert TRACE in faulty.output
    assert "ZeroDivisionError: a fault of the scenario" in faulty.output


def test_a_user_that_died_leaves_the_ledger_balanced(faulty: Locust) -> None:
    assert "LookupError: a fault of the start" in faulty.output
    ledger = faulty.summary["ledger"]
    assert ledger["balanced"]
    # The ping of its on_start: the socket was closed for the user.
    assert calls(faulty.summary)["WS", "ping"]["count"] == 1
    assert ledger["sent"] == ledger["ok"] == 1


def test_the_number_of_a_stopped_user_is_reused(emulator: EmulatorProcess, tmp_path: Path) -> None:
    """A shape stops and starts users: they reuse the same few accounts."""
    locust = run(
        tmp_path, "--host", emulator.url, "--nakama-id-prefix", "shaped",
        locustfile=LOCUSTFILES / "shaped.py",
    )  # fmt: skip
    assert locust.finish() == 0
    assert TRACE not in locust.output
    rows = calls(locust.summary)
    assert rows["POST", "/v2/account/authenticate/device"]["count"] == 5
    assert rows["PUT", "/v2/account"]["count"] == 3
