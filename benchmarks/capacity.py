"""How good a capacity search is, against servers whose capacity is known.

``python -m benchmarks.capacity`` prints, and writes to ``results/capacity.json``, for each case how many of the
searches were within 5 % of the truth, how many 90 % intervals contain it, and the most trials:

- ``simulated``: the search alone, against outcomes drawn with an edge of a known sharpness, and against a
  simulated queue of 4 servers (M/M/4 with a finite number of players), whose p95 a gate limits;
- ``cliff``, ``queue``, ``generator``: whole runs of ``locust --nakama-load search:..`` against an emulator with
  ``benchmarks/queueing.py``: a hard limit of players, the same queue, and a generator that burns CPU and ends
  long before the server.

The exit code is 1 if a case misses its bar: 18 of 20 within 5 %, 17 of 20 intervals, 12 trials, and no limit of
the generator that is reported as the server's.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from nakama_bots.results.capacity.bisection import Bisection
from nakama_bots.results.capacity.search import MOST_TRIALS

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path(__file__).parent / "results" / "capacity.json"

SERVERS: Final = 4
SERVICE: Final = 0.04
THINK: Final = 1.0
LIMIT: Final = 0.25
"""The gate's limit of the 95th percentile, in seconds."""

GATE: Final = f"""
[gate]
allow_emulator = true
min_samples = 20
[[rule]]
name = "work is quick"
calls = "WS rpc"
expect = "p95 <= {LIMIT * 1e3:g} ms"
"""
CLOSE: Final = 0.05
BARS: Final = {"close": 0.9, "inside": 0.85}


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of one search; ``low`` and ``high`` are equal to ``value`` if it is no interval."""

    truth: float
    bound: str
    value: float
    low: float
    high: float
    trials: int

    @property
    def close(self) -> bool:
        """True if it is within ``CLOSE`` of the truth."""
        return self.bound == "interval" and abs(self.value / self.truth - 1) <= CLOSE

    @property
    def inside(self) -> bool:
        """True if the interval contains the truth."""
        return self.bound == "interval" and self.low <= self.truth <= self.high


def slow_share(players: int) -> float:
    """Return the share of calls longer than ``LIMIT`` in M/M/c with a finite number of players, exactly.

    An arriving player sees the queue of the others (the arrival theorem).
    """
    rate, others = 1 / SERVICE, players - 1
    weights = [1.0]
    for present in range(others):
        weights.append(weights[-1] * (others - present) / THINK / (min(present + 1, SERVERS) * rate))
    total = sum(weights)
    return sum(weight / total * _longer(present) for present, weight in enumerate(weights))


def _longer(present: int) -> float:
    """Probability that a call takes longer than ``LIMIT`` with this many others present."""
    rate = 1 / SERVICE
    if present < SERVERS:
        return math.exp(-rate * LIMIT)
    ahead, served, steps = present - SERVERS + 1, SERVERS * rate, 200
    term = waits = 0.0
    for number in range(ahead):
        term = 1.0 if number == 0 else term * served * LIMIT / number
        waits += term

    def density(at: float) -> float:
        if at == 0:
            return served if ahead == 1 else 0.0
        return math.exp(
            (ahead - 1) * math.log(served * at) + math.log(served) - served * at - math.lgamma(ahead)
        )

    width = LIMIT / steps
    points = [density(step * width) * math.exp(-rate * (LIMIT - step * width)) for step in range(steps + 1)]
    return math.exp(-served * LIMIT) * waits + width * (sum(points) - (points[0] + points[-1]) / 2)


def knee() -> float:
    """Return the number of players at which 5 % of the calls are longer than the limit."""
    players = SERVERS
    while slow_share(players) <= 0.05:
        players += 1
    below, above = slow_share(players - 1), slow_share(players)
    return players - 1 + (0.05 - below) / (above - below)


def queue_passes(
    generator: random.Random, players: int, *, warmup: float = 6.0, measured: float = 24.0
) -> bool:
    """Simulate a trial, and return whether its 95th percentile keeps the limit."""
    free = [0.0] * SERVERS
    due = [generator.expovariate(1 / THINK) for _ in range(players)]
    heapq.heapify(due)
    times: list[float] = []
    while (now := heapq.heappop(due)) <= warmup + measured:
        done = max(now, heapq.heappop(free)) + generator.expovariate(1 / SERVICE)
        heapq.heappush(free, done)
        heapq.heappush(due, done + generator.expovariate(1 / THINK))
        if warmup <= done <= warmup + measured:
            times.append(done - now)
    return sorted(times)[int(0.95 * len(times))] <= LIMIT


def edge_passes(generator: random.Random, load: int, *, truth: float, edge: float) -> bool:
    """Draw an outcome: the probability to pass falls from 1 to 0 around ``truth``."""
    exponent = max(-60.0, min(60.0, (math.log(load) - math.log(truth)) / edge))
    return generator.random() < 1 / (1 + math.exp(exponent))


def simulate(truth: float, passes: Callable[[int], bool], low: int, high: int) -> Found:
    """Return the answer of a search whose trials are simulated."""
    search = Bisection(low, high)
    while not search.done() and search.trials < MOST_TRIALS:
        load = search.next()
        search.add(load, passed=passes(load))
    estimate = search.estimate()
    return Found(truth, estimate.bound, estimate.value, estimate.low, estimate.high, search.trials)


def simulated(searches: int) -> dict[str, list[Found]]:
    """Return the answers of the simulated cases."""
    cases: dict[str, list[Found]] = {}
    for edge in (0.0001, 0.02):
        found = []
        for seed in range(searches):
            generator = random.Random(seed)
            truth = math.exp(generator.uniform(math.log(80), math.log(4000)))
            found.append(simulate(truth, partial(edge_passes, generator, truth=truth, edge=edge), 50, 5000))
        cases[f"simulated edge of {edge:g}"] = found
    truth = knee()
    cases["simulated queue"] = [
        simulate(truth, partial(queue_passes, random.Random(seed)), 10, 400) for seed in range(searches)
    ]
    return cases


@dataclass(frozen=True, slots=True)
class Case:
    """Real searches: the law that is planted, the true capacity, and the load model."""

    law: str
    truth: float
    load: str
    limits: str
    burn: float = 0.0


def real_case(name: str, seed: int) -> Case:
    """Return the case of one search."""
    draw = random.Random(f"{name}-{seed}")
    # A machine with other work is late by more than the default limits, but by less than the gate's limit.
    limits = "hub_lag=0.08,receive_wait=0.08"
    short = "trial=9s,warmup=4s,settle=20s"
    if name == "queue":
        load = "search:from=20,to=320,trial=30s,warmup=6s,settle=20s"
        return Case(f"queue:{SERVERS}:{SERVICE}", knee(), load, limits)
    if name == "cliff":
        most = round(math.exp(draw.uniform(math.log(15), math.log(80))))
        # Half a player above: ``most`` passes, the next fails.
        return Case(f"cliff:{most}", most + 0.5, f"search:from=5,to=160,{short}", limits)
    # A core's worth of calls is some 50 players; the server would hold far more.
    return Case("cliff:400", 400.5, f"search:from=5,to=160,{short}", limits, 0.02)


def search(name: str, seed: int) -> Found:
    """Run a search with Locust against a separate emulator with the planted law."""
    case = real_case(name, seed)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("NAKAMA_", "LOCUST_"))}
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder) / "gate.toml"
        gate.write_text(GATE)
        command = [
            sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "working.py"), "--headless",
            "--only-summary", "--nakama-emulator-module", str(ROOT / "benchmarks" / "queueing.py"),
            "--nakama-load", case.load, "--nakama-gate", str(gate), "--nakama-seed", str(seed),
            "--nakama-reports", f"{folder}/reports", "--nakama-health-limits", case.limits,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=inherited | {"QUEUE": case.law, "BURN": str(case.burn)},
            capture_output=True, text=True, timeout=3600, check=False,
        )  # fmt: skip
        summaries = list(Path(folder).glob("reports/*/summary.json"))
        if not summaries:
            sys.exit(f"the run ended with {done.returncode} and no summary:\n{done.stdout}{done.stderr}")
        part: dict[str, Any] = json.loads(summaries[0].read_text())["capacity"]
    value, low, high = (math.nan if part[key] is None else part[key] for key in ("value", "low", "high"))
    bound = part["bound"] if part["value"] is not None else "not measured"
    found = Found(case.truth, bound, value, low, high, len(part["trials"]))
    outcomes = " ".join(f"{trial['load']}:{trial['outcome'][0]}" for trial in part["trials"])
    print(f"{name} {seed}: {found} ({outcomes}; {part['ended']})", flush=True)
    return found


def judge(name: str, found: list[Found]) -> dict[str, Any]:
    """Return the figures of a case, and whether it keeps its bars."""
    number = len(found)
    row: dict[str, Any] = {
        "searches": number,
        "close": sum(one.close for one in found),
        "inside": sum(one.inside for one in found),
        "most_trials": max(one.trials for one in found),
        "answers": [[one.truth, one.bound, one.value, one.low, one.high, one.trials] for one in found],
    }
    if name == "generator":
        row["blamed_the_server"] = sum(one.bound in ("interval", "below") for one in found)
        row["ok"] = not row["blamed_the_server"]
    else:
        row["ok"] = all(row[key] >= bar * number for key, bar in BARS.items())
    row["ok"] = row["ok"] and row["most_trials"] <= MOST_TRIALS
    return row


def main() -> int:
    """Run the cases and save their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity")
    parser.add_argument("cases", nargs="*", default=["simulated", "cliff", "queue", "generator"])
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=1, help="real searches that run beside each other")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    cases: dict[str, list[Found]] = {}
    for name in arguments.cases:
        if name == "simulated":
            cases |= simulated(arguments.searches)
            continue
        with ThreadPoolExecutor(arguments.at_once) as pool:
            cases[name] = list(pool.map(partial(search, name), range(arguments.searches)))
    rows = {name: judge(name, found) for name, found in cases.items()}
    for name, row in rows.items():
        shown = {key: value for key, value in row.items() if key != "answers"}
        print("ok  " if row["ok"] else "FAIL", name, json.dumps(shown))
    known = json.loads(arguments.results.read_text())["cases"] if arguments.results.exists() else {}
    result = {"python": platform.python_version(), "cpus": os.cpu_count(), "cases": known | rows}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(row["ok"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
