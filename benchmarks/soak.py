"""Checks that memory does not grow: ``python -m benchmarks.soak --minutes 30 --users 300``.

Runs DayInTheLife against an emulator and reads the resident memory, open files and threads of both every ten
seconds. After ``--warm-up`` a straight line is fitted to the samples; its slope is the growth per hour. The
exit code is 1 if the generator grows by more than one per cent, or the run did not pass. One session of
DayInTheLife in a hundred takes half an hour, and what fills until those come and go is no growth: 75 minutes
with ``--warm-up 2400`` show more than the default.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from nakama_bots.emulator.server.process import EmulatorProcess

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "soak.json"
EVERY: Final = 10.0
WARM_UP: Final = 180.0
MOST_AN_HOUR: Final = 0.01
"""The most that the generator may grow in an hour, as a share."""


def sample(process: psutil.Process) -> dict[str, float]:
    """Return the current figures of a process; memory in megabytes of 10^6 bytes."""
    with process.oneshot():
        return {
            "rss_mb": round(process.memory_info().rss / 1e6, 2),
            "files": process.num_fds(),
            "threads": process.num_threads(),
        }


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the change per hour of the least-squares line through (seconds, value); 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread * 3600


def growth(samples: Sequence[dict[str, Any]], name: str, after: float) -> dict[str, float | None]:
    """Return the growth of a process's memory from second ``after`` on; None with too few samples."""
    points = [(row["at_s"], row[name]["rss_mb"]) for row in samples if row["at_s"] >= after]
    if len(points) < 6:
        return {"first_mb": None, "last_mb": None, "mb_an_hour": None, "share_an_hour": None}
    change = slope(points)
    return {
        "first_mb": points[0][1],
        "last_mb": points[-1][1],
        "mb_an_hour": round(change, 3),
        "share_an_hour": round(change / points[0][1], 5),
    }


def soak(minutes: float, users: int, scale: str) -> dict[str, Any]:
    """Run the soak; return the run with its samples."""
    samples: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as reports, EmulatorProcess.start() as emulator:
        output = Path(reports) / "output.txt"
        with output.open("wb") as file, subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", "locustfile.py", "DayInTheLife", "--headless", "--host",
             emulator.url, "-u", str(users), "-r", str(users / 30), "-t", f"{minutes * 60:.0f}s",
             "--stop-timeout", "10", "--nakama-reports", str(Path(reports) / "reports")],
            cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
            env=os.environ | ({"DAY_IN_THE_LIFE_SCALE": scale} if scale else {}),
        ) as run:  # fmt: skip
            started = time.monotonic()
            processes = {"generator": psutil.Process(run.pid), "emulator": psutil.Process(emulator.pid)}
            ends_at = started + minutes * 60
            while run.poll() is None and time.monotonic() < ends_at:
                row: dict[str, Any] = {"at_s": round(time.monotonic() - started, 1)}
                row |= {name: sample(process) for name, process in processes.items()}
                samples.append(row)
                print(_line(row), file=sys.stderr, flush=True)
                time.sleep(EVERY)
            code = run.wait(timeout=600)
        text = output.read_text(encoding="utf-8", errors="replace")
    return {
        "exit_code": code,
        "ledger": _last(text, "cid ledger:"),
        "verdict": _last(text, "run:"),
        "samples": samples,
    }


def _line(row: dict[str, Any]) -> str:
    parts = (
        f"{name} {row[name]['rss_mb']:.1f} MB, {row[name]['files']} files" for name in ("generator", "emulator")
    )
    return f"{row['at_s']:6.0f} s  " + "; ".join(parts)


def _last(text: str, beginning: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.startswith(beginning)), "")


def passes(document: dict[str, Any]) -> bool:
    """True if the run passed. A run too short to judge memory does not pass."""
    share = document["generator"]["share_an_hour"]
    return document["exit_code"] == 0 and share is not None and share <= MOST_AN_HOUR


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--scale", default="", help="DAY_IN_THE_LIFE_SCALE: less than 1 for shorter sessions")
    parser.add_argument("--warm-up", type=float, default=WARM_UP, help="seconds to skip at the start (180)")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    found = soak(given.minutes, given.users, given.scale)
    document = {
        "python": platform.python_version(),
        "minutes": given.minutes,
        "users": given.users,
        "scale": float(given.scale or 1),
        "warm_up_s": given.warm_up,
        **{name: growth(found["samples"], name, given.warm_up) for name in ("generator", "emulator")},
        **found,
    }
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name in ("generator", "emulator"):
        print(f"{name}: {_described(document[name])}")
    print(f"{document['ledger']}\n{document['verdict']}")
    return 0 if passes(document) else 1


def _described(found: dict[str, float | None]) -> str:
    if found["mb_an_hour"] is None or found["share_an_hour"] is None:
        return "not measured: the run was too short"
    return (
        f"{found['first_mb']} to {found['last_mb']} MB, {found['mb_an_hour']:+.2f} MB an hour "
        f"({found['share_an_hour']:+.2%})"
    )


if __name__ == "__main__":
    sys.exit(main())
