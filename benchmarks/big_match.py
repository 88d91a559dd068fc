"""Grows one match until something gives: planted limits on the emulator, or what a real server has.

    python -m benchmarks.big_match
    python -m benchmarks.big_match --host http://127.0.0.1:7350 --metrics http://127.0.0.1:9100 --server-log LOG

Without a host, each of three limits is planted in an emulator and has to be named; exit code 1 if one is not.
With one, the scenarios grow to ``--most`` players, and the figures over the number of players are printed. Both
are written to ``benchmarks/results/big_match.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.bottleneck.bins import RunBins
from nakama_bots.results.bottleneck.figures import FIGURES
from nakama_bots.results.bottleneck.verdict import BottleneckPart
from nakama_bots.results.run_folder import read_summary, read_timeline

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "big_match.json"
CURVE: Final = (
    "tick_drift", "inputs_dropped", "match_delivery", "relay_delivery", "closed_queues", "cpu", "host_cpu",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """``flags`` of the emulator plant it, ``scenario`` reaches it with fewer players than ``load`` has."""

    named: str
    scenario: str
    flags: tuple[str, ...]
    load: str


LIMITS: Final[dict[str, Limit]] = {
    "an input queue of 12": Limit(
        "a match's input queue", "BigMatch", ("--match-input-queue-size", "12"),
        "steps:from=5,to=25,by=5,each=10s",
    ),
    "work of 4 ms for each player": Limit(
        "the match loop", "BigMatch", ("--env", "crowd_work_us=4000", "--module-instructions", "1000000000"),
        "steps:from=5,to=25,by=5,each=10s",
    ),
    "an outgoing queue of 3": Limit(
        "outgoing queues", "BigRelay", ("--outgoing-queue-size", "3"), "steps:from=5,to=45,by=10,each=10s"
    ),
}  # fmt: skip


class CurveRow(TypedDict):
    """The median figures with this many players; null if not measured."""

    players: int
    figures: dict[str, float | None]


class MatchRow(TypedDict):
    """One run."""

    what: str
    scenario: str
    load: str
    expected: str
    verdict: BottleneckPart
    generator: list[str]
    curve: list[CurveRow]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, save, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_match", description=__doc__)
    parser.add_argument("--host")
    parser.add_argument("--metrics", default="")
    parser.add_argument("--server-log", default="")
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--only", default="", help="a part of a limit's name, or a scenario")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    rows = _real(given) if given.host else _planted(given.only)
    known = json.loads(given.output.read_text()) if given.output.exists() else {}
    key = "server" if given.host else "emulator"
    done = {(row["what"], row["scenario"]) for row in rows}
    others = [row for row in known.get(key, []) if (row["what"], row["scenario"]) not in done]
    given.output.write_text(json.dumps(known | {key: others + rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(not row["expected"] or row["verdict"]["named"] == row["expected"] for row in rows) else 1


def _planted(only: str) -> list[MatchRow]:
    rows = []
    for name, limit in LIMITS.items():
        if only not in name:
            continue
        emulator = EmulatorProcess.start(extra=("--metrics-port", "0", *limit.flags))
        try:
            options = ("--host", emulator.url, "--nakama-metrics", emulator.metrics_url)
            rows.append(run(name, limit.scenario, limit.load, limit.named, options))
        finally:
            emulator.stop()
        show(rows[-1])
    return rows


def _real(given: argparse.Namespace) -> list[MatchRow]:
    options = ["--host", given.host]
    if given.metrics:
        options += ["--nakama-metrics", given.metrics]
    if given.server_log:
        options += ["--nakama-server-log", given.server_log]
    rows = []
    for scenario in ("BigMatch", "BigRelay"):
        if given.only in scenario:
            load = f"steps:from=10,to={given.most},by=10,each=10s"
            rows.append(run("one match", scenario, load, "", options))
            show(rows[-1])
    return rows


def run(what: str, scenario: str, load: str, expected: str, options: Sequence[str]) -> MatchRow:
    """Run one scenario with a growing number of players."""
    with tempfile.TemporaryDirectory() as reports:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "-f", "scenarios/big_match.py", scenario, "--headless",
             "--only-summary", "--nakama-live", "off", "--nakama-load", load, "--nakama-reports", reports,
             "--stop-timeout", "5", *options],
            cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        folders = list(Path(reports).iterdir())
        if not folders:
            sys.exit(f"benchmarks.big_match: {scenario} left no results: {done.stderr.strip()[-500:]}")
        summary, bins = read_summary(folders[0]), RunBins(read_timeline(folders[0]))
    assert "bottleneck" in summary
    return {
        "what": what, "scenario": scenario, "load": load, "expected": expected,
        "verdict": summary["bottleneck"], "generator": summary["health"]["reasons"], "curve": curve(bins),
    }  # fmt: skip


def curve(bins: RunBins) -> list[CurveRow]:
    """Return the figures for each number of players that was held."""
    series = {name: FIGURES[name].of(bins) for name in CURVE}
    rows: list[CurveRow] = []
    for players in sorted({round(number) for number in bins.players if number >= 1}):
        places = [place for place, number in enumerate(bins.players) if round(number) == players]
        figures: dict[str, float | None] = {}
        for name, values in series.items():
            known = [value for place in places if (value := values[place]) is not None]
            figures[name] = round(statistics.median(known), 4) if known else None
        rows.append({"players": players, "figures": figures})
    return rows


def show(row: MatchRow) -> None:
    """Print a run."""
    print(f"{row['scenario']}, {row['what']}: {row['verdict']['text']}")
    print("\n".join(f"  {line}" for found in row["verdict"]["found"] if (line := found["log"])))
    print("\n".join(f"  generator: {line}" for line in row["generator"]))
    for point in row["curve"]:
        shown = (
            f"{FIGURES[name].words} {FIGURES[name].show(value)}"
            for name, value in point["figures"].items()
            if value is not None
        )
        print(f"  {point['players']:>4} players: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
