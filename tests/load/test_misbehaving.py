"""Users that exit, do not stop or never pause: the run ends all the same, and says which they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import LOCUSTFILES, Locust, assert_reported, calls, until

MISBEHAVING = LOCUSTFILES / "misbehaving.py"
# Users are given up after 8 s, and a process that is held up takes 10 s to be seen.
PATIENCE = 240.0


def misbehave(emulator: EmulatorProcess, reports: Path, name: str, *done: str) -> Locust:
    """One user of that class, and beside it one that is well, until all of ``done`` are, or for 3 s."""
    arguments = ("-u", "2", "-r", "10", "--host", emulator.url, *(() if done else ("-t", "3s")))
    environment = until(*done) if done else {}
    with Locust(reports, "Well", name, *arguments, locustfile=MISBEHAVING, environment=environment) as locust:
        locust.finish(PATIENCE)
        return locust


@pytest.mark.parametrize("name", ["Exiting", "ExitingAtStart", "Plain"])
def test_a_user_that_exits(name: str, emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, name, "says:SystemExit", "ping>=31")
    assert locust.finish() == 1
    assert_reported(locust, "FAILED")
    assert f"{name}: " in locust.output
    assert "raised SystemExit(0)" in locust.output
    assert calls(locust.summary)["WS", "ping"]["count"] > 30  # of the other one, to the end


def test_a_handler_and_a_tap_that_exit(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, "Listening", "status_update>=4", "*tap.status*", "*handler.status*")
    assert locust.finish() == 1
    assert "handler.status_presence_event.SystemExit" in locust.output
    assert "tap.status_presence_event.SystemExit" in locust.output
    assert "everything is done" in locust.output
    assert locust.summary["ledger"]["balanced"]
    rows = calls(locust.summary)
    assert rows["WS", "status_update"]["count"] > 3  # its socket goes on
    assert rows["WS", "status_update"]["failures"] == 0


@pytest.mark.parametrize("name", ["Swallowing", "Staying"])
def test_a_user_that_does_not_stop(name: str, emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, name, "ping>=31")
    assert locust.finish() == 1
    assert_reported(locust, "FAILED")
    assert f"{name}: 1 user had not stopped 8 s after the end of the run" in locust.output


def test_a_user_that_never_pauses(emulator: EmulatorProcess, tmp_path: Path) -> None:
    """Run-time and signals are heard again; the traceback says where it was."""
    locust = misbehave(emulator, tmp_path, "Spinning")
    assert_reported(locust, "INVALID", "FAILED")
    assert "Spinning: blocked the whole process for more than 10 s" in locust.output
    assert "in spin" in locust.output


def test_a_user_that_never_pauses_and_catches_everything(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, "SpinningOn")
    assert_reported(locust, "INVALID", "FAILED")
    assert "SpinningOn: 1 user had not stopped 8 s after the end of the run" in locust.output
