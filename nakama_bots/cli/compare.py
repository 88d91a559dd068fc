"""``nakama-bots compare``: whether a run became slower than its baselines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import orjson

from nakama_bots.cli.inputs import add_window, share, write_text
from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.compare.compare import STATISTICS, Options, Tolerance, compare, exit_code
from nakama_bots.results.compare.comparison_text import markdown, table
from nakama_bots.results.compare.profile import NothingToCompare, read_profile

HELP: Final = "compare a run with its baselines: regressed, improved, same or too noisy, name by name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, its baselines, and what counts as a change."""
    parser.epilog = (
        "exit codes: 0 nothing regressed; 2 bad usage, or a file that cannot be read; 3 a figure regressed; "
        "4 nothing or not every required figure could be judged, the generator was late, or a name is missing"
    )
    parser.add_argument(
        "run_folder", metavar="RUN", type=Path, help="the folder of a run, or a baseline's file"
    )
    parser.add_argument(
        "baselines",
        metavar="BASELINE",
        type=Path,
        nargs="+",
        help="the same; from three on their spread is used",
    )
    add_window(parser)
    parser.add_argument(
        "--tolerance",
        metavar="[PATTERN=]PERCENT",
        type=_tolerance,
        action="append",
        default=[],
        help="changes that are no news, where PATTERN fits 'KIND name statistic', such as '* p99=20'; of "
        "several the last that fits counts; 5 for percentiles, 0.1 points for failures",
    )
    parser.add_argument(
        "--name", metavar="PATTERN", action="append", default=[], help="only names that fit, such as 'WS *'"
    )
    parser.add_argument(
        "--statistic", choices=STATISTICS, action="append", default=[], help="only these; all of them otherwise"
    )
    parser.add_argument(
        "--noise",
        metavar="PERCENT",
        type=share,
        default=Options().noise,
        help="too noisy: a change of so much could not have been seen",
    )
    parser.add_argument(
        "--require",
        metavar="PATTERN",
        action="append",
        default=[],
        help="figures that must be judged, such as 'WS match_join' or 'WS * p95': exit code 4 otherwise",
    )
    parser.add_argument("--report-only", action="store_true", help="exit with 0 whatever the comparison shows")
    parser.add_argument("--seed", type=int, default=Options().seed, help="of the bootstrap")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the comparison, - for stdout")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write it as Markdown, - for stdout")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print and write."""
    paths = [arguments.run_folder, *arguments.baselines]
    try:
        mine, *others = [
            read_profile(path, warmup=arguments.warmup, cooldown=arguments.cooldown) for path in paths
        ]
        comparison = compare(mine, others, _options(arguments))
        if not comparison["rows"]:
            wanted = ", ".join(arguments.name) or "*"
            msg = f"{mine.label}: neither it nor a baseline has a name that fits {wanted!r}"
            raise NothingToCompare(msg)
    except NothingToCompare as error:
        print(f"nakama-bots compare: {error}", file=sys.stderr)
        return ExitCode.INVALID
    for path, text in (
        (arguments.json, orjson.dumps(comparison, option=orjson.OPT_INDENT_2).decode() + "\n"),
        (arguments.markdown, markdown(comparison)),
    ):
        if path is not None:
            write_text(path, text)
    if Path("-") not in (arguments.json, arguments.markdown):
        print(table(comparison))
    return ExitCode.PASSED if arguments.report_only else exit_code(comparison)


def _options(arguments: argparse.Namespace) -> Options:
    standard = Options()
    return Options(
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
