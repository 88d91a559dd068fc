"""``python -m benchmarks``: the CPU and memory of the same work, for this project and for others, in one run.

Starts an emulator; NAKAMA_URL or --url names another server. Each contestant does each work in a new process,
they alternate in rounds, and what counts is the ratio within a round: docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.performance import report
from benchmarks.performance.accounts import create_accounts
from benchmarks.performance.installing import install
from benchmarks.performance.running import Job, Outcome, measured
from benchmarks.performance.works import CONTESTANTS, WORKS, Contestant, Work
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError
from nakama_bots.load.process.descriptors import raise_soft_limit
from nakama_bots.settings.guard import is_loopback

RESULTS: Final = Path(__file__).parent / "results" / "performance.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save; return 1 if a limit is not reached, 2 for a wrong argument."""
    try:
        return compare(_parsed(arguments))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def compare(given: argparse.Namespace) -> int:
    """Run all contestants of all works."""
    works, contestants = _chosen(given)
    raise_soft_limit()
    installed, missing = install({one.needs for one in contestants if one.needs})
    missing = {one.name: missing[one.needs] for one in contestants if one.needs in missing}
    contestants = [one for one in contestants if one.name not in missing]
    load = [os.getloadavg()[0]]
    server: AbstractContextManager[Any] = nullcontext() if given.url else EmulatorProcess.start()
    with server as emulator:
        given.at = given.url or emulator.url
        for work in works:
            if work.base:
                create_accounts(given.at, given.server_key, _players(work, given))
        raw = rounds(works, contestants, given, installed)
    load.append(os.getloadavg()[0])
    limits = report.all_judged(raw)
    print("\n".join([*report.lines(raw, missing), "", *report.limit_lines(limits)]))
    document = {
        "server": given.url or "emulator",
        "settings": {"seconds": given.seconds, "rounds": given.rounds, "players": given.players},
        "machine": {
            "python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count(),
            "load": load,
        },
        "missing": missing, "limits": limits, "ratios": report.ratios(raw), "raw": raw,
    }  # fmt: skip
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(
        f"\nraw figures: {given.results}; load average {load[0]:.1f} to {load[1]:.1f} on {os.cpu_count()} cores"
    )
    return int(any(one["value"] is not None and one["value"] > one["most"] for one in limits))


def rounds(
    works: Sequence[Work],
    contestants: Sequence[Contestant],
    given: argparse.Namespace,
    installed: dict[str, str],
) -> dict[str, dict[str, list[Outcome]]]:
    """Return the outcomes; a first round of everything comes before a second one of anything."""
    raw: dict[str, dict[str, list[Outcome]]] = {
        work.key: {one.name: [] for one in contestants if work.key in one.works} for work in works
    }
    until = time.monotonic() + given.minutes * 60
    for number in range(given.rounds):
        for work in works:
            for one in contestants:
                if work.key not in one.works or number >= work.most_rounds:
                    continue
                if work.real and not given.url:
                    outcome: Outcome = {"failed": "only on a real server: the emulator is too slow for it"}
                elif time.monotonic() > until:
                    outcome = {"failed": f"the {given.minutes:g} minutes were over"}
                else:
                    outcome = measured(one, work, _job(work, given), installed)
                raw[work.key][one.name].append(outcome)
                print(f"round {number + 1} {work.key} {one.name:<17} {_told(work, outcome)}", flush=True)
    return raw


def _job(work: Work, given: argparse.Namespace) -> Job:
    players = _players(work, given)
    base = min(work.base, players // 2)
    return Job(work.key, given.at, given.server_key, players, base, work.rate, given.seconds)


def _players(work: Work, given: argparse.Namespace) -> int:
    return min(given.players or work.players, work.players)


def _told(work: Work, outcome: Outcome) -> str:
    if "failed" in outcome:
        return outcome["failed"]
    return ", ".join(
        f"{outcome['figures'][name] / divisor:,.4g} {label}" for name, (label, divisor) in work.units.items()
    )


def _chosen(given: argparse.Namespace) -> tuple[list[Work], list[Contestant]]:
    works, contestants = given.works or ",".join(WORKS), given.contestants or ",".join(CONTESTANTS)
    for name, text, table in (("--works", works, WORKS), ("--contestants", contestants, CONTESTANTS)):
        for part in text.split(","):
            if part not in table:
                raise ConfigError(name, part, f"names with commas between: {', '.join(table)}")
    if given.players % 4 or given.players < 0:
        raise ConfigError("--players", given.players, "a multiple of 4, or 0 for each work's own number")
    host = urlsplit(given.url).hostname or ""
    if given.url and not is_loopback(host) and host != given.confirm_target:
        raise ConfigError("--url", given.url, f"this machine, or a host that --confirm-target names: {host}")
    return [WORKS[key] for key in works.split(",")], [CONTESTANTS[name] for name in contestants.split(",")]


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--works", default="", help=f"of {','.join(WORKS)} (all)")
    parser.add_argument("--contestants", default="", help=f"of {','.join(CONTESTANTS)} (all)")
    parser.add_argument("--seconds", type=float, default=3.0, help="measured per contestant and round (3)")
    parser.add_argument("--rounds", type=int, default=3, help="(3; C at most 2, F 1)")
    parser.add_argument("--players", type=int, default=0, help="the most players of a work, for a quick look")
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="no further measurement starts after them (15)"
    )
    parser.add_argument("--url", default=os.environ.get("NAKAMA_URL", ""), help="(NAKAMA_URL, or an emulator)")
    parser.add_argument("--server-key", default=os.environ.get("NAKAMA_SERVER_KEY", "defaultkey"))
    parser.add_argument("--confirm-target", default="", help="the host name of a remote server that is meant")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the raw figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
