"""The emulator as a child process.

Uses only the standard library, without aiohttp: the parent stays light, and the code runs in plain processes
and in ones that gevent has monkey-patched.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Final

from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 5.0
_STDERR_SHOWN: Final = 2000


class EmulatorStartError(NakamaError):
    """The emulator did not start; the message ends with its output on stderr."""


class EmulatorProcess:
    """A running emulator. Create it with ``start``; ``stop`` it, or use it as a context manager.

    It runs in a separate session, so that Ctrl-C in the terminal does not reach it, and holds the read end of a
    pipe whose write end is here: when this process ends, for any reason, the emulator stops.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, lifeline: int, stderr: IO[bytes]) -> None:
        self._process = process
        self._ready = {"url": url}
        self._lifeline = lifeline
        self._stderr = stderr
        self._said = ""
        self._owner = os.getpid()

    @classmethod
    def start(
        cls,
        *,
        matchmaker_interval: float = 15.0,
        server_key: str = "defaultkey",
        http_key: str = "defaulthttpkey",
        seed: int | None = None,
        modules: Sequence[str] = (),
        extra: Sequence[str] = (),
        timeout: float = START_TIMEOUT,
    ) -> EmulatorProcess:
        """Start an emulator on a free port of 127.0.0.1 and wait until it accepts connections.

        ``matchmaker_interval`` in seconds; ``modules`` are paths of runtime modules; ``extra`` are further
        arguments of ``nakama-bots emulator``.
        ``EmulatorStartError`` if it ends, or is not ready within ``timeout`` seconds.
        """
        ready_read, ready_write = os.pipe()
        lifeline_read, lifeline_write = os.pipe()
        arguments = [
            sys.executable, "-m", "nakama_bots.cli", "emulator", "--port", "0",
            "--ready-fd", str(ready_write), "--lifeline-fd", str(lifeline_read),
            "--matchmaker-interval", str(matchmaker_interval),
            *(() if seed is None else ("--seed", str(seed))),
            *(f"--module={module}" for module in modules), *extra,
        ]  # fmt: skip
        # A file, not a pipe, which would block the child unless it is drained.
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # Not as arguments, which every user of the machine can read.
                env=os.environ | {"NAKAMA_SERVER_KEY": server_key, "NAKAMA_HTTP_KEY": http_key},
                pass_fds=(ready_write, lifeline_read),
                start_new_session=True,
            )
        except OSError as error:
            for descriptor in (ready_read, lifeline_write):
                os.close(descriptor)
            stderr.close()
            msg = f"the emulator could not be started: {error.strerror}"
            raise EmulatorStartError(msg) from error
        finally:
            os.close(ready_write)
            os.close(lifeline_read)
        self = cls(process, "", lifeline_write, stderr)
        self._await_ready(ready_read, time.monotonic() + timeout)
        return self

    def _await_ready(self, descriptor: int, deadline: float) -> None:
        try:
            self._ready = _read_ready(descriptor, deadline)
        except (OSError, ValueError, KeyError) as error:
            self.stop()
            code = self._process.returncode
            if code == ExitCode.USAGE:  # one line names the rejected option
                reason = self._said.rpartition("\n")[2].removeprefix("nakama-bots emulator: ")
            else:
                reason = f"{error}; {self._said}"
            msg = f"the emulator did not start (exit code {code}): {reason}"
            raise EmulatorStartError(msg) from None
        except BaseException:
            self.stop()  # interrupted while waiting: leave nothing behind
            raise
        finally:
            os.close(descriptor)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._ready["url"]

    @property
    def control_url(self) -> str:
        """The URL of the control port; ``KeyError`` without ``--control-port``."""
        return self._ready["control"]

    @property
    def metrics_url(self) -> str:
        """The URL of the metrics port; ``KeyError`` without ``--metrics-port``."""
        return self._ready["metrics"]

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the child runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs."""
        return self._process.poll()

    @property
    def stderr(self) -> str:
        """The end of its output on stderr, once it is stopped."""
        return self._said

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Send SIGTERM, and SIGKILL after ``timeout`` seconds. Idempotent.

        In a forked copy of the parent it only releases the emulator, which belongs to the parent.
        """
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline < 0:
            return
        if os.getpid() == self._owner:
            self._end(timeout)
            self._said = self._read_stderr()
            self._stderr.close()
        # Last: a second reason to stop could arrive while the child already removes its signal handlers.
        os.close(lifeline)

    def _end(self, timeout: float) -> None:
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _read_stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()[-_STDERR_SHOWN:].decode(errors="replace").strip()

    def __enter__(self) -> EmulatorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _read_ready(descriptor: int, deadline: float) -> dict[str, str]:
    """Return the ready line's URLs; ``TimeoutError`` after ``deadline`` (monotonic), ``ValueError`` at EOF."""
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            msg = "it was not ready in time"
            raise TimeoutError(msg)
        chunk = os.read(descriptor, 4096)
        if not chunk:
            msg = "it ended before it was ready"
            raise ValueError(msg)
        line += chunk
    ready = json.loads(line)
    return {name: str(ready[name]) for name in ("url", "control", "metrics") if name in ready}
