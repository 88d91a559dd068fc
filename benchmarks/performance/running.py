"""Runs one contestant at one work in a new process, and reads the CPU time and memory of its process tree."""

from __future__ import annotations

import json
import os
import resource
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypedDict
from urllib.parse import urlsplit

import psutil

from benchmarks.performance.works import SEND_PER_PLAYERS, SPAWN_RATE, WARM_UP, Contestant, Work

ROOT: Final = Path(__file__).parents[2]
PREFIX: Final = "benchmark"
SETUP_TIMEOUT: Final = 60.0
LEAST: Final = 0.9
"""The least share of the planned sends that is the same work."""
_SHOWN: Final = 300


class Outcome(TypedDict, total=False):
    """``figures`` of a unit, or why there are none: ``failed``. ``counts`` are those between the two lines."""

    figures: dict[str, float]
    counts: dict[str, int]
    per_second: float
    failed: str


class Failed(Exception):
    """A contestant has not done the work; the message says why. ``known``: in its own words."""

    def __init__(self, why: str, *, known: bool = False) -> None:
        super().__init__(why)
        self.known = known


@dataclass(frozen=True, slots=True)
class Job:
    """The job of a contestant: JSON in BENCHMARK_JOB."""

    work: str
    url: str
    server_key: str
    players: int
    base: int
    rate: float
    seconds: float
    group: int = SEND_PER_PLAYERS
    warm_up: float = WARM_UP
    spawn_rate: int = SPAWN_RATE
    prefix: str = PREFIX
    run: str = field(default_factory=lambda: secrets.token_hex(4))


@dataclass(frozen=True, slots=True)
class _Line:
    """The counts that a contestant printed, and what its processes had used by then."""

    counts: dict[str, Any]
    at: float
    cpu: dict[int, float]
    rss: int


def measured(contestant: Contestant, work: Work, job: Job, installed: dict[str, str]) -> Outcome:
    """Run ``contestant`` and return its figures. ``installed`` has the paths of what contestants need."""
    if work.key == "G":
        return _listed(contestant)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            _command(contestant, job, scratch, installed), stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT,
            env={**environment(job.server_key), "BENCHMARK_JOB": json.dumps(asdict(job))},
            start_new_session=True,
        )  # fmt: skip
        with ended(process):
            try:
                lines = _lines(process, SETUP_TIMEOUT + job.players / SPAWN_RATE + job.warm_up + job.seconds)
                return _outcome(work, job, next(lines), next(lines))
            except Failed as failed:
                said = "" if failed.known else last_words(stderr)
                return {"failed": f"{failed} {said}".strip()}


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill ``process`` at the end, which has its own session, and its child processes."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def last_words(stderr: IO[bytes]) -> str:
    """Return the end of what a process wrote to ``stderr``, in one line."""
    stderr.seek(0)
    return " ".join(stderr.read().decode(errors="replace").split())[-_SHOWN:]


def environment(server_key: str) -> dict[str, str]:
    """Return the environment of a child: it finds this package, and the key is on no command line."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NAKAMA_SERVER_KEY": server_key}


def _command(contestant: Contestant, job: Job, scratch: str, installed: dict[str, str]) -> list[str]:
    words = {**asdict(job), **installed, "python": sys.executable, "scratch": scratch}
    words["host"] = urlsplit(job.url).hostname or ""
    return [part.format_map(words) for part in contestant.command]


def _lines(process: subprocess.Popen[bytes], seconds: float) -> Iterator[_Line]:
    """Yield the lines with counts; ignore all other output."""
    assert process.stdout is not None
    until, unread = time.monotonic() + seconds, b""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise Failed(f"no counts within {seconds:.0f} s.")
        data = os.read(process.stdout.fileno(), 65536)
        now, cpu, rss = time.perf_counter(), *_used(process.pid)
        if not data:
            raise Failed(f"ended with exit code {process.wait()}.")
        *whole, unread = (unread + data).split(b"\n")
        for text in whole:
            if text.startswith(b'{"at"'):
                counts = json.loads(text)
                if counts["at"] == "failed":
                    raise Failed(" ".join(str(counts["error"]).split())[:_SHOWN], known=True)
                yield _Line(counts, now, cpu, rss)


def _used(pid: int) -> tuple[dict[int, float], int]:
    """Return the CPU seconds of each process of the tree, to the nanosecond, and the resident bytes of all."""
    try:
        parent = psutil.Process(pid)
        tree = [parent, *parent.children(recursive=True)]
        # The kernel's clock of a process: clock_getcpuclockid(3) computes the same number.
        cpu = {one.pid: time.clock_gettime(~one.pid << 3 | 2) for one in tree}
        return cpu, sum(one.memory_info().rss for one in tree)
    except (psutil.NoSuchProcess, OSError):
        return {}, 0


def _outcome(work: Work, job: Job, begin: _Line, end: _Line) -> Outcome:
    """Return the figures, unless the contestant has done less than the work."""
    counts = {name: count - begin.counts[name] for name, count in end.counts.items() if isinstance(count, int)}
    seconds = end.at - begin.at
    if work.base and begin.counts["received"] != job.base:
        raise Failed(f"{begin.counts['received']} players were connected when {job.base} were to be measured.")
    if begin.cpu.keys() != end.cpu.keys() or not begin.cpu:
        raise Failed("its processes changed while it was measured.")
    shortfall = shortfalls(work, job, counts, seconds)
    if shortfall:
        return {"failed": shortfall, "counts": counts}
    units = counts["sent"] if work.deliveries else counts["received"]
    figures = {"cpu_us": sum(end.cpu[pid] - begin.cpu[pid] for pid in end.cpu) / units * 1e6}
    if work.base:
        figures["rss_bytes"] = (end.rss - begin.rss) / units
    return {"figures": figures, "counts": counts, "per_second": units / seconds}


def shortfalls(work: Work, job: Job, counts: dict[str, int], seconds: float) -> str:
    """Return how the counts of ``seconds`` fall short of the work, or "".

    At both ends messages may be in flight: one per player, for each receiver.
    """
    sent, received = counts["sent"], counts["received"]
    failed = counts["failed"] + counts.get("errors", 0)
    each, planned = work.deliveries or 1, job.rate * job.players * seconds
    in_flight = each * job.players * max(1.0, job.rate * 0.2)
    further = job.players - job.base
    in_table = received if work.deliveries or work.base else counts.get("events", received)
    wrong = {
        f"{failed} calls failed": failed > 0,
        f"{received} of {further} players connected": work.base and received != further,
        "nothing was received": not received,
        f"did less: {sent / seconds:,.0f} of {planned / seconds:,.0f} sends/s": sent < LEAST * planned,
        f"received {received:,} of {sent * each:,}": abs(sent * each - received) > in_flight,
        f"only {in_table:,} of {received:,} calls are in Locust's table": in_table < received - job.players,
    }
    return next((text for text, is_so in wrong.items() if is_so), "")


def _listed(contestant: Contestant) -> Outcome:
    """Time ``locust --list`` with our locustfile, or with one that has an empty user class."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        file = ROOT / "locustfile.py"
        if contestant.name == "locust":
            file = Path(scratch) / "plain.py"
            file.write_text("from locust import User\n\n\nclass Plain(User):\n    pass\n", encoding="utf-8")
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(file), "--list"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
    if process.returncode:
        return {"failed": f"locust --list ended with exit code {process.returncode}"}
    return {"figures": {"seconds": seconds, "rss_bytes": usage.ru_maxrss * 1024, "cpu_us": _cpu(usage)}}


def _cpu(usage: resource.struct_rusage) -> float:
    return (usage.ru_utime + usage.ru_stime) * 1e6
