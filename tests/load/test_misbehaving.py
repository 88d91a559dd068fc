"""Users that exit, do not stop or never pause: the run still ends and names their classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import LOCUSTFILES, Locust, assert_reported, calls, until

MISBEHAVING = LOCUSTFILES / "misbehaving.py"
# The run stops waiting for users after 8 s; a blocked process is detected after 10 s.
PATIENCE = 240.0


def misbehave(emulator: EmulatorProcess, reports: Path, name: str, *done: str) -> Locust:
    """Run one user of the class and one good user until all of ``done`` have happened, or for 3 s."""
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
    assert calls(locust.summary)["WS", "ping"]["count"] > 30  # of the good user, to the end


def test_a_handler_and_a_tap_that_exit(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, "Listening", "status_update>=4", "*tap.status*", "*handler.status*")
    assert locust.finish() == 1
    assert "handler.status_presence_event.SystemExit" in locust.output
    assert "tap.status_presence_event.SystemExit" in locust.output
    assert "everything is done" in locust.output
    assert locust.summary["ledger"]["balanced"]
    rows = calls(locust.summary)
    assert rows["WS", "status_update"]["count"] > 3  # its socket still works
    assert rows["WS", "status_update"]["failures"] == 0


@pytest.mark.parametrize("name", ["Swallowing", "Staying"])
def test_a_user_that_does_not_stop(name: str, emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, name, "ping>=31")
    assert locust.finish() == 1
    assert_reported(locust, "FAILED")
    assert f"{name}: 1 user had not stopped 8 s after the end of the run" in locust.output


def test_a_user_that_never_pauses(emulator: EmulatorProcess, tmp_path: Path) -> None:
    """Run time and signals work again; the traceback shows where the user was."""
    locust = misbehave(emulator, tmp_path, "Spinning")
    assert_reported(locust, "INVALID", "FAILED")
    assert "Spinning: blocked the whole process for more than 10 s" in locust.output
    assert "in spin" in locust.output


def test_a_user_that_never_pauses_and_catches_everything(emulator: EmulatorProcess, tmp_path: Path) -> None:
    locust = misbehave(emulator, tmp_path, "SpinningOn")
    assert_reported(locust, "INVALID", "FAILED")
    assert "SpinningOn: 1 user had not stopped 8 s after the end of the run" in locust.output
