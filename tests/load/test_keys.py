"""The server key from a file or standard input: no command line of a run or its workers shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .running import (
    LOCUSTFILES,
    PINGED,
    SERVER_KEY,
    SPAWNED,
    TRACE,
    Locust,
    assert_no_secret,
    calls,
    poll,
    run_until,
)

NOBODY = LOCUSTFILES / "nobody.py"


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmulatorProcess]:
    """An emulator that accepts only this key."""
    with EmulatorProcess.start(server_key=SERVER_KEY) as emulator:
        yield emulator


def test_a_key_file_for_a_run_with_workers(tmp_path: Path, guarded: EmulatorProcess) -> None:
    (tmp_path / "key").write_text(SERVER_KEY + "\n")
    given = ("--host", guarded.url, "--nakama-server-key", f"@{tmp_path}/key", "--processes", "2")
    with Locust(tmp_path / "reports", *given, "-u", "4", "-r", "4", locustfile=NOBODY) as locust:
        locust.wait_for(SPAWNED)
        main = psutil.Process(locust.pid)
        processes = [main, *main.children(recursive=True)]
        assert len(processes) == 3
        for process in processes:
            assert SERVER_KEY not in " ".join(process.cmdline())
        for _ in poll(lambda: locust.running and _logins(locust.output) >= 4):
            pass
        locust.interrupt()
        assert locust.finish() == 0, locust.output
    login = calls(locust.summary)["POST", "/v2/account/authenticate/device"]
    assert (login["count"], login["failures"]) == (4, 0)
    assert TRACE not in locust.output
    assert_no_secret(locust, SERVER_KEY)


def _logins(output: str) -> int:
    """The number of logins in the last of Locust's tables."""
    return int((re.findall(r"^POST +/v2/account/authenticate/device +(\d+)", output, re.M) or ["0"])[-1])


def test_a_key_on_standard_input(tmp_path: Path, guarded: EmulatorProcess) -> None:
    given = ("-u", "1", "--host", guarded.url, "--nakama-server-key", "-")
    locust = run_until(tmp_path, PINGED, given=given, locustfile=NOBODY, stdin=f"{SERVER_KEY}\n")
    assert locust.finish() == 0, locust.output
    assert SERVER_KEY not in locust.output


def test_a_missing_key_file_is_reported_in_one_line(tmp_path: Path, guarded: EmulatorProcess) -> None:
    given = ("--host", guarded.url, "--nakama-server-key", f"@{tmp_path}/none")
    with Locust(tmp_path / "reports", *given, locustfile=NOBODY) as locust:
        assert locust.finish() == 2
    [line] = [line for line in locust.output.splitlines() if line.startswith("nakama_bots: ")]
    assert "--nakama-server-key: '@<hidden>' cannot be used" in line
    assert "No such file" in line
    assert TRACE not in locust.output
