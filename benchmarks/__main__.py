"""``python -m benchmarks``: the CPU and memory that the same work costs this project and others, in one run.

Starts an emulator; NAKAMA_URL or --url names another server. Each contestant does each work in a new process,
they alternate in rounds, and what counts is the ratio within a round: docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.performance import report, tables
from benchmarks.performance.comparing import Comparison
from benchmarks.performance.installing import install
from benchmarks.performance.works import CONTESTANTS, WORKS, Contestant, Work
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError
from nakama_bots.settings.guard import is_loopback

RESULTS: Final = Path(__file__).parent / "results" / "performance.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save; return 1 if a limit is not reached, 2 for a wrong argument."""
    # The contestants are ended with the driver.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        given = _parsed(arguments)
        return show(given.show, as_markdown=given.markdown) if given.show else compare(given)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def compare(given: argparse.Namespace) -> int:
    """Run all contestants of all works."""
    works, contestants = _chosen(given)
    # Every socket of a contestant is an open file. Importing `load`, which has a function for it, would patch.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    installed, missing = install({one.needs for one in contestants if one.needs})
    missing = {one.name: missing[one.needs] for one in contestants if one.needs in missing}
    server: AbstractContextManager[Any] = nullcontext() if given.url else EmulatorProcess.start()
    with server as emulator:
        found = Comparison(
            works, [one for one in contestants if one.name not in missing], given.url or emulator.url,
            given.server_key, not given.url, given.seconds, given.rounds, given.players, given.minutes,
            installed,
        )  # fmt: skip
        found.run()
    document = {
        "server": given.url or "emulator",
        "settings": {"seconds": given.seconds, "rounds": given.rounds, "players": given.players},
        "machine": {
            "python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count() or 1,
            "load": found.load,
        },
        "missing": missing, "ratios": report.ratios(found.raw), "steps": found.steps, "raw": found.raw,
    }  # fmt: skip
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return show(given.results)


def show(results: Path, *, as_markdown: bool = False) -> int:
    """Print the tables of a file of results, and the limits; return 1 if one is not kept."""
    try:
        document = json.loads(results.read_bytes())
        raw, machine = document["raw"], document["machine"]
        steps = {int(processes): rows for processes, rows in document["steps"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError("--show", str(results), "a file of results") from None
    # The limits are for the works as they are in the table.
    limits = report.all_judged(raw, steps, machine["cores"]) if not document["settings"]["players"] else []
    if as_markdown:
        print("\n".join(tables.markdown(raw, limits)))
        return 0
    shown = [*tables.lines(raw, document["missing"]), *tables.grown_lines(steps)]
    print("\n".join([*shown, "", *tables.limit_lines(limits)]))
    load = " to ".join(f"{one:.1f}" for one in machine["load"])
    print(f"\nraw figures: {results}; load average {load} on {machine['cores']} cores")
    return int(any(map(report.failed, limits)))


def _chosen(given: argparse.Namespace) -> tuple[list[Work], list[Contestant]]:
    works, contestants = given.works or ",".join(WORKS), given.contestants or ",".join(CONTESTANTS)
    for name, text, table in (("--works", works, WORKS), ("--contestants", contestants, CONTESTANTS)):
        for part in text.split(","):
            if part not in table:
                raise ConfigError(name, part, f"names with commas between: {', '.join(table)}")
    if given.players % 4 or given.players < 0:
        raise ConfigError("--players", given.players, "a multiple of 4, or 0 for each work's own number")
    if given.rounds < 1:
        raise ConfigError("--rounds", given.rounds, "a whole number from 1")
    for name in ("seconds", "minutes"):
        if getattr(given, name) <= 0:
            raise ConfigError(f"--{name}", getattr(given, name), "a number above 0")
    host = urlsplit(given.url).hostname or ""
    if given.url and not is_loopback(host) and host != given.confirm_target:
        raise ConfigError("--url", given.url, f"this machine, or with --confirm-target {host}")
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
    parser.add_argument("--show", type=Path, help="print the tables of an earlier file of results instead")
    parser.add_argument("--markdown", action="store_true", help="with --show: as the tables of the docs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
