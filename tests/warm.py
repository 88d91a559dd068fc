"""Starts ``locust`` commands from a process that has imported what they need: most of what a short run costs.

Each command is a process of its own, a copy of that one: the rest of its start and its end are as in a new
interpreter. ``nakama_bots.load``, whose import has effects, is left to the command. What an import looks at,
such as its environment variables, is that of the first command.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
_LONGEST: Final = 1 << 20
_NEEDED: Final = (
    "faker.config",
    "nakama_bots.emulator.server.process",
    "nakama_bots.players.player",
    "nakama_bots.results.gate.gate_file",
    "nakama_bots.results.show.outputs",
    "nakama_bots.results.show.report.files",
    "nakama_bots.results.traces.scrapes",
    "nakama_bots.settings.options",
)
_AT_IMPORT: Final = ("LOCUST_", "GEVENT", "PYTHON", "COVERAGE", "TZ", "LANG", "LC_")
"""Variables that change what an interpreter or an import does."""


class Command:
    """A running command: what ``subprocess.Popen`` has, as far as it is needed."""

    def __init__(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], streams: Sequence[int]
    ) -> None:
        """``arguments`` are those of ``locust``; ``streams`` are its stdin, stdout and stderr."""
        self._status, theirs = os.pipe()
        try:
            self.pid = _STARTER.start(arguments, cwd, environment, (*streams, theirs))
        finally:
            os.close(theirs)
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code; below zero for a signal."""
        if self.returncode is None:
            ready, _, _ = select.select([self._status], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("locust", timeout or 0.0)
            status = os.read(self._status, 16)
            os.close(self._status)
            assert status, "the process that starts commands has ended"
            self.returncode = os.waitstatus_to_exitcode(int(status))
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def same_imports(environment: Mapping[str, str]) -> bool:
    """Whether a command with this environment may be started from here."""

    def seen(names: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in names.items() if name.startswith(_AT_IMPORT)}

    return (
        hasattr(os, "pidfd_open")
        and seen(environment) == seen(_environment())
        and "COVERAGE_PROCESS_CONFIG" not in environment
    )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


class _Starter:
    """The process that starts commands; started with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def start(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], files: Sequence[int]
    ) -> int:
        """Return the process id of a new command; the last of ``files`` gets its exit status."""
        with self._lock:
            if self._socket is None:
                self._begin()
            assert self._socket is not None
            request = json.dumps([list(arguments), str(cwd), dict(environment)]).encode()
            socket.send_fds(self._socket, [request], list(files))
            return int(self._socket.recv(16))

    def _begin(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())], cwd=ROOT, env=_environment(),
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        atexit.register(self._end)

    def _end(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()


_STARTER: Final = _Starter()


def serve(descriptor: int) -> list[str] | None:
    """Start what is asked for. Returns None at the end, and in each command its arguments."""
    # Locust has patched these, so that they leave their work to the event loop, which does not run here.
    from gevent import reinit  # noqa: PLC0415
    from gevent.monkey import get_original  # noqa: PLC0415

    fork, waitpid, close = get_original("os", ["fork", "waitpid", "close"])
    poll = get_original("select", "poll")
    asked = get_original("socket", "socket")(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, descriptor)
    running: dict[int, tuple[int, int]] = {}
    news: Any = poll()
    news.register(descriptor, select.POLLIN)
    while True:
        for ready, _ in news.poll():
            if ready != descriptor:
                pid, status = running.pop(ready)
                news.unregister(ready)
                close(ready)
                with contextlib.suppress(BrokenPipeError):
                    os.write(status, str(waitpid(pid, 0)[1]).encode())
                close(status)
                continue
            request, files = _received(asked)
            if not request:
                return None
            arguments, cwd, environment = json.loads(request)
            pid = fork()
            if not pid:
                asked.detach()
                for number, stream in enumerate(files[:3]):
                    os.dup2(stream, number)
                for file in (descriptor, *files, *running, *(status for _, status in running.values())):
                    close(file)
                reinit()
                os.setsid()
                os.chdir(cwd)
                os.environ.clear()
                os.environ.update(environment)
                return arguments
            for file in files[:3]:
                close(file)
            watched = os.pidfd_open(pid)
            running[watched] = pid, files[3]
            news.register(watched, select.POLLIN)
            asked.send(str(pid).encode())


def _received(asked: Any) -> tuple[bytes, list[int]]:
    """``socket.recv_fds`` is a method of the patched socket."""
    files = array.array("i")
    data, extra, _, _ = asked.recvmsg(_LONGEST, socket.CMSG_SPACE(4 * files.itemsize))
    for _, _, given in extra:
        files.frombytes(given)
    return data, list(files)


if __name__ == "__main__":
    import locust.main  # noqa: F401

    for name in _NEEDED:
        importlib.import_module(name)
    sys.modules["nakama_bots.results.show.report.page"].template("report.html.j2")  # compiled once
    # What the commands share is not copied by their garbage collection.
    gc.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    given = serve(int(sys.argv[1]))
    if given is not None:
        sys.argv = ["locust", *given]
        sys.path[0] = str(Path.cwd())
        runpy.run_module("locust", run_name="__main__", alter_sys=True)
