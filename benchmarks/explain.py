"""Checks that ``nakama-bots explain`` names the right part: faults planted at known moments, ten of each.

``python -m benchmarks.explain`` starts an emulator with latency on two keys and runs ``locust`` with
``benchmarks.planting`` against it: latency of the server, stalls of the generator, and players that do not
read, in a random order. Then it reads what ``nakama-bots explain`` prints for the run. The exit code is 1 if a
fault is not named rightly. It takes about four minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "explain.json"

FAULTS: Final = {
    "latency, socket": ("WS status_follow", "server or network"),
    "latency, REST": ("GET /v2/account", "server or network"),
    "stall, socket": ("WS rpc", "generator"),
    "stall, socket, large answer": ("WS rpc", "generator"),
    "stall, REST": ("GET /v2/friend", "generator"),
    "slow reader": ("WS rpc", "slow reader"),
    "slow reader, large answer": ("WS rpc", "slow reader"),
}
"""The call that each fault is planted in, and the part that ``explain`` is to name."""
LATENCY: Final = 1.0
NEAR: Final = 0.6
"""Seconds that the call may begin after the planted moment: the machine may be busy."""
_HEAD: Final = re.compile(r"\d+\. (?P<call>\S+ \S+)  (?P<ms>[\d,.]+) ms at (?P<at>[\d,.]+) s, ")
_PART: Final = re.compile(r"  -> (?P<part>.+)$")


def planned(rounds: int, seed: int) -> list[tuple[str, float]]:
    """Return all faults in a random order, each with its seconds."""
    source = random.Random(seed)
    plan = [(fault, round(source.uniform(0.8, 1.3), 3)) for fault in FAULTS for _ in range(rounds)]
    source.shuffle(plan)
    return plan


def run(plan: list[tuple[str, float]], folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the planted moments, in seconds after the start of the run, and what ``explain`` prints."""
    from nakama_bots.emulator.server.process import EmulatorProcess
    from nakama_bots.results.run_folder import read_timeline

    milliseconds = f"ms={LATENCY * 1e3:g}"
    faults = (f"latency:on=status_follow,{milliseconds}", f"latency:on=GET /v2/account,{milliseconds}")
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with EmulatorProcess.start(
        modules=[str(ROOT / "nakama_modules")],
        # A session that is renewed in a stall would be the call that is slow.
        extra=("--metrics-port", "0", "--token-expiry", "3600", *(f"--fault={fault}" for fault in faults)),
    ) as emulator:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "planting.py"), "--headless",
             "--only-summary", "-u", "6", "-r", "6", "--run-time", f"{len(plan) * 6 + 60}s",
             "--host", emulator.url, "--nakama-metrics", emulator.metrics_url,
             "--nakama-metrics-interval", "1", "--nakama-traces", "100",
             "--nakama-reports", str(folder / "reports")],
            cwd=ROOT, env=os.environ | {"PLANTED": str(folder / "plan.json")}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    reports = list((folder / "reports").glob("*"))
    moments = [json.loads(line) for line in (folder / "plan.jsonl").read_text(encoding="utf-8").splitlines()]
    if not reports or len(moments) < len(plan):
        sys.exit(f"the run ended with {done.returncode} before all was planted:\n{done.stdout}{done.stderr}")
    explained = subprocess.run(
        [sys.executable, "-m", "nakama_bots.cli", "explain", str(reports[0]), "--number", "1000"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    started = read_timeline(reports[0]).started
    return [moment | {"at": round(moment["at"] - started, 3)} for moment in moments], explained


def judged(moments: list[dict[str, Any]], explained: str) -> list[dict[str, Any]]:
    """Return each planted fault with the ``call`` at its moment, and the ``part`` that was named."""
    rows: list[dict[str, Any]] = []
    for block in explained.split("\n\n")[1:]:
        head, time, *_ = block.splitlines()
        call, named = _HEAD.match(head), _PART.search(time)
        if call and named:
            at, ms = (float(call[name].replace(",", "")) for name in ("at", "ms"))
            rows.append({"call": call["call"], "at": at, "ms": ms, "part": named["part"], "line": time.strip()})
    result = []
    for moment in moments:
        name, right = FAULTS[moment["fault"]]
        near = [row for row in rows if row["call"] == name and -0.1 <= row["at"] - moment["at"] <= NEAR]
        slowest = max(near, key=lambda row: row["ms"], default=None)
        part = slowest["part"] if slowest is not None else "no such call"
        result.append(moment | {"call": name, "right": right, "part": part, "explained": slowest})
    return result


def main() -> int:
    """Plant, explain, print how often each fault was named rightly."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain")
    parser.add_argument("--rounds", type=int, default=10, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        planted = judged(*run(planned(arguments.rounds, arguments.seed), Path(folder)))
    table: dict[str, dict[str, int]] = {}
    for fault, (call, right) in FAULTS.items():
        parts = [row["part"] for row in planted if row["fault"] == fault]
        table[fault] = {"right": parts.count(right), "of": len(parts)}
        wrong = ", ".join(sorted({part for part in parts if part != right}))
        print(f"{fault:<28} {call:<18} {right:<18} {parts.count(right):>3} of {len(parts)}  {wrong}")
    good = all(row["right"] == row["of"] for row in table.values())
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    settings = {"rounds": arguments.rounds, "seed": arguments.seed, "latency_s": LATENCY}
    document = {"machine": machine, "settings": settings, "table": table, "planted": planted}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{'all named rightly' if good else 'NOT all named rightly'}; written: {arguments.results}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
