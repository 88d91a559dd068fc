"""``nakama-bots schema``: print the JSON Schema of a file that a run writes."""

from __future__ import annotations

import argparse
import sys

from nakama_bots.results.json_schema import FILES, as_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", choices=list(FILES), help="kind of file; an interval is a line of the time line"
    )


def run(arguments: argparse.Namespace) -> int:
    sys.stdout.write(as_text(arguments.file))
    return 0
