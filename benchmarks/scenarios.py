"""Runs each scenario separately against a server: ``python -m benchmarks.scenarios --host URL``.

By default thirty seconds with twenty players each. Records the number of calls, failures and provoked
failures, and whether the cid ledger is balanced. The result is written as JSON and printed as the table of
``docs/scenarios.md``. Exit code 1 if any call failed, a ledger is not balanced, or a run did not pass.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypedDict

from nakama_bots.results.run_folder import read_summary
from nakama_bots.results.summary import Summary

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "scenarios.json"
_PROVOKED: Final = "provoked."


class Row(TypedDict):
    """The results of a scenario."""

    scenario: str
    exit_code: int
    calls: int
    failures: int
    provoked: dict[str, int]
    delivered: int
    lost: int
    ledger_sent: int
    balanced: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("--host", required=True, help="the server")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("names", nargs="*", help="scenarios; default: all")
    given, more = parser.parse_known_args(arguments)
    rows = []
    for name in given.names or listed():
        print(f"{name} ..", end=" ", file=sys.stderr, flush=True)
        rows.append(measure(name, given.host, given.users, given.seconds, more))
        print("well" if well(rows[-1]) else "NOT WELL", file=sys.stderr, flush=True)
    document = {"users": given.users, "seconds": given.seconds, "scenarios": rows}
    given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(table(rows))
    return 0 if all(well(row) for row in rows) else 1


def listed() -> list[str]:
    """Return the classes of the locustfile."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "locustfile.py", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return re.findall(r"^\s+(\w+)$", done.stdout + done.stderr, re.MULTILINE)


def measure(name: str, host: str, users: int, seconds: int, more: Sequence[str]) -> Row:
    """Run one scenario; ``more`` are further arguments of Locust."""
    with tempfile.TemporaryDirectory() as reports:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "-f", "locustfile.py", name, "--headless", "--host", host,
             "-u", str(users), "-r", str(users), "-t", f"{seconds}s", "--stop-timeout", "5",
             "--nakama-reports", reports, *more],
            cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120, check=False,
        )  # fmt: skip
        folders = list(Path(reports).iterdir())
        if not folders:
            sys.exit(f"benchmarks.scenarios: {name} left no results: {done.stderr.strip()[-300:]}")
        return row(name, done.returncode, read_summary(folders[0]))


def row(name: str, exit_code: int, summary: Summary) -> Row:
    """Return the results of a run. Deliveries are those of all kinds of messages."""
    deliveries = summary["deliveries"].values()
    return {
        "scenario": name,
        "exit_code": exit_code,
        "calls": sum(call["count"] for call in summary["calls"]),
        "failures": sum(call["failures"] for call in summary["calls"]),
        "provoked": {
            count.removeprefix(_PROVOKED): number
            for count, number in summary["counts"].items()
            if count.startswith(_PROVOKED)
        },
        "delivered": sum(part["received"] for part in deliveries),
        "lost": sum(part["lost"] for part in deliveries),
        "ledger_sent": summary["ledger"]["sent"],
        "balanced": summary["ledger"]["balanced"],
    }


def well(found: Row) -> bool:
    """True if the run passed."""
    return not found["exit_code"] and not found["failures"] and found["balanced"]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| scenario | calls | failed | provoked | delivered | lost | cids | balanced |",
        "|---|" + "---:|" * 7,
    ]
    for found in rows:
        provoked = ", ".join(f"{name} {number:,}" for name, number in found["provoked"].items()) or "-"
        lines.append(
            f"| {found['scenario']} | {found['calls']:,} | {found['failures']:,} | {provoked} | "
            f"{found['delivered']:,} | {found['lost']:,} | {found['ledger_sent']:,} | "
            f"{'yes' if found['balanced'] else 'NO'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
