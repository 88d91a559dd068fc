"""The server's key from a file or from standard input: no command line of a run shows it, workers' included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import LOCUSTFILES, ROOT, SERVER_KEY, SPAWNED, TRACE, Locust, assert_no_secret, calls

NOBODY = LOCUSTFILES / "nobody.py"


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmulatorProcess]:
    """It takes no other key."""
    with EmulatorProcess.start(server_key=SERVER_KEY) as emulator:
        yield emulator


def test_a_file_for_a_run_with_workers(tmp_path: Path, guarded: EmulatorProcess) -> None:
    (tmp_path / "key").write_text(SERVER_KEY + "\n")
    given = ("--host", guarded.url, "--nakama-server-key", f"@{tmp_path}/key", "--processes", "2")
    with Locust(tmp_path / "reports", *given, "-u", "4", "-r", "4", "-t", "2s", locustfile=NOBODY) as locust:
        locust.wait_for(SPAWNED)
        main = psutil.Process(locust.pid)
        processes = [main, *main.children(recursive=True)]
        assert len(processes) == 3
        for process in processes:
            assert SERVER_KEY not in " ".join(process.cmdline())
        assert locust.finish() == 0, locust.output
    login = calls(locust.summary)["POST", "/v2/account/authenticate/device"]
    assert (login["count"], login["failures"]) == (4, 0)
    assert TRACE not in locust.output
    assert_no_secret(locust, SERVER_KEY)


def test_a_line_of_standard_input(tmp_path: Path, guarded: EmulatorProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(NOBODY), "--headless", "-u", "1", "-t", "1s",
         "--host", guarded.url, "--nakama-server-key", "-", "--nakama-reports", str(tmp_path)],
        cwd=ROOT,
        input=f"{SERVER_KEY}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SERVER_KEY not in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, guarded: EmulatorProcess) -> None:
    given = ("--host", guarded.url, "--nakama-server-key", f"@{tmp_path}/none")
    with Locust(tmp_path / "reports", *given, locustfile=NOBODY) as locust:
        assert locust.finish() == 2
    [line] = [line for line in locust.output.splitlines() if line.startswith("nakama_bots: ")]
    assert "--nakama-server-key: '@<hidden>' cannot be used" in line
    assert "No such file" in line
    assert TRACE not in locust.output
