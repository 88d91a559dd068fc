"""Whole runs without workers, against the embedded emulator."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest

from nakama_bots.load.web.pages import EMULATOR_BANNER
from nakama_bots.results.timing import REST_KINDS

from .running import (
    SPAWNED,
    TRACE,
    Locust,
    assert_no_secret,
    assert_timeline_adds_up,
    calls,
    gone,
    locust_counts,
    our_counts,
    refused,
    run,
    run_until,
)

MAIN_ROWS = (
    ("WS", "matchmaker_add"),
    ("WS", "match_join"),
    ("WS", "channel_join"),
    ("WS", "channel_message_send"),
    ("PUSH", "matchmaker_matched"),
)


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Locust:
    folder = tmp_path_factory.mktemp("headless")
    return run(folder / "reports", "-u", "8", "-r", "8", "-t", "5s", "--only-summary")


def test_it_passes(headless: Locust) -> None:
    assert headless.finish() == 0
    assert TRACE not in headless.output


def test_the_tables_have_the_main_rows(headless: Locust) -> None:
    rows = calls(headless.summary)
    for kind, name in MAIN_ROWS:
        assert rows[kind, name]["count"] > 0
        assert rows[kind, name]["failures"] == 0
        # Calls that were stopped with their player have separate rows.
        lines = [line.split()[:3] for line in headless.output.splitlines()]
        assert sum(line[:2] == [kind, name] and line[2:] != ["(stopped)"] for line in lines) == 3
    assert headless.summary["errors"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="kernel timestamps need Linux")
def test_answers_are_timed_by_the_kernel(headless: Locust) -> None:
    timing = headless.summary["timing"]
    # Frames received together with the answer to the upgrade have no timestamp.
    assert timing["by_kernel"] > timing["in_process"]
    rows = calls(headless.summary)
    for kind, name in MAIN_ROWS:
        row = rows[kind, name]
        assert 0 < row["waited_ms"]["count"] <= row["count"]
    rest = [row for (kind, _), row in rows.items() if kind in REST_KINDS]
    answers = sum(row["count"] for row in rest)
    assert sum(row["waited_ms"]["count"] for row in rest) == answers == timing["rest_by_kernel"] > 0
    assert timing["rest_in_process"] == 0
    assert timing["waited_ms"]["count"] == sum(row["waited_ms"]["count"] for row in rows.values())
    assert f"sockets: {timing['by_kernel']:,} of " in headless.output
    assert f"REST: {answers:,} of {answers:,} answers" in headless.output
    assert timing["shared_ms"] == headless.summary["samples_ms"].get("shared_stamp", timing["shared_ms"])


def test_the_target_is_shown_prominently(headless: Locust) -> None:
    assert EMULATOR_BANNER in headless.output
    assert "NOT A NAKAMA SERVER" in headless.output
    assert headless.summary["target"]["is_emulator"]
    (folder,) = headless.folders
    page = (folder / "locust.html").read_text(encoding="utf-8")
    assert EMULATOR_BANNER in page
    assert page.index("<body") < page.index(EMULATOR_BANNER)


def test_the_counts_equal_those_of_locusts_table(headless: Locust) -> None:
    table = headless.output.partition("Response time percentiles")[0]
    rows = re.findall(r"^(WS|PUSH|GET|POST|PUT) +(\S+(?: \(stopped\))?) +(\d+) +(\d+)\(", table, re.MULTILINE)
    assert {(kind, name): (int(all_), int(bad)) for kind, name, all_, bad in rows} == our_counts(
        headless.summary
    )


def test_the_ledger_is_balanced_and_counts_the_calls(headless: Locust) -> None:
    ledger = headless.summary["ledger"]
    assert ledger["balanced"]
    requests = [call for (kind, name), call in calls(headless.summary).items() if (kind, name)[0] == "WS"]
    sent = sum(call["count"] for call in requests if call["name"] != "connect")
    assert ledger["sent"] == sent > 0
    assert "(balanced)" in headless.output


def test_the_run_is_described(headless: Locust) -> None:
    run_part = headless.summary["run"]
    assert run_part["scenario"] == "duel-townsquare"
    assert run_part["users"] == 8
    assert 4 < run_part["duration_s"] < 15
    settings = headless.summary["settings"]
    assert settings["match_seconds"] == 1.0
    assert "server_key" not in settings
    assert headless.summary["matchmaking"]["matches_played"] > 0
    assert headless.summary["ticks"]["sent"] > 0
    assert headless.summary["delivery"]["received"] > 0


def test_the_time_line_has_every_second(headless: Locust) -> None:
    assert_timeline_adds_up(headless)
    rows = [row for row in headless.timeline if row["source"] != "server"]
    assert {row["source"] for row in rows} == {"local"}
    assert len(rows) >= 4
    assert max(row["gauges"]["users"] for row in rows) == max(row["gauges"]["sockets"] for row in rows) == 8
    covered = sum(row["seconds"] for row in rows)
    assert abs(covered - (rows[-1]["at"] + rows[-1]["seconds"] - rows[0]["at"])) < 0.1


def test_the_emulator_has_ended(headless: Locust) -> None:
    assert refused(headless.emulator_port)


def test_no_token_is_in_any_output(headless: Locust) -> None:
    assert_no_secret(headless)


def test_json_on_stdout_stays_json(tmp_path: Path) -> None:
    """The text of the summary goes where Locust's tables go, not to stdout."""
    stdout = tmp_path / "stdout"
    locust = run_until(tmp_path / "reports", "WS       connect", given=("-u", "2", "--json"), stdout=stdout)
    assert any(row["name"] == "connect" for row in json.loads(stdout.read_text())), locust.output
    assert "cid ledger" in locust.output


@pytest.mark.parametrize("way", ["ctrl-c", "sigterm"])
def test_stopped_in_the_middle(way: str, tmp_path: Path) -> None:
    with Locust(
        tmp_path, "-u", "30", "-r", "30", "--nakama-tick-rate", "100", "--nakama-match-seconds", "60"
    ) as locust:
        locust.wait_for("matchmaker_matched")
        emulator = locust.emulator
        if way == "ctrl-c":
            locust.interrupt()
        else:
            locust.signal(signal.SIGTERM)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert locust.summary["ledger"]["balanced"]
    assert our_counts(locust.summary)["WS", "match_join"][0] > 0
    assert locust.summary["run"]["users"] == 30
    assert locust.output.count("cid ledger:") == 1
    assert (locust.folders[0] / "locust.html").is_file()
    assert gone(emulator)


def test_a_killed_locust_leaves_no_emulator(tmp_path: Path) -> None:
    with Locust(tmp_path, "-u", "2", "-r", "2") as locust:
        locust.wait_for(SPAWNED)
        emulator = locust.emulator
        locust.signal(signal.SIGKILL)
        assert gone(emulator)


def test_a_killed_emulator_ends_the_run(tmp_path: Path) -> None:
    with Locust(tmp_path, "-u", "8", "-r", "8", "--nakama-match-seconds", "60") as locust:
        locust.wait_for("matchmaker_matched")
        pid = locust.emulator.pid
        locust.emulator.kill()
        assert locust.finish() == 1
    assert TRACE not in locust.output
    lines = [line for line in locust.output.splitlines() if f"(pid {pid}) has ended by itself" in line]
    assert lines
    ledger = locust.summary["ledger"]
    assert ledger["balanced"]
    assert ledger["sent"] > 0


def test_a_run_that_ends_while_spawning_reports_its_users(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "50", "-r", "2", "-t", "2s")
    assert locust.finish() == 0
    assert 1 < locust.summary["run"]["users"] < 50


def test_listing_the_scenarios_starts_nothing(tmp_path: Path) -> None:
    listed = run(tmp_path / "reports", "--list")
    assert listed.finish() == 0
    assert "Duel" in listed.output
    assert "TownSquare" in listed.output
    assert "EMULATOR" not in listed.output
    assert not listed.reports.exists()


def test_results_that_cannot_be_written_fail_the_run(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    with Locust(reports, "-u", "2", "-r", "2") as locust:
        locust.wait_for(SPAWNED)
        reports.rmdir()
        reports.write_text("")
        locust.interrupt()
        assert locust.finish() == 4
    assert "the results could not be written: --nakama-reports" in locust.output
    assert "run: INVALID (exit code 4)" in locust.output
    assert "cid ledger" in locust.output  # the text is printed nevertheless
    assert TRACE not in locust.output


def test_tags_exclude_whole_classes_and_the_json_file_has_our_counts(tmp_path: Path) -> None:
    given = ("-u", "2", "-r", "2", "-t", "2s", "--tags", "town_square", "--json-file", str(tmp_path / "out"))
    locust = run(tmp_path / "reports", *given)
    assert locust.finish() == 0
    assert TRACE not in locust.output
    assert ("WS", "channel_join") in calls(locust.summary)
    assert ("WS", "match_join") not in calls(locust.summary)
    assert locust_counts(tmp_path / "out") == our_counts(locust.summary)
    assert locust.summary["run"]["scenario"] == "townsquare"


def test_tags_that_exclude_every_task_end_before_any_load(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "2s", "--tags", "nosuch")
    assert locust.finish() == 2
    assert "--tags, --exclude-tags: 'nosuch' leaves no task to run" in locust.output
    assert TRACE not in locust.output
    assert locust.folders == []


def test_no_warning_about_classes_excluded_by_a_tag(tmp_path: Path) -> None:
    (tmp_path / "tagged.py").write_text(TAGGED)
    given = ("-u", "2", "-r", "2", "-t", "2s", "--tags", "near")
    locust = run(tmp_path / "reports", *given, locustfile=tmp_path / "tagged.py")
    assert "had no tasks left" not in locust.output
    assert locust.summary["run"]["scenario"] == "near"


TAGGED = """
from locust import constant, tag, task
from nakama_bots.load import NakamaUser

class Near(NakamaUser):
    wait_time = constant(0.1)

    @tag("near")
    @task
    def ping(self):
        self.player.socket.ping_pong()

class Far(NakamaUser):
    @tag("far")
    @task
    def ping(self):
        self.player.socket.ping_pong()
"""
