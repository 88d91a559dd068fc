"""``nakama-bots compare``: find out whether a run is slower than its baselines."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from nakama_bots.cli.inputs import add_rows, add_window, argument, share, write_text
from nakama_bots.cli.interrupts import Interrupted, raised
from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.paired import PairedError, PairedPlan, PairedRun
from nakama_bots.ops.processes import NotServed
from nakama_bots.results.compare import pairs
from nakama_bots.results.compare.compare import (
    PAIRED,
    STANDARD,
    STATISTICS,
    CompareOptions,
    Tolerance,
    compare,
    compare_pairs,
    exit_code,
)
from nakama_bots.results.compare.comparison import Comparison
from nakama_bots.results.compare.comparison_text import markdown, table
from nakama_bots.results.compare.profile import NothingToCompare, read_profile
from nakama_bots.results.files import json_text
from nakama_bots.settings.values import duration, whole

_PLAN: Final = (
    ("rounds", whole(pairs.FEWEST, 1000), "pairs of blocks"),
    ("block", duration(), "seconds per block"),
    ("settle", duration(), "seconds at the start of each block that are not counted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 nothing regressed; 2 bad usage, or a file that cannot be read; 3 a figure regressed; "
        "4 no figure or not every required figure could be judged, the generator was late, or a name is missing"
    )
    parser.add_argument("run_folder", metavar="RUN", help="the folder of a run, or a baseline file")
    parser.add_argument(
        "baselines",
        metavar="BASELINE",
        nargs="+",
        help="a folder or file of a baseline; with three or more, their spread is used",
    )
    add_window(parser)
    _add_paired(parser)
    parser.add_argument(
        "--tolerance",
        metavar="[PATTERN=]PERCENT",
        type=_tolerance,
        action="append",
        default=[],
        help="changes to ignore, where PATTERN matches 'KIND name statistic', such as '* p99=20'; the last "
        "match counts; by default 5 for percentiles, 0.1 points for failures",
    )
    parser.add_argument(
        "--name", metavar="PATTERN", action="append", default=[], help="only names that match, such as 'WS *'"
    )
    parser.add_argument(
        "--statistic",
        choices=STATISTICS,
        action="append",
        default=[],
        help="only this statistic; may be repeated (default: all)",
    )
    parser.add_argument(
        "--noise",
        metavar="PERCENT",
        type=share,
        default=f"{STANDARD.noise * 100:g}",
        help="a figure is too noisy if a change of this size could not have been seen",
    )
    parser.add_argument(
        "--require",
        metavar="PATTERN",
        action="append",
        default=[],
        help="figures that must be judged, such as 'WS match_join' or 'WS * p95': exit code 4 otherwise",
    )
    parser.add_argument("--report-only", action="store_true", help="exit with 0 whatever the result")
    parser.add_argument("--seed", type=int, default=STANDARD.seed, help="seed of the bootstrap")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the comparison as JSON, - for stdout")
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="write the comparison as Markdown, - for stdout"
    )


def _add_paired(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("paired", "compare two servers in one run, one block each in turn")
    group.add_argument(
        "--paired",
        action="store_true",
        help="RUN and BASELINE are the old and the new server: a URL, or a command with {port} in it",
    )
    group.add_argument("--users", type=argument(whole(1)), default=20, help="users per server")
    add_rows(group, _PLAN, PairedPlan())
    group.add_argument(
        "--locust",
        metavar="ARGUMENTS",
        default="-f locustfile.py",
        help="arguments for locust: the locustfile, user classes and settings",
    )
    group.add_argument(
        "--reports", metavar="FOLDER", type=Path, default=Path("reports/paired"), help="folder for the two runs"
    )


def run(arguments: argparse.Namespace) -> int:
    try:
        comparison = (_compare_servers if arguments.paired else _compare_runs)(arguments)
        if not comparison["rows"]:
            wanted = ", ".join(arguments.name) or "*"
            msg = f"{comparison['run']['label']}: no name of it or of a baseline matches {wanted!r}"
            raise NothingToCompare(msg)
    except (NothingToCompare, NotServed, PairedError) as error:
        print(f"nakama-bots compare: {error}", file=sys.stderr)
        return ExitCode.INVALID
    except Interrupted as interrupted:
        print(f"nakama-bots compare: stopped by {interrupted}", file=sys.stderr)
        return interrupted.exit_code
    for path, text in (
        (arguments.json, json_text(comparison).decode()),
        (arguments.markdown, markdown(comparison)),
    ):
        if path is not None:
            write_text(path, text)
    if Path("-") not in (arguments.json, arguments.markdown):
        print(table(comparison))
    return ExitCode.PASSED if arguments.report_only else exit_code(comparison)


def _compare_runs(arguments: argparse.Namespace) -> Comparison:
    mine, *others = [
        read_profile(Path(path), warmup=arguments.warmup, cooldown=arguments.cooldown)
        for path in (arguments.run_folder, *arguments.baselines)
    ]
    return compare(mine, others, _options(arguments, STANDARD))


def _compare_servers(arguments: argparse.Namespace) -> Comparison:
    servers: list[str] = [arguments.run_folder, *arguments.baselines]
    if len(servers) != 2:
        raise ConfigError("--paired", " ".join(servers), "two servers, the old one and the new one")
    plan = PairedPlan(arguments.rounds, arguments.block, arguments.settle, arguments.seed)
    if plan.settle >= plan.block:
        raise ConfigError("--settle", plan.settle, "less than --block")
    reports = arguments.reports / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    paired = PairedRun((servers[0], servers[1]), plan, arguments.users, shlex.split(arguments.locust), reports)
    with raised(), Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{plan.rounds} pairs of blocks", total=plan.seconds)
        old_profile, new_profile = paired.run(lambda done: progress.update(task, completed=done))
    return compare_pairs(new_profile, old_profile, _options(arguments, PAIRED))


def _options(arguments: argparse.Namespace, standard: CompareOptions) -> CompareOptions:
    return replace(
        standard,
        tolerances=(*standard.tolerances, *arguments.tolerance),
        noise=arguments.noise,
        names=tuple(arguments.name) or standard.names,
        statistics=tuple(name for name in STATISTICS if name in arguments.statistic) or standard.statistics,
        seed=arguments.seed,
        required=tuple(arguments.require),
    )


def _tolerance(text: str) -> Tolerance:
    pattern, _, percent = text.rpartition("=")
    return Tolerance(pattern or "*", share(percent))
