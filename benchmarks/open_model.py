"""Checks that arrivals follow the plan: 200 a second for 30 s, five runs, with one process and two workers.

``python -m benchmarks.open_model`` starts an emulator and runs ``locust`` against it as a user does. A run
passes if the started arrivals are within 1 % of the profile's, every one is accounted for (started or dropped)
and Locust's exit code is 0. ``--host`` names your server instead. The exit code is 1 if a run does not pass.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "open_model.json"
TOLERANCE = 0.01
"""The most that the started arrivals may differ from the planned ones, as a share."""


def free_port() -> str:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def measure(host: str, load: str, seed: int, processes: int) -> dict[str, Any]:
    """Return a run's arrivals, delays and exit code."""
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "visiting.py"), "--headless",
        "--only-summary", "--host", host, "--nakama-load", load, "--nakama-seed", str(seed),
    ]  # fmt: skip
    if processes > 1:
        port = free_port()
        command += ["--processes", str(processes), "--master-bind-port", port, "--master-port", port]
    with tempfile.TemporaryDirectory() as reports:
        done = subprocess.run(
            [*command, "--nakama-reports", reports], cwd=ROOT, capture_output=True, text=True, check=False
        )
        summaries = list(Path(reports).glob("*/summary.json"))
        if not summaries:
            sys.exit(f"the run ended with {done.returncode} and no summary:\n{done.stdout}{done.stderr}")
        summary = json.loads(summaries[0].read_text())
    part: dict[str, Any] = summary["arrivals"]
    (paced,) = [row for row in summary["paced"] if row["name"] == "arrival"]
    return {
        "processes": processes,
        "seed": seed,
        "exit_code": done.returncode,
        **{name: value for name, value in part.items() if name != "delay_ms"},
        "delay_p99_ms": part["delay_ms"]["p99"],
        "raw_p99_ms": paced["raw_ms"]["p99"],
        "corrected_p99_ms": paced["corrected_ms"]["p99"],
        "duration_s": summary["run"]["duration_s"],
    }


def passes(run: dict[str, Any]) -> bool:
    """True if the arrivals followed the plan."""
    near = abs(run["started"] - run["scheduled"]) <= TOLERANCE * run["scheduled"]
    accounted = run["scheduled"] == run["planned"] == run["started"] + run["dropped"]
    return bool(near and accounted and not run["exit_code"])


@contextlib.contextmanager
def target(host: str | None) -> Iterator[str]:
    """Yield the given server, or an emulator."""
    from nakama_bots.emulator.server.process import EmulatorProcess

    if host:
        yield host
        return
    with EmulatorProcess.start() as emulator:
        yield emulator.url


def main() -> int:
    """Run and print each, save the figures; return 1 if a run does not pass."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_model")
    parser.add_argument("--rate", type=float, default=200.0, help="arrivals a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--max-start-delay", default="1s", help="as in a load profile")
    parser.add_argument("--runs", type=int, default=5, help="runs for each number of processes")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--host", help="your server, instead of the emulator")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    bounds = f"max_start_delay={arguments.max_start_delay}"
    load = f"open:rate={arguments.rate:g},for={arguments.seconds:g}s,{bounds}"
    runs = []
    with target(arguments.host) as host:
        for processes in arguments.processes:
            for seed in range(1, arguments.runs + 1):
                runs.append(measure(host, load, seed, processes))
                print("ok  " if passes(runs[-1]) else "FAIL", json.dumps(runs[-1]), flush=True)
    missed = sum(not passes(run) for run in runs)
    result = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "target": "emulator" if arguments.host is None else "a server",
        "load": load,
        "tolerance": TOLERANCE,
        "runs": runs,
    }
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{len(runs) - missed} of {len(runs)} runs as planned; written: {arguments.results}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
