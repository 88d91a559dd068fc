"""Processes that a command starts and ends: generators, and servers given as a command."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import gevent

from nakama_bots.errors import NakamaError

PORT: Final = "{port}"
"""Marks a server command: replaced by a free port, on which the command must listen."""

LOG: Final = "locust.log"
SERVER_START: Final = 60.0


class NotServed(NakamaError):
    """A server given as a command does not serve: one line that says why."""


@contextmanager
def running(command: Sequence[str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process, and end it on exit."""
    process = subprocess.Popen(  # noqa: S603  -- the user's own command, without a shell
        command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def generating(url: str, folder: Path, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start Locust against ``url``, and end it on exit; its log and its runs are in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "locust", *arguments, "--headless", "--only-summary", "--host", url,
        "--nakama-reports", str(folder),
    ]  # fmt: skip
    with (folder / LOG).open("wb") as output, running(command, output) as process:
        yield process


def run_in(folder: Path) -> Path | None:
    """Return the folder of the newest run in ``folder``."""
    return max(folder.glob("2*/"), default=None)


@contextmanager
def served(server: str) -> Iterator[str]:
    """Yield the URL of ``server``, which is started first if it is a command."""
    if PORT not in server:
        yield server
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = shlex.split(server.replace(PORT, str(port)))
    with tempfile.TemporaryFile() as output, running(command, output) as process:
        deadline = monotonic() + SERVER_START
        while not healthy(url):
            if process.poll() is not None or monotonic() > deadline:
                output.seek(0)
                msg = f"{server!r} does not serve {url}: {last_line(output.read()) or 'it printed nothing'}"
                raise NotServed(msg)
            gevent.sleep(0.1)
        yield url


def last_line(output: bytes) -> str:
    """Return the last line that a process has printed; "" if it has printed nothing."""
    return next(reversed(output.decode(errors="replace").strip().splitlines()), "")


def healthy(url: str) -> bool:
    """Return True if the server answers."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/healthcheck", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
