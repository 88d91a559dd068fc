"""However a run comes to its end, there is a report with a verdict, an exit code, and no traceback of ours."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import LOCUSTFILES, PINGED, SPAWNED, TRACE, Locust, calls, free_port, poll, run, until

NOBODY = LOCUSTFILES / "nobody.py"
MISBEHAVING = LOCUSTFILES / "misbehaving.py"
TWO = ("-u", "2", "-r", "10")
# Users are given up after 8 s, and a process that is held up takes 10 s to be seen.
PATIENCE = 240.0


def assert_reported(locust: Locust, *verdicts: str) -> None:
    """Once, and as one of these."""
    assert re.findall(r"^run: (\w+) \(exit code", locust.output, re.MULTILINE) in [[one] for one in verdicts]
    assert locust.summary["ledger"]["balanced"]
    assert "Profiling timer" not in locust.output


def misbehave(reports: Path, name: str, *done: str) -> Locust:
    """One user of that class, and beside it one that is well, until all of ``done`` are, or for 3 s."""
    arguments = ("-u", "2", "-r", "10", *(() if done else ("-t", "3s")))
    environment = until(*done) if done else {}
    with Locust(reports, "Well", name, *arguments, locustfile=MISBEHAVING, environment=environment) as locust:
        locust.finish(PATIENCE)
        return locust


@pytest.mark.parametrize("times", [1, 2, 3, 6])
def test_interrupted_again_and_again(times: int, tmp_path: Path) -> None:
    with Locust(tmp_path, *TWO, locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        for _ in range(times):
            locust.interrupt()
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_users_that_are_waited_for_are_not_after_an_interrupt(first: signal.Signals, tmp_path: Path) -> None:
    """A task may be finished, and lasts for an hour."""
    arguments = ("Lasting", "--stop-timeout", "300")
    with Locust(tmp_path, *TWO, *arguments, locustfile=MISBEHAVING) as locust:
        locust.wait_for(PINGED)
        locust.signal(first)
        locust.wait_for(f"Got {first.name} signal")
        for number in range(1, 4):
            locust.interrupt()
            if number == 1:
                locust.wait_for("the run is already ending")
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_run(number: signal.Signals, tmp_path: Path) -> None:
    with Locust(tmp_path, *TWO, locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        locust.signal(number)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


def test_the_terminal_of_a_run_with_processes_goes(tmp_path: Path) -> None:
    with Locust(tmp_path, *TWO, "--processes", "2", locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        os.killpg(locust.pid, signal.SIGHUP)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


def test_stopped_in_the_middle_of_a_ramp_with_processes(tmp_path: Path) -> None:
    """The users that are still to be started are not: Locust would wait a minute for them to end."""
    with Locust(tmp_path, "-u", "200", "-r", "2", "--processes", "2", locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        locust.signal(signal.SIGTERM)
        assert locust.finish(50) == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("waiting", ["server", "workers"])
def test_interrupted_before_the_run(waiting: str, number: signal.Signals, tmp_path: Path) -> None:
    if waiting == "server":
        host = f"http://127.0.0.1:{free_port()}"
        arguments = ("--host", host, "--nakama-wait-for-server", "300")
        said = "Starting Locust"
    else:
        arguments = ("--master", "--expect-workers", "1", "--master-bind-port", str(free_port()))
        said = "Waiting for workers"
    with Locust(tmp_path, *TWO, *arguments, locustfile=NOBODY) as locust:
        locust.wait_for(said)
        if waiting == "server":
            for _ in poll(lambda: psutil.Process(locust.pid).num_threads() > 1):
                pass
        locust.signal(number)
        assert locust.finish() == 1
    assert "interrupted before the run began" in locust.output
    assert TRACE not in locust.output
    assert locust.folders == []


@pytest.mark.parametrize("name", ["Exiting", "ExitingAtStart", "Plain"])
def test_a_user_that_exits(name: str, tmp_path: Path) -> None:
    locust = misbehave(tmp_path, name, "says:SystemExit", "ping>=31")
    assert locust.finish() == 1
    assert_reported(locust, "FAILED")
    assert f"{name}: " in locust.output
    assert "raised SystemExit(0)" in locust.output
    assert calls(locust.summary)["WS", "ping"]["count"] > 30  # of the other one, to the end


def test_a_handler_and_a_tap_that_exit(tmp_path: Path) -> None:
    locust = misbehave(tmp_path, "Listening", "status_update>=4", "*tap.status*", "*handler.status*")
    assert locust.finish() == 1
    assert "handler.status_presence_event.SystemExit" in locust.output
    assert "tap.status_presence_event.SystemExit" in locust.output
    assert "everything is done" in locust.output
    assert locust.summary["ledger"]["balanced"]
    rows = calls(locust.summary)
    assert rows["WS", "status_update"]["count"] > 3  # its socket goes on
    assert rows["WS", "status_update"]["failures"] == 0


@pytest.mark.parametrize("name", ["Swallowing", "Staying"])
def test_a_user_that_does_not_stop(name: str, tmp_path: Path) -> None:
    locust = misbehave(tmp_path, name, "ping>=31")
    assert locust.finish() == 1
    assert_reported(locust, "FAILED")
    assert f"{name}: 1 user had not stopped 8 s after the end of the run" in locust.output


def test_a_user_that_never_pauses(tmp_path: Path) -> None:
    """Run-time and signals are heard again; the traceback says where it was."""
    locust = misbehave(tmp_path, "Spinning")
    assert_reported(locust, "INVALID", "FAILED")
    assert "Spinning: blocked the whole process for more than 10 s" in locust.output
    assert "in spin" in locust.output


def test_a_user_that_never_pauses_and_catches_everything(tmp_path: Path) -> None:
    locust = misbehave(tmp_path, "SpinningOn")
    assert_reported(locust, "INVALID", "FAILED")
    assert "SpinningOn: 1 user had not stopped 8 s after the end of the run" in locust.output


def test_fewer_users_than_none(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "-1", locustfile=NOBODY)
    assert locust.finish() == 2
    assert "nakama_bots: --users: -1 cannot be used; accepted: a whole number from 0" in locust.output
    assert TRACE not in locust.output
    assert locust.folders == []


@pytest.mark.parametrize("forked", [True, False])
def test_workers_whose_master_was_killed(forked: bool, tmp_path: Path) -> None:
    with EmulatorProcess.start() as emulator:
        port = str(free_port())
        host = ("--host", emulator.url, "--master-bind-port", port)
        way = ("--processes", "2", "--master-port", port) if forked else ("--master", "--expect-workers", "1")
        with Locust(tmp_path, *TWO, *host, *way, locustfile=NOBODY) as master:
            if forked:
                master.wait_for(SPAWNED)
                workers = psutil.Process(master.pid).children()
                master.signal(signal.SIGKILL)
                # They write to its streams: those end with the last of them.
                _, alive = psutil.wait_procs(workers, 10.0)
                assert alive == []
                said = master
            else:
                with Locust(
                    tmp_path, "--worker", "--master-port", port, locustfile=NOBODY, prefix=()
                ) as worker:
                    master.wait_for(SPAWNED)
                    master.signal(signal.SIGKILL)
                    assert worker.finish(10.0) == 1
                said = worker
    assert f"the master at 127.0.0.1:{port} is gone: this worker stops" in said.output
    assert TRACE not in said.output


def test_workers_whose_master_was_stopped_wait_for_it(tmp_path: Path) -> None:
    """Stopped, not killed: its port is open, and the run goes on when it does."""
    with Locust(tmp_path, *TWO, "--processes", "2", "-t", "8s", locustfile=NOBODY) as locust:
        locust.wait_for(SPAWNED)
        master = psutil.Process(locust.pid)
        workers = [child for child in master.children() if child.cmdline() == master.cmdline()]
        locust.signal(signal.SIGSTOP)
        _, alive = psutil.wait_procs(workers, 6.0)
        assert len(alive) == 2
        locust.signal(signal.SIGCONT)
        locust.finish()
    assert "is gone" not in locust.output
    assert locust.summary["ledger"]["balanced"]
