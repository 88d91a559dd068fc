"""Locust as a user starts it: a separate process; tests wait for lines of its output."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import warm
from limits import NO_LIMITS

from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.run_folder import read_summary, read_timeline
from nakama_bots.results.summary import CallPart, Summary, ended, recorder_of

ROOT = Path(__file__).parents[2]
LOCUSTFILES = Path(__file__).parent / "locustfiles"
# Only a run that hangs takes as long: a busy machine may give a process some hundredths of a core.
TIMEOUT = 240.0
# A busy machine makes every generator too slow; what that does is for the tests of the health.
WITHOUT_LIMITS = ("--nakama-health-limits", NO_LIMITS)
QUICK = ("--nakama-match-seconds", "1", "--nakama-emulator-matchmaker-interval", "0.2", *WITHOUT_LIMITS)
SERVER_KEY = "planted-server-key-7c1f"

# How every token begins, {"alg": in base64. Less of it comes up by chance in a histogram's base64.
TOKEN = "eyJhbGci"

TRACE = "Traceback (most recent call last)"
# Locust has two lines for it: a slow worker does not report in time. Both end so.
SPAWNED = "total users)"
# A row of the tables that Locust prints as it goes on: by then calls have been answered.
WORKING = "matchmaker_matched"
# The same of a user that only pings.
PINGED = "WS       ping"

UNTIL = ROOT / "tests" / "until.py"
"""The locustfile beside every other: it ends a run when it has done what ``until`` names."""

STOPPED = " (stopped)"
"""Behind the name of an abandoned call. Not imported: that would import Locust, which patches the process."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _started(
    launcher: Sequence[str],
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> subprocess.Popen[bytes] | warm.Command:
    """Start ``locust``; as a new interpreter where that makes a difference."""
    if not launcher and warm.same_imports(environment):
        return warm.Command(arguments, cwd, environment, streams)
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        [*launcher, sys.executable, "-m", "locust", *arguments], cwd=cwd, env=environment,
        stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True,
    )  # fmt: skip


class Locust:
    """One ``locust`` command. ``output`` is what it has printed so far on both streams."""

    def __init__(
        self,
        reports: Path,
        *arguments: str,
        locustfile: Path = ROOT / "locustfile.py",
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = ("--headless", *QUICK),
        launcher: Sequence[str] = (),
        cwd: Path = ROOT,
        stdout: Path | None = None,
        stdin: str | None = None,
    ) -> None:
        """Locust's tables are waited for: they are on unless ``environment`` or an argument says otherwise.

        ``stdout`` is a file for that stream, in place of ``output``; ``stdin`` a text that is typed."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "GITHUB_"))
        }
        if "--processes" in arguments and "--master-bind-port" not in arguments:
            port = str(free_port())  # Locust's own is the same for every run
            arguments += ("--master-bind-port", port, "--master-port", port)
        self.reports = reports
        self._lines: list[str] = []
        self._news = threading.Condition()
        reading, output = os.pipe()
        self._stream = os.fdopen(reading)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, output)
            typed = stack.enter_context(tempfile.TemporaryFile())
            typed.write((stdin or "").encode())
            typed.seek(0)
            apart = stack.enter_context(stdout.open("w")) if stdout is not None else None
            self._process = _started(
                launcher,
                ["-f", f"{locustfile},{UNTIL}", *prefix, "--nakama-reports", str(reports), *arguments],
                cwd,
                inherited | {"PYTHONPATH": str(ROOT), "NAKAMA_LIVE": "off"} | dict(environment or {}),
                (typed.fileno(), output if apart is None else apart.fileno(), output),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._lines.append("")
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for(self, text: str, times: int = 1, timeout: float = TIMEOUT) -> None:
        """Wait until it has printed ``text``; a failure shows the output."""

        def said() -> bool:
            return sum(text in line for line in self._lines) >= times

        with self._news:
            self._news.wait_for(lambda: said() or self._lines[-1:] == [""], timeout)
            assert said(), "".join(self._lines)

    def signal(self, number: signal.Signals) -> None:
        """Signal this process alone; Ctrl-C in a terminal goes to the whole group: ``interrupt``."""
        self._process.send_signal(number)

    def interrupt(self) -> None:
        os.killpg(self.pid, signal.SIGINT)

    def finish(self, timeout: float = TIMEOUT) -> int:
        """Return its exit code when it and every process that writes to its streams have ended.

        What it printed is shown by pytest beside a test that fails.
        """
        try:
            code = self._process.wait(timeout)
            self._reader.join(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.output) from None
        assert not self._reader.is_alive(), self.output
        if code:
            print(self.output)
        return code

    def __enter__(self) -> Locust:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(TIMEOUT)
        self._stream.close()

    @property
    def emulator(self) -> psutil.Process:
        """The embedded emulator."""
        return next(
            child for child in psutil.Process(self.pid).children() if "nakama_bots.cli" in child.cmdline()
        )

    @property
    def emulator_port(self) -> int:
        found = re.search(r"Started at http://127\.0\.0\.1:(\d+)", self.output)
        assert found, self.output
        return int(found[1])

    @property
    def folders(self) -> list[Path]:
        return sorted(self.reports.iterdir())

    @property
    def summary(self) -> Summary:
        (folder,) = self.folders
        return read_summary(folder)

    @property
    def timeline(self) -> Timeline:
        (folder,) = self.folders
        return read_timeline(folder)


def until(*names: str, seconds: float = 0.0) -> dict[str, str]:
    """The environment of a run that ends when it has done all of ``names``; see ``tests/until.py``."""
    return {"UNTIL": json.dumps(names), "UNTIL_SECONDS": str(seconds)}


def run(reports: Path, *arguments: str, **options: Any) -> Locust:
    """A run that ends by itself."""
    with Locust(reports, *arguments, **options) as locust:
        locust.finish()
        return locust


def run_until(reports: Path, *said: str, given: Sequence[str] = (), **options: Any) -> Locust:
    """A run that is interrupted when it has printed each of ``said``, in this order."""
    with Locust(reports, *given, **options) as locust:
        for text in said:
            locust.wait_for(text)
        locust.interrupt()
        locust.finish()
        return locust


def calls(summary: Summary) -> dict[tuple[str, str], CallPart]:
    return {(call["kind"], call["name"]): call for call in summary["calls"]}


def locust_counts(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Requests and failures by kind and name, from Locust's ``--json-file``."""
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return {(row["method"], row["name"]): (row["num_requests"], row["num_failures"]) for row in rows}


def our_counts(summary: Summary) -> dict[tuple[str, str], tuple[int, int]]:
    """Requests and failures by kind and name, as Locust has them: those that were stopped apart."""
    counts = {}
    for (kind, name), call in calls(summary).items():
        if ended(call):
            counts[kind, name] = ended(call), call["failures"]
        if call["outcomes"]["abandoned"]:
            counts[kind, name + STOPPED] = call["outcomes"]["abandoned"], 0
    return counts


def refused(port: int) -> bool:
    """True if nothing listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return True
    return False


def gone(process: psutil.Process, timeout: float = 15.0) -> bool:
    _, alive = psutil.wait_procs([process], timeout)
    return not alive


def labels(summary: Summary) -> set[str]:
    """Class names of the failures."""
    return {error["label"].split(":")[0] for error in summary["errors"]}


def assert_reported(locust: Locust, *verdicts: str) -> None:
    """The verdict is printed once, and is one of ``verdicts``."""
    assert re.findall(r"^run: (\w+) \(exit code", locust.output, re.MULTILINE) in [[one] for one in verdicts]
    assert locust.summary["ledger"]["balanced"]
    assert "Profiling timer" not in locust.output


def assert_no_secret(locust: Locust, *secrets: str) -> None:
    texts = [locust.output, *(_text(path) for path in locust.reports.rglob("*") if path.is_file())]
    for text in texts:
        for secret in (*secrets, TOKEN):
            assert secret not in text


def poll(condition: Callable[[], bool], timeout: float = TIMEOUT) -> Iterator[None]:
    """Poll ``condition`` until it is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        yield
        time.sleep(0.05)  # leaves the CPU to the process that is polled


def has_account(url: str, device: str) -> bool:
    """True if the server has an account of the device."""
    request = urllib.request.Request(
        f"{url}/v2/account/authenticate/device?create=false",
        data=json.dumps({"id": device}).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(b"defaultkey:").decode()},
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        if refusal.code == 404:
            return False
        raise
    return True


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def assert_timeline_adds_up(locust: Locust) -> None:
    """The intervals of all processes add up to the summary."""
    timeline = locust.timeline
    whole = without_ends(timeline, -60.0, 0.0).recorder
    total = recorder_of(locust.summary)
    assert whole.counts == total.counts
    assert {key: (row.ok.count, row.ok.mean, row.outcomes) for key, row in whole.calls.items()} == {
        key: (row.ok.count, row.ok.mean, row.outcomes) for key, row in total.calls.items()
    }
    assert {name: row.count for name, row in whole.samples.items()} == {
        name: row.count for name, row in total.samples.items()
    }
