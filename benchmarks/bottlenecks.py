"""Plants five bottlenecks in a real Nakama, one at a time: is each named, and nothing without them?

    python -m benchmarks.bottlenecks --server 'nakama --name x --database.address USER:PASSWORD@127.0.0.1/DB'

Each plant is a setting of the server, or a match or function of ``benchmarks/planted``; the same load runs
against the same server without it, where nothing must be named. The server is started for each run on ports of
its own, with ``--metrics.reporting_freq_sec 5``, as its default of a minute is as long as a run. Exit code 1 if
a plant is not named first, or anything is named without it. The verdicts are in
``benchmarks/results/bottlenecks.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from nakama_bots.results.bottleneck.verdict import BottleneckPart
from nakama_bots.results.run_folder import read_summary
from nakama_bots.results.summary import Summary

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "bottlenecks.json"
MODULES: Final = (ROOT / "nakama_modules", ROOT / "benchmarks" / "planted")
PORT: Final = 17350
METRICS: Final = 19100
LOAD: Final = "stages:4/0s,4/15s,12/0s,12/15s,24/0s,24/45s"
_FAST_MATCHMAKER: Final = ("--matchmaker.interval_sec", "2")


@dataclass(frozen=True, slots=True)
class Plant:
    """``flags`` are the server's, ``users`` the classes of ``planted/load.py`` with and without the plant.

    ``named``: what has to be named first.
    """

    named: str
    flags: tuple[str, ...]
    users: tuple[str, ...]
    healthy: tuple[str, ...]
    options: tuple[str, ...] = ()


PLANTS: Final[dict[str, Plant]] = {
    "a database pool of 5": Plant(
        "the database pool", ("--database.max_open_conns", "5"), ("Database",), ("Database",)
    ),
    "one Lua runtime and a slow function": Plant(
        "the pool of Lua runtimes", ("--runtime.lua_min_count", "1", "--runtime.lua_max_count", "1"),
        ("LuaRpc",), ("LuaRpc",),
    ),
    "a match loop of 8 ms for each player": Plant(
        "the match loop", ("--runtime.env", "crowd_work_us=8000"), ("MatchLoop",), ("MatchLoop",)
    ),
    "a matchmaker that runs every 20 s": Plant(
        "the matchmaker's interval", ("--matchmaker.interval_sec", "20"), ("Duel",), ("Duel",),
        ("--nakama-match-seconds", "5"),
    ),
    "an outgoing queue of 16 and slow readers": Plant(
        "outgoing queues", ("--socket.outgoing_queue_size", "16"), ("Reader", "Blob"), ("Blob", "TownSquare")
    ),
}  # fmt: skip


class PlantRow(TypedDict):
    """The verdict of one run: with the plant or without."""

    plant: str
    planted: bool
    expected: str
    verdict: BottleneckPart
    generator_slow: bool
    server_cpu: float | None
    host_cpu: float | None
    load_average: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, save, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bottlenecks", description=__doc__)
    parser.add_argument("--server", required=True, help="command of a Nakama with a migrated database")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--only", default="", help="a part of a plant's name")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs' reports and logs in")
    given = parser.parse_args(arguments)
    rows = []
    for name, plant in PLANTS.items():
        for planted in (True, False):
            if given.only in name:
                rows.append(measure(given.server, name, plant, planted=planted, keep=given.keep))
                print(line(rows[-1]), flush=True)
    known = json.loads(given.output.read_text()) if given.output.exists() else {"runs": []}
    done = {row["plant"] for row in rows}
    others = [row for row in known["runs"] if row["plant"] not in done]
    document = {"load": LOAD, "runs": sorted(others + rows, key=lambda row: list(PLANTS).index(row["plant"]))}
    given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if all(right(row) for row in rows) else 1


def measure(command: str, name: str, plant: Plant, *, planted: bool, keep: Path | None) -> PlantRow:
    """Run the load of a plant against a server with or without it."""
    flags = plant.flags if planted else ()
    if "--matchmaker.interval_sec" not in flags:
        flags += _FAST_MATCHMAKER
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) if keep is None else keep / f"{plant.users[0]}-{'plant' if planted else 'healthy'}"
        place.mkdir(parents=True, exist_ok=True)
        with server(command, flags, place) as log:
            summary = load(plant.users if planted else plant.healthy, plant.options, log, place / "reports")
    gauges = summary["server"]["gauges"]
    assert "bottleneck" in summary
    return {
        "plant": name,
        "planted": planted,
        "expected": plant.named if planted else "",
        "verdict": summary["bottleneck"],
        "generator_slow": not summary["health"]["valid"],
        "server_cpu": gauges["server.cpu"]["mean"] if "server.cpu" in gauges else None,
        "host_cpu": gauges["server.host_cpu"]["mean"] if "server.host_cpu" in gauges else None,
        "load_average": round(os.getloadavg()[0], 1),
    }


def right(row: PlantRow) -> bool:
    """True if the plant is named first, or nothing is named without it."""
    return row["verdict"]["named"] == row["expected"]


def line(row: PlantRow) -> str:
    """Return a row for people."""
    kind = "planted" if row["planted"] else "healthy"
    return f"{'right' if right(row) else 'WRONG'}  {row['plant']} ({kind}): {row['verdict']['text']}"


@contextmanager
def server(command: str, flags: Sequence[str], place: Path) -> Iterator[Path]:
    """Run a separate server; yield its log."""
    modules = place / "modules"
    shutil.rmtree(modules, ignore_errors=True)
    modules.mkdir()
    for folder in MODULES:
        for module in folder.glob("*.lua"):
            shutil.copy(module, modules)
    log = place / "nakama.log"
    own = (
        "--runtime.path", str(modules), "--data_dir", str(place), "--socket.address", "127.0.0.1",
        "--socket.port", str(PORT), "--console.port", str(PORT + 1), "--metrics.prometheus_port", str(METRICS),
        "--metrics.reporting_freq_sec", "5", "--logger.level", "INFO", "--shutdown_grace_sec", "0",
    )  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen([*shlex.split(command), *own, *flags], stdout=output, stderr=output)
        try:
            _wait(process, log)
            yield log
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    url = f"http://127.0.0.1:{PORT}/healthcheck"
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"benchmarks.bottlenecks: the server ended: {log.read_text()[-500:]}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("benchmarks.bottlenecks: the server does not answer")


def load(users: Sequence[str], options: Sequence[str], log: Path, reports: Path) -> Summary:
    """Run the players; return the summary."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "benchmarks/planted/load.py", *users, "--headless",
         "--host", f"http://127.0.0.1:{PORT}", "--nakama-load", LOAD, "--only-summary", "--nakama-live", "off",
         "--nakama-metrics", f"http://127.0.0.1:{METRICS}", "--nakama-server-log", str(log),
         "--nakama-reports", str(reports), *options],
        cwd=ROOT, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    folders = sorted(reports.glob("2*"))
    if not folders:
        sys.exit(f"benchmarks.bottlenecks: {users} left no results: {done.stderr.strip()[-500:]}")
    return read_summary(folders[-1])


if __name__ == "__main__":
    sys.exit(main())
