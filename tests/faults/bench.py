"""Where a cell is run: a server, a relay in front of it, a real ``locust`` process; bounded in time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import trustme
from limits import NO_LIMITS
from load.running import ROOT, Locust, until

from nakama_bots.emulator.server.process import EmulatorProcess

from .cell import NOT_STARTED, Cell
from .judge import Result, judge

LOCUSTFILE = Path(__file__).parent / "locustfile.py"
STEADY = (
    # Both cores may be busy: that the generator is too slow is what only one cell is about.
    "--nakama-health-limits", NO_LIMITS,
    "--nakama-live", "off",
)  # fmt: skip

MOST_MEMORY = 400 * 2**20
"""Bytes: the process itself, its figures, and one of the largest bodies or messages that it may take in."""


class Peer:
    """``tests.faults.peer`` as a process."""

    def __init__(self, upstream: int, arguments: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.peer", "--upstream", str(upstream), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.seen: dict[str, int] = {"connections": 0, "hits": 0, "followed": 0, "cids": 0}
        self.port = int(self._line(30.0)["port"])

    def _line(self, timeout: float) -> Any:
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], timeout)[0], "the relay says nothing"
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self.seen = self._line(10.0)
        except (AssertionError, ValueError):
            self._process.kill()
        self._process.wait(10)
        self._process.stdout.close()


class Bench:
    """One cell as it is run."""

    def __init__(self, cell: Cell, folder: Path) -> None:
        self.cell = cell
        self.folder = folder
        self.reports = folder / "reports"
        self._may_end = folder / "may end"
        self.emulator: EmulatorProcess | None = None
        self.peer: Peer | None = None
        self.workers: list[Locust] = []
        self.result = Result(cell)
        self._locust: Locust | None = None
        self._stack = ExitStack()
        self._ends_at = time.monotonic() + cell.bound
        self._peak = 0
        self._over = threading.Event()
        self.arguments: list[str] = []
        self.environment: dict[str, str] = {}

    @property
    def locust(self) -> Locust:
        assert self._locust is not None
        return self._locust

    @property
    def left(self) -> float:
        return max(1.0, self._ends_at - time.monotonic())

    def run(self) -> Result:
        """Everything from the server's start to the judgement; what is still there afterwards is killed."""
        started = time.monotonic()
        cell, result = self.cell, self.result
        if cell.needs_root and os.geteuid() != 0:
            result.skipped = "needs root, to mount a small file system"
            return result
        with self._stack:
            self._start_servers()
            if cell.before is not None:
                cell.before(self)
            self._locust = self._stack.enter_context(self._run_locust())
            self._stack.callback(self._over.set)
            threading.Thread(target=self._watch_memory, daemon=True).start()
            try:
                if cell.during is not None:
                    self.locust.wait_for("calls are answered", timeout=self.left)
                    cell.during(self)
                self.may_end()
                result.code = self.locust.finish(self.left)
            except AssertionError:
                result.hang = self.locust.running
                result.problems.append("it hangs" if result.hang else "it ended before its time")
                if not result.hang:
                    result.code = self.locust.finish(10.0)
            result.output = self.locust.output
            self._look_for_rest()
        result.seconds = time.monotonic() - started
        if self._peak > MOST_MEMORY:
            result.problems.append(f"it took {self._peak // 2**20} MiB")
        judge(result, self.reports, self.peer.seen["cids"] if self.peer is not None else 0)
        if cell.follows_nothing and self.peer is not None and self.peer.seen["followed"]:
            result.problems.append("the redirect was followed")
        if cell.peer and self.peer is not None and "--garbage" not in cell.peer and not self.peer.seen["hits"]:
            result.problems.append("the relay had nothing to break")
        if cell.after is not None:
            result.problems += cell.after(self)
        return result

    def may_end(self) -> None:
        """Let the load end when it has done everything."""
        if self.cell.seconds:
            self._may_end.touch()

    def _watch_memory(self) -> None:
        """Remember the most memory that the run's process has had."""
        with suppress(OSError, IndexError):
            while self.locust.running and not self._over.wait(0.2):
                status = Path(f"/proc/{self.locust.pid}/status").read_text()
                self._peak = int(status.split("VmHWM:")[1].split()[0]) * 1024

    def _run_locust(self) -> Locust:
        cell = self.cell
        arguments = ["-u", str(cell.users), "-r", str(max(1, cell.users)), *STEADY]
        environment = dict(cell.environment) | self.environment
        if cell.timed or cell.users < 1 or cell.verdict == NOT_STARTED:
            arguments += ["-t", f"{cell.seconds}s"]
        else:
            environment |= until(*cell.done, seconds=cell.seconds) | {"UNTIL_FILE": str(self._may_end)}
            environment |= {"UNTIL_WELL": "ping"} if cell.recovers else {}
        return Locust(
            self.reports, cell.scenario, *arguments, *cell.arguments, *self.arguments,
            locustfile=LOCUSTFILE, environment=environment,
            launcher=cell.launcher,
        )  # fmt: skip

    def _start_servers(self) -> None:
        cell = self.cell
        if cell.server is None:
            return
        tls: tuple[str, ...] = ()
        scheme = "http"
        if cell.tls:
            scheme = "https"
            tls = () if cell.tls in ("plain", "garbage") else self._certificate(cell.tls)
        extra = (*cell.server, *tls, "--control-port", "0")
        self.emulator = self._stack.enter_context(EmulatorProcess.start(matchmaker_interval=0.2, extra=extra))
        port = self.emulator.url.rsplit(":", 1)[1]
        if cell.peer:
            self.peer = self._stack.enter_context(Peer(int(port), cell.peer))
            port = str(self.peer.port)
        self.arguments += ["--host", f"{scheme}://127.0.0.1:{port}"]

    def _certificate(self, kind: str) -> tuple[str, ...]:
        authority = trustme.CA()
        names = ("other.example",) if kind == "other host" else ("127.0.0.1", "localhost")
        until = datetime.now(UTC) + timedelta(days=-1 if kind == "expired" else 1)
        certificate = authority.issue_cert(*names, not_before=until - timedelta(days=30), not_after=until)
        paths = {name: self.folder / f"{name}.pem" for name in ("ca", "cert", "key")}
        authority.cert_pem.write_to_path(paths["ca"])
        certificate.private_key_pem.write_to_path(paths["key"])
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(paths["cert"], append=True)
        if kind != "self-signed":
            self.arguments += ["--nakama-tls-ca", str(paths["ca"])]
        return ("--tls-cert", str(paths["cert"]), "--tls-key", str(paths["key"]))

    def on_exit(self, callback: Any, *arguments: Any) -> None:
        self._stack.callback(callback, *arguments)

    def restart_on(self, port: int) -> None:
        """A new emulator, which knows nobody, where the old one was."""
        self.emulator = self._stack.enter_context(EmulatorProcess.start(extra=("--port", str(port))))

    def control(self, faults: list[dict[str, object]]) -> None:
        """Replace the emulator's faults."""
        assert self.emulator is not None
        request = urllib.request.Request(
            f"{self.emulator.control_url}/faults", data=json.dumps({"faults": faults}).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()

    def worker(self, port: int) -> Locust:
        """One that is started by itself."""
        worker = self._stack.enter_context(
            Locust(
                self.folder / "none", "--worker", "--master-port", str(port), locustfile=LOCUSTFILE, prefix=()
            )
        )
        self.workers.append(worker)
        return worker

    def _look_for_rest(self) -> None:
        """No process of the run may be left; the group is its own."""
        if self.result.hang:
            return
        rest = [process for process in psutil.process_iter(["pid"]) if _group(process.pid) == self.locust.pid]
        _, alive = psutil.wait_procs(rest, timeout=15)
        self.result.problems.extend(f"process {process.pid} is still there" for process in alive)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1
