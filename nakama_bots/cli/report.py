"""``nakama-bots report``: write the HTML page of one run, or of several side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from nakama_bots.cli.inputs import write_text
from nakama_bots.results.compare.compare import compare
from nakama_bots.results.compare.profile import read_profile
from nakama_bots.results.show.report.files import labels, read_run
from nakama_bots.results.show.report.page import render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="the folder of a run")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="file to write, - for stdout"
    )
    parser.add_argument(
        "--baseline",
        metavar="BASELINE",
        type=Path,
        action="append",
        default=[],
        help="compare the first run with this run folder or baseline file; may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    runs = [read_run(path, label) for path, label in zip(arguments.runs, labels(arguments.runs), strict=True)]
    comparison = None
    if arguments.baseline:
        mine, *others = [read_profile(path) for path in (arguments.runs[0], *arguments.baseline)]
        comparison = compare(mine, others)
    write_text(arguments.output, render(runs, comparison))
    if str(arguments.output) != "-":
        print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes")
    return 0
