"""However a run ends, it leaves a report, a verdict and an exit code, and logs no traceback of the package."""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

import psutil
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import LOCUSTFILES, PINGED, SPAWNED, TIMEOUT, TRACE, Locust, assert_reported, free_port, run

NOBODY = LOCUSTFILES / "nobody.py"
MISBEHAVING = LOCUSTFILES / "misbehaving.py"
TWO = ("-u", "2", "-r", "10")


@pytest.mark.parametrize("times", [1, 2, 6])
def test_repeated_interrupts(times: int, emulator: EmulatorProcess, tmp_path: Path) -> None:
    with Locust(tmp_path, *TWO, "--host", emulator.url, locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        for _ in range(times):
            locust.interrupt()
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_wait_for_users(
    first: signal.Signals, emulator: EmulatorProcess, tmp_path: Path
) -> None:
    """``--stop-timeout`` lets a task finish, and the task lasts an hour."""
    arguments = ("Lasting", "--stop-timeout", "300")
    with Locust(tmp_path, *TWO, "--host", emulator.url, *arguments, locustfile=MISBEHAVING) as locust:
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


@pytest.mark.parametrize(
    ("number", "load"),
    [
        (signal.SIGTERM, TWO), (signal.SIGHUP, TWO),
        (signal.SIGTERM, ("--nakama-load", "soak:users=2,for=1h")),
    ],
)  # fmt: skip
def test_a_signal_that_ends_the_run(
    number: signal.Signals, load: tuple[str, ...], emulator: EmulatorProcess, tmp_path: Path
) -> None:
    with Locust(tmp_path, *load, "--host", emulator.url, locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        locust.signal(number)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


def test_the_terminal_of_a_run_with_processes_closes(emulator: EmulatorProcess, tmp_path: Path) -> None:
    with Locust(tmp_path, *TWO, "--host", emulator.url, "--processes", "2", locustfile=NOBODY) as locust:
        locust.wait_for(PINGED)
        os.killpg(locust.pid, signal.SIGHUP)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


def test_a_run_with_processes_is_stopped_during_the_ramp(emulator: EmulatorProcess, tmp_path: Path) -> None:
    """The remaining users are not started: Locust would wait a minute for them to end."""
    with Locust(
        tmp_path, "-u", "200", "-r", "2", "--host", emulator.url, "--processes", "2", locustfile=NOBODY
    ) as locust:
        locust.wait_for(PINGED)
        locust.signal(signal.SIGTERM)
        assert locust.finish(50) == 0
    assert TRACE not in locust.output
    assert_reported(locust, "PASSED")


@pytest.mark.parametrize(
    ("waiting", "number"),
    [
        ("server", signal.SIGINT), ("server", signal.SIGHUP),
        ("workers", signal.SIGINT), ("workers", signal.SIGTERM),
    ],
)  # fmt: skip
def test_an_interrupt_before_the_run(waiting: str, number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        if waiting == "server":
            host = f"http://127.0.0.1:{server.getsockname()[1]}"
            arguments = ("--host", host, "--nakama-wait-for-server", "300")
            said = "Starting Locust"
        else:
            arguments = ("--master", "--expect-workers", "1", "--master-bind-port", str(free_port()))
            said = "Waiting for workers"
        with Locust(tmp_path, *TWO, *arguments, locustfile=NOBODY) as locust:
            locust.wait_for(said)
            if waiting == "server":
                # The connection of the run is never answered.
                assert select.select([server], [], [], TIMEOUT)[0]
            locust.signal(number)
            assert locust.finish() == 1
    assert "interrupted before the run began" in locust.output
    assert TRACE not in locust.output
    assert locust.folders == []


def test_a_negative_number_of_users(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "-1", locustfile=NOBODY)
    assert locust.finish() == 2
    assert "nakama_bots: --users: -1 cannot be used; accepted: a whole number from 0" in locust.output
    assert TRACE not in locust.output
    assert locust.folders == []


@pytest.mark.parametrize("forked", [True, False])
def test_workers_stop_when_the_master_is_killed(forked: bool, tmp_path: Path) -> None:
    with EmulatorProcess.start() as emulator:
        port = str(free_port())
        host = ("--host", emulator.url, "--master-bind-port", port)
        way = ("--processes", "2", "--master-port", port) if forked else ("--master", "--expect-workers", "1")
        with Locust(tmp_path, *TWO, *host, *way, locustfile=NOBODY) as master:
            if forked:
                master.wait_for(SPAWNED)
                workers = psutil.Process(master.pid).children()
                master.signal(signal.SIGKILL)
                # Workers write to the streams of the master: those end with the last worker.
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


def test_workers_wait_for_a_stopped_master(emulator: EmulatorProcess, tmp_path: Path) -> None:
    """Stopped, not killed: its port is open, and the run continues when the master does."""
    with Locust(
        tmp_path, *TWO, "--host", emulator.url, "--processes", "2", "-t", "8s", locustfile=NOBODY
    ) as locust:
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
