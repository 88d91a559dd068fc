"""How often ``nakama-bots compare --paired`` is right: ``python -m benchmarks.paired --same 20 --planted 10``.

Each comparison starts two emulators that answer late by the same random latency; in the planted ones the new
server's is 5 % longer. It is right if it calls no figure of the same server regressed, and the planted p95
regressed. ``--at-once`` comparisons run side by side, and ``--busy`` other processes keep a core busy each; the
load average at the start and the end of each is kept, as the machine's other work decides how hard it is. The
exit code is 1 with more than one false alarm in 20, or fewer than nine of ten planted changes found. Twenty and
ten take about half an hour, five at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from benchmarks.busy import busy
from nakama_bots.results.compare.comparison import Difference

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "paired.json"
LATENCY_MS: Final = 10.0
"""The least latency of a server's answer, and the width of its uniform jitter."""
PLANTED: Final = 1.05
ROUNDS, BLOCK, SETTLE, USERS = 16, 8.0, 2.0, 20
NO_LIMITS: Final = "cpu=0,loop_busy=0,hub_lag=0,receive_wait=0,tick_lateness=0"
"""A busy machine is what is measured."""


def server(factor: float, seed: int) -> str:
    """Return the command of an emulator whose latency is ``factor`` times the usual one."""
    latency = f"latency:on=ping,ms={LATENCY_MS * factor:g},jitter={LATENCY_MS * factor:g}"
    emulator = f"{shlex.quote(sys.executable)} -m nakama_bots.cli emulator --port {{port}}"
    return f"{emulator} --seed {seed} --fault {latency}"


def compare(factor: float, seed: int, statistic: str) -> dict[str, Any]:
    """Run one comparison and return its row of the results."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "comparison.json"
        command = [
            sys.executable, "-m", "nakama_bots.cli", "compare", "--paired",
            server(1.0, seed), server(factor, seed + 1),
            "--users", str(USERS), "--rounds", str(ROUNDS), "--block", f"{BLOCK:g}", "--settle", f"{SETTLE:g}",
            "--locust", f"-f {ROOT / 'benchmarks' / 'pinging.py'} --nakama-health-limits {NO_LIMITS}",
            "--name", "WS ping", *(("--statistic", statistic) if statistic else ()), "--seed", str(seed),
            "--reports", str(Path(folder) / "reports"), "--json", str(result),
        ]  # fmt: skip
        limit = 2 * ROUNDS * BLOCK + 300
        ended = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=ROOT, check=False)
        rows = json.loads(result.read_bytes())["rows"] if result.exists() else []
    return {
        "planted": factor != 1.0,
        "seed": seed,
        "exit_code": ended.returncode,
        "load": [round(before, 1), round(os.getloadavg()[0], 1)],
        "calls": [rows[0][side]["count"] for side in ("baseline", "run")] if rows else None,
        "verdicts": {row["statistic"]: row["verdict"] for row in rows},
        "change_of_p95": next(
            (
                [row[part] for part in ("change_low", "change", "change_high")]
                for row in rows
                if row["statistic"] == "p95"
            ),
            None,
        ),
        "why": "" if rows else ended.stderr.strip()[-500:],
    }


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts that the bars are about."""
    same = [row for row in rows if not row["planted"]]
    planted = [row for row in rows if row["planted"]]
    return {
        "same": len(same),
        "false_alarms": sum(Difference.REGRESSED in row["verdicts"].values() for row in same),
        "planted": len(planted),
        "found": sum(row["verdicts"].get("p95") == Difference.REGRESSED for row in planted),
        "without_figures": sum(not row["verdicts"] for row in rows),
        "load": [min(row["load"][0] for row in rows), max(row["load"][1] for row in rows)],
    }


def passes(total: dict[str, Any]) -> bool:
    """True if the bars are met."""
    return (
        not total["without_figures"]
        and total["false_alarms"] * 20 <= total["same"]
        and total["found"] * 10 >= total["planted"] * 9
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paired", description=__doc__)
    parser.add_argument("--same", type=int, default=20, help="comparisons of a server with itself (20)")
    parser.add_argument("--planted", type=int, default=10, help="comparisons with a server 5 %% slower (10)")
    parser.add_argument("--at-once", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="keep N cores busy meanwhile")
    parser.add_argument("--statistic", default="p95", help="the only statistic to judge; '' for all (p95)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    plan = [1.0] * given.same + [PLANTED] * given.planted
    rows = []
    with busy(given.busy), ThreadPoolExecutor(given.at_once) as pool:
        for row in pool.map(
            lambda job: compare(job[1], given.seed + 2 * job[0], given.statistic), enumerate(plan)
        ):
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    total = summed(rows)
    document = {
        "python": platform.python_version(),
        "at_once": given.at_once,
        "busy": given.busy,
        **total,
        "comparisons": rows,
    }
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(
        f"same server: {total['false_alarms']} false alarms in {total['same']}; p95 + 5 %: found "
        f"{total['found']} of {total['planted']}; without figures {total['without_figures']}; load average "
        f"{total['load'][0]} to {total['load'][1]}"
    )
    return 0 if passes(total) else 1


if __name__ == "__main__":
    sys.exit(main())
