"""What happens to the run's own processes, and to what they stand on: signals, files, disk, clock, workers."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
from load.running import free_port

from nakama_bots.results.record.gauges import CPU, MEMORY
from nakama_bots.results.record.timeline import SERVER
from nakama_bots.results.run_folder import read_summary, read_timeline

from .bench import Bench, Peer
from .cell import ENDED, FAILED, INVALID, NOT_STARTED, PASSED, Cell
from .server_cells import BEFORE

GONE_WITHIN = {signal.SIGKILL: 15.0, signal.SIGSTOP: 75.0}
"""Seconds in which workers without a master have stopped: ten, and Locust's own sixty where it may come back;
with room for a busy machine.
"""


def interrupts(times: int) -> Callable[[Bench], None]:
    def act(bench: Bench) -> None:
        time.sleep(BEFORE)
        for _ in range(times):
            if bench.locust.running:
                bench.locust.interrupt()
                time.sleep(0.15)

    return act


def interrupt_to_the_end(bench: Bench) -> None:
    time.sleep(BEFORE)
    while bench.locust.running and bench.left > 1:
        bench.locust.interrupt()
        time.sleep(0.02)


def send(number: signal.Signals) -> Callable[[Bench], None]:
    def act(bench: Bench) -> None:
        time.sleep(BEFORE)
        bench.locust.signal(number)

    return act


def fork_ports(bench: Bench) -> None:
    port = str(free_port())
    bench.arguments += ["--master-bind-port", port, "--master-port", port]


def forked(bench: Bench) -> list[psutil.Process]:
    process = psutil.Process(bench.locust.pid)
    return [child for child in process.children() if child.cmdline() == process.cmdline()]


def to_worker(number: signal.Signals) -> Callable[[Bench], None]:
    def act(bench: Bench) -> None:
        time.sleep(BEFORE)
        worker = forked(bench)[0]
        worker.send_signal(number)
        bench.may_end()
        if number is signal.SIGSTOP:
            # It cannot end by itself, and holds the run's output open.
            while bench.locust.running and bench.left > 1:
                time.sleep(0.1)
            worker.kill()

    return act


def with_workers(bench: Bench) -> None:
    port = free_port()
    bench.arguments += ["--master", "--expect-workers", "2", "--master-bind-port", str(port)]
    for _ in range(2):
        bench.worker(port)


def to_master(number: signal.Signals) -> Callable[[Bench], None]:
    def act(bench: Bench) -> None:
        time.sleep(BEFORE)
        bench.locust.signal(number)
        begun = time.monotonic()
        for worker in bench.workers:
            worker.finish(bench.left)
        if time.monotonic() - begun > GONE_WITHIN[number]:
            bench.result.problems.append(f"workers went on for {time.monotonic() - begun:.0f} s")
        if number is signal.SIGSTOP:
            bench.locust.signal(signal.SIGKILL)

    return act


def workers_well(bench: Bench) -> list[str]:
    return ["a traceback in a worker" for worker in bench.workers if "Traceback" in worker.output]


def small_disk(size: str) -> Callable[[Bench], None]:
    def mount(bench: Bench) -> None:
        bench.reports.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(bench.reports)], check=True)
        bench.on_exit(subprocess.run, ["umount", "-l", str(bench.reports)])

    return mount


def fill(bench: Bench) -> None:
    time.sleep(BEFORE)
    with (bench.reports / "full").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def full_disk(bench: Bench) -> None:
    small_disk("16k")(bench)
    fill(bench)


def keep_small_files(bench: Bench) -> None:
    """Look at what was written while the file system is still there."""
    bench.may_end()
    bench.locust.finish(bench.left)
    written = {path.name for path in bench.reports.rglob("*")}
    bench.result.problems += [f"no {name}" for name in ("summary.json", "verdict.json") if name not in written]


def remove_reports(bench: Bench) -> None:
    time.sleep(BEFORE)
    shutil.rmtree(bench.reports, ignore_errors=True)


def replace_reports(bench: Bench) -> None:
    remove_reports(bench)
    bench.reports.write_text("a file in the place of the folder")


def through_proxy(bench: Bench) -> None:
    bench.peer = Peer(0, ("--garbage",))
    bench.on_exit(bench.peer.__exit__, None, None, None)
    url = f"http://127.0.0.1:{bench.peer.port}"
    bench.environment |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"), url)
    bench.environment |= {"no_proxy": "", "NO_PROXY": ""}


def not_proxied(bench: Bench) -> list[str]:
    assert bench.peer is not None
    seen = bench.peer.seen["connections"]
    return [f"the proxy saw {seen} connections"] if seen else []


def figures_are_whole(bench: Bench) -> list[str]:
    """A run that passes has every second, with what its process was asked for."""
    if bench.result.verdict != PASSED:
        return [] if "Too many open files" in bench.result.output else ["it does not say why"]
    (folder,) = bench.reports.iterdir()
    rows = [row for row in read_timeline(folder) if row["source"] != SERVER]
    told, run = sum(row["seconds"] for row in rows), read_summary(folder)["run"]["duration_s"]
    problems = [
        f"a second without {name}" for row in rows for name in (CPU, MEMORY) if name not in row["gauges"]
    ]
    return problems + ([f"figures of {told:.1f} of {run:.1f} s"] if told < run - 1.5 else [])


def limited(files: int, kind: str = "") -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit {kind}n {files} && exec "$@"', "sh") if kind else (
        "sh", "-c", f'ulimit -n {files} && exec "$@"', "sh")  # fmt: skip


def stopped(name: str, text: str, does: str, during: Callable[[Bench], None], **more: object) -> Cell:
    settings: dict[str, object] = {"codes": (0,), "verdict": PASSED, "seconds": 0, "server": None}
    return Cell(name, text, does, during=during, **(settings | more))  # type: ignore[arg-type]


IGNORES_HUP = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
ENDS_EARLY = "ends early, with report and verdict"
SMALL_FIRST = "invalid: says what could not be written; summary and verdict are there if there was room"

SIGNAL_CELLS = (
    stopped("Ctrl-C", "SIGINT to the process group", ENDS_EARLY, interrupts(1)),
    stopped("Ctrl-C x 2", "SIGINT twice", ENDS_EARLY, interrupts(2)),
    stopped("Ctrl-C x 3", "SIGINT three times", ENDS_EARLY, interrupts(3)),
    stopped("Ctrl-C x 6", "SIGINT six times", ENDS_EARLY, interrupts(6)),
    stopped("Ctrl-C to the end", "SIGINT fifty times a second until the process has ended", ENDS_EARLY,
            interrupt_to_the_end),
    stopped("SIGTERM", "SIGTERM", ENDS_EARLY, send(signal.SIGTERM)),
    stopped("SIGHUP", "SIGHUP, as from a terminal that is gone", ENDS_EARLY, send(signal.SIGHUP)),
    stopped("SIGHUP under nohup", "SIGHUP where it was ignored from the start", "goes on", send(signal.SIGHUP),
            launcher=IGNORES_HUP, seconds=4, says=("everything is done",)),
)  # fmt: skip

WORKER_CELLS = (
    Cell("worker killed", "SIGKILL of one of two workers", "invalid: its last figures are missing", codes=(4,),
         verdict=INVALID, says=("is MISSING", "figures of 1 of 2 workers are missing"), seconds=5,
         arguments=("--processes", "2"), before=fork_ports, during=to_worker(signal.SIGKILL), server=None),
    Cell("worker stopped", "SIGSTOP of one of two workers", "invalid: its last figures are missing", codes=(4,),
         verdict=INVALID, says=("is MISSING",), seconds=5, arguments=("--processes", "2"), before=fork_ports,
         during=to_worker(signal.SIGSTOP), server=None),
    Cell("master killed", "SIGKILL of the master", "workers stop within 10 s", codes=(-9,), verdict=ENDED,
         seconds=0, before=with_workers, during=to_master(signal.SIGKILL), after=workers_well),
    Cell("master stopped", "SIGSTOP of the master", "workers stop after a minute", codes=(-9,), verdict=ENDED,
         seconds=0, before=with_workers, during=to_master(signal.SIGSTOP), after=workers_well),
)  # fmt: skip

MACHINE_CELLS = (
    Cell("64 files", "a hard limit of 64 open files, 500 users", "refused with the number", codes=(2,),
         verdict=NOT_STARTED, launcher=limited(64), users=500, server=None,
         says=("nakama_bots: .*64",), scenario="Talker"),
    Cell("256 files", "a hard limit of 256 open files, 500 users", "refused with the number", codes=(2,),
         verdict=NOT_STARTED, launcher=limited(256), users=500, server=None,
         says=("nakama_bots: .*256",), scenario="Talker"),
    Cell("64 files, soft", "a soft limit of 64 open files, 100 users", "raises the limit and goes on",
         codes=(0,), verdict=PASSED, launcher=limited(64, "-S"), users=100, seconds=6, server=None),
    Cell("no files left", "the scenario has opened every file there can be, for 2.5 s",
         "keeps its figures without a new file, or is invalid and says which are missing", codes=(0, 4),
         verdict=f"{PASSED} {INVALID}", launcher=limited(256), scenario="Leaks", after=figures_are_whole,
         seconds=6),
    Cell("disk full before", "no room for reports from the start", SMALL_FIRST, codes=(4,), verdict=INVALID,
         before=full_disk, says=("No space left",), needs_root=True),
    Cell("disk full meanwhile", "no room for reports from the middle on", SMALL_FIRST, codes=(4,),
         verdict=INVALID, before=small_disk("10m"), during=fill, says=("No space left",), needs_root=True),
    Cell("disk full at the end", "room for the small files only", SMALL_FIRST, codes=(4,), verdict=INVALID,
         before=small_disk("300k"), during=keep_small_files, says=("No space left",), needs_root=True),
    Cell("reports gone", "the reports' folder is removed", "makes it again", codes=(0,), verdict=PASSED,
         during=remove_reports),
    Cell("reports in the way", "a file in the place of their folder", "invalid: says what could not be written",
         codes=(4,), verdict=INVALID, during=replace_reports, says=("reports",)),
    Cell("clock + 1 h", "the clock jumps forward by an hour", "sessions are renewed, the players go on",
         codes=(0, 1), verdict=f"{PASSED} {FAILED}", environment=(("CLOCK_JUMP", "3605@4"),), seconds=10,
         scenario="Comer", recovers=True),
    Cell("clock - 1 h", "the clock jumps back by an hour", "goes on", codes=(0,), verdict=PASSED,
         environment=(("CLOCK_JUMP", "-3605@4"),), seconds=8, scenario="Comer", recovers=True),
    Cell("proxy", "a proxy in the environment", "neither REST nor the socket uses it", codes=(0,),
         verdict=PASSED, before=through_proxy, after=not_proxied),
)  # fmt: skip

CELLS = (*SIGNAL_CELLS, *WORKER_CELLS, *MACHINE_CELLS)
