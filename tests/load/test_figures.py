"""Whole runs whose figures are missing, wrong or prove nothing: none passes, and each says why."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.run_folder import read_verdict

from .running import LOCUSTFILES, ROOT, TRACE, Locust, calls, our_counts, run, until

FIGURES = LOCUSTFILES / "figures.py"
USERS = ("-u", "2", "-r", "2")
PINGS = "WS       ping "
"""A row of the table that Locust prints every half second here."""
TALKS = "WS       channel_leave "


def judged(
    tmp_path: Path, *arguments: str, code: int, until: str = PINGS, times: int = 2, **options: Any
) -> tuple[Locust, list[str]]:
    """Return a run, stopped when it has printed a line ``times`` times, and the reasons of its verdict.

    ``code`` is the exit code of the process, in the printed line and in ``verdict.json``.
    """
    with Locust(tmp_path / "reports", *arguments, **{"locustfile": FIGURES} | options) as locust:
        locust.wait_for(until, times)
        locust.signal(signal.SIGTERM)
        assert locust.finish() == code, locust.output
    assert f"(exit code {code})\n" in locust.output
    (folder,) = locust.folders
    verdict = read_verdict(folder)
    assert verdict["exit_code"] == code
    return locust, verdict["why"]


def test_bad_figures_fail_the_run_and_the_others_are_kept(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust, why = judged(tmp_path, *USERS, "Mistaken", "--host", emulator.url, code=1)
    assert TRACE not in locust.output
    assert why[0].startswith("12 figures of the scenario could not be kept: Mistaken: ")
    counts = locust.summary["counts"]
    assert counts["scenario_faults"] == 12
    assert counts["fish"] > 1
    assert locust.summary["samples_ms"]["nap"]["count"] > 1
    assert calls(locust.summary)["WS", "ping"]["count"] > 1
    rows = {row["label"]: row for row in locust.summary["errors"] if row["kind"] == "SCENARIO"}
    assert {row["name"] for row in rows.values()} == {"Mistaken"}
    assert sum(row["count"] for row in rows.values()) == 12
    examples = "\n".join(row["example"] for row in rows.values())
    for value in ("count 'x': 0.5", "'bad \\ud800 name'", f"count 'x': {2**70}", "size of call 'bite': 1.5"):
        assert value in examples
    assert locust.output.count("are only counted)") == len(rows)


@pytest.mark.parametrize("kind", ["LookupError", "BaseException", "SystemExit"])
def test_a_run_whose_users_all_die_is_invalid(emulator: EmulatorProcess, tmp_path: Path, kind: str) -> None:
    locust, why = judged(
        tmp_path, *USERS, "Mortal", "--host", emulator.url, code=4, environment={"DIES_OF": kind}
    )
    assert "every user died (2 of 2)" in why
    assert f"2 of 2 users died: Mortal: died of {kind}: planted (2)" in why
    assert locust.output.count(f"a user of Mortal died of {kind}") == 1


def test_a_run_with_some_dead_users_fails(emulator: EmulatorProcess, tmp_path: Path) -> None:
    _, why = judged(tmp_path, *USERS, "Mortal", "Pinging", "--host", emulator.url, code=1)
    assert "1 of 2 users died: Mortal: died of LookupError: planted (1)" in why


@pytest.mark.parametrize("gate", [False, True])
def test_a_run_without_users_has_no_data(emulator: EmulatorProcess, tmp_path: Path, gate: bool) -> None:
    file = tmp_path / "gate.toml"
    file.write_text('[gate]\nallow_emulator = true\n[[rule]]\non = "ledger"\nexpect = "unanswered == 0"\n')
    flags = ("--nakama-gate", str(file)) if gate else ()
    arguments = ("-u", "0", "--host", emulator.url, *flags)
    locust, why = judged(tmp_path, *arguments, "Pinging", code=4, until="All users spawned", times=1)
    assert why[0] == "no data: no user was started"
    if gate:
        assert "unanswered not measured (ledger)" in locust.output


def test_failing_handlers_and_taps_fail_the_run(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust, why = judged(tmp_path, *USERS, "Tapping", "--host", emulator.url, code=1, until=TALKS)
    counts = locust.summary["counts"]
    kinds = ("tap.channel_message.KeyError", "handler.channel_message.ZeroDivisionError")
    number = counts["handler_failures"]
    assert number == sum(counts[f"handler_failed.{kind}"] for kind in kinds) > 2
    assert why[0].startswith(f"{number:,} calls of push handlers and taps failed: ")
    assert all(kind in why[0] for kind in kinds)
    assert locust.output.count(TRACE) == 2  # one for each kind
    assert "push handlers and taps that failed: " in locust.output


def test_failing_handlers_can_be_allowed(emulator: EmulatorProcess, tmp_path: Path) -> None:
    flags = ("--host", emulator.url, "--nakama-allow-handler-failures")
    locust, _ = judged(tmp_path, *USERS, "Tapping", *flags, code=0, until=TALKS)
    assert "push handlers and taps that failed: " in locust.output


@pytest.mark.parametrize("fails", [False, True])
def test_requests_of_other_code_are_counted_separately(
    emulator: EmulatorProcess, tmp_path: Path, fails: bool
) -> None:
    environment = {"FOREIGN_FAILS": "1"} if fails else {}
    locust, why = judged(
        tmp_path,
        *USERS,
        "Foreign",
        "Pinging",
        "--host",
        emulator.url,
        code=int(fails),
        environment=environment,
    )
    part = locust.summary["cross_check"]
    assert part["compared"]
    assert part["foreign_requests"] > 0
    assert part["locust_requests"] == part["recorded_requests"] + part["foreign_requests"]
    assert part["locust_failures"] == part["foreign_failures"]
    assert bool(part["foreign_failures"]) is fails
    if fails:
        assert why == [f"{part['foreign_failures']:,} requests of other code failed (see Locust's table)"]


@pytest.mark.parametrize("workers", [0, 2])
def test_figures_that_differ_from_locusts_are_invalid(
    emulator: EmulatorProcess, tmp_path: Path, workers: int
) -> None:
    more = ("--processes", str(workers)) if workers else ()
    locust, why = judged(
        tmp_path, *USERS, "Pinging", "--host", emulator.url, *more, code=4, environment={"BROKEN": "lost"}
    )
    part = locust.summary["cross_check"]
    assert part["locust_requests"] > part["recorded_requests"]
    message = (
        f"{part['locust_requests']:,} requests by Locust's count, {part['recorded_requests']:,} in the figures"
    )
    assert any(message in line for line in why)


@pytest.mark.parametrize("flags", [(), ("--processes", "2"), ("--reset-stats",)])
def test_whole_figures_equal_locusts(emulator: EmulatorProcess, tmp_path: Path, flags: tuple[str, ...]) -> None:
    locust, _ = judged(tmp_path, *USERS, "Pinging", "--host", emulator.url, *flags, code=0)
    part = locust.summary["cross_check"]
    assert part["compared"] is ("--reset-stats" not in flags)
    if part["compared"]:
        assert part["locust_requests"] == part["recorded_requests"] > 2


def test_unreadable_gauges_are_reported_with_their_seconds(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust, why = judged(
        tmp_path, *USERS, "Pinging", "--host", emulator.url, code=4, times=3, environment={"BROKEN": "gauge"}
    )
    (gap,) = locust.summary["gaps"]
    assert (gap["what"], gap["source"], gap["reason"]) == ("gauges", "local", "Too many open files")
    assert gap["last_s"] - gap["first_s"] > 1
    [line] = [line for line in why if line.startswith("gauges of seconds 0 to ")]
    assert line.endswith(" are missing (local): Too many open files")
    # The other gauges and all recorded figures are complete.
    assert {"users", "cpu", "memory"} <= {name for row in locust.timeline for name in row["gauges"]}
    assert calls(locust.summary)["WS", "ping"]["count"] > 2
    assert locust.output.count("cannot be recorded: Too many open files") == 1


def test_a_scenario_that_missed_its_goal(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust, why = judged(tmp_path, *USERS, "Aimless", "--host", emulator.url, code=4)
    assert why[0] == "Aimless never did what it is for: fish_caught is 0 with 2 users (go fishing)"
    (part,) = locust.summary["purposes"]
    assert part["done"]["WS ping"] == calls(locust.summary)["WS", "ping"]["outcomes"]["ok"]


def test_too_few_players_for_a_second_party(tmp_path: Path) -> None:
    _, why = judged(
        tmp_path,
        "-u",
        "3",
        "-r",
        "3",
        "PartyToMatch",
        code=4,
        until="WS       party_data_send ",
        times=1,
        locustfile=ROOT / "locustfile.py",
    )
    assert "matches_joined is 0 with 3 users (run a multiple of four users)" in why[0]


def test_tickets_cancelled_by_the_stop_are_not_requests(tmp_path: Path) -> None:
    arguments = ("-u", "1", "-r", "1", "Duel", "--nakama-matchmaker-timeout", "60")
    with Locust(tmp_path / "reports", *arguments) as locust:
        locust.wait_for("WS       matchmaker_add ")
        locust.signal(signal.SIGTERM)
        locust.finish()
    assert our_counts(locust.summary).get(("PUSH", "matchmaker_matched (stopped)")) == (1, 0)
    assert ("PUSH", "matchmaker_matched") not in our_counts(locust.summary)
    [row] = [line for line in locust.output.splitlines() if line.startswith("PUSH  matchmaker_matched ")]
    assert row.split()[2:5] == ["0", "0", "1"]
    assert "PUSH     matchmaker_matched (stopped)" in locust.output
    markdown = (locust.folders[0] / "summary.md").read_text(encoding="utf-8")
    assert "| call | count | failures | stopped |" in markdown
    assert r"| PUSH matchmaker\_matched | 0 | 0 | 1 |" in markdown


# Between the sizes of the small files and of Locust's page: like a disk that fills up in between.
@pytest.mark.parametrize(("kilobytes", "kept"), [(0, set()), (150, {"summary.json", "verdict.json"})])
def test_a_full_disk_is_in_the_output_the_exit_code_and_the_files(
    emulator: EmulatorProcess, tmp_path: Path, kilobytes: int, kept: set[str]
) -> None:
    reports = tmp_path / "reports"
    limit = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1000},) * 2); "
    start = limit + "os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", start, sys.executable, "-m", "locust", "-f", str(FIGURES), "Pinging",
         "--headless", *USERS, "-t", "3s", "--host", emulator.url, "--nakama-reports", str(reports)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "run: INVALID (exit code 4)" in done.stderr
    assert "the results could not be written: " in done.stderr
    assert "PASSED" not in done.stderr
    (folder,) = reports.iterdir()
    names = {path.name for path in folder.iterdir()}
    assert kept <= names
    assert "locust.html" not in names
    assert not [name for name in names if name.startswith(".")]
    # No file written earlier contradicts it.
    for path in folder.iterdir():
        text = path.read_bytes().decode("utf-8", "replace")
        assert not any(word in text for word in ('"passed"', "✅ passed", 'class="verdict passed"'))
    if kept:
        verdict = json.loads((folder / "verdict.json").read_text())
        assert (verdict["verdict"], verdict["exit_code"]) == ("invalid", 4)


@pytest.mark.parametrize("limit", [64, 256])
def test_more_users_than_open_files_are_refused(tmp_path: Path, limit: int) -> None:
    start = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit},) * 2); "
    done = subprocess.run(
        [sys.executable, "-c", start + "os.execv(sys.argv[1], sys.argv[1:])", sys.executable, "-m", "locust",
         "-f", "locustfile.py", "Chat", "--headless", "-u", "500", "-r", "100", "-t", "5s",
         "--nakama-reports", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("nakama_bots: --users: 500 ")]
    assert f"the hard limit is {limit} (ulimit -Hn)" in line
    assert TRACE not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_soft_limit_is_raised(emulator: EmulatorProcess, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    start = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard})); "
    locust = run(
        tmp_path, "Pinging", "-u", "40", "-r", "40", "--host", emulator.url, locustfile=FIGURES,
        launcher=(sys.executable, "-c", start + "os.execv(sys.argv[1], sys.argv[1:])"),
        environment=until("connect>=40"),
    )  # fmt: skip
    assert locust.finish() == 0, locust.output
