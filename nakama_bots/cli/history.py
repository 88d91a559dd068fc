"""``nakama-bots history``: show the figures of many runs, and when they changed."""

from __future__ import annotations

import argparse
from pathlib import Path

from nakama_bots.cli.inputs import argument, write_text
from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.results.compare.history import entry_of, figures_of, open_store
from nakama_bots.results.run_folder import read_summary
from nakama_bots.results.show.history import history_page, history_text
from nakama_bots.settings.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", metavar="STORE", type=Path, help="a folder, or an SQLite file (.db, .sqlite)")
    parser.add_argument(
        "--add", metavar="RUN", type=Path, nargs="+", default=[], help="add the runs in these folders first"
    )
    parser.add_argument("--label", default="", help="label of the added runs, such as a commit")
    parser.add_argument("--scenario", metavar="NAME", help="only runs of this scenario")
    parser.add_argument(
        "--name",
        metavar="PATTERN",
        action="append",
        default=[],
        help="only figures whose 'KIND name statistic' matches, such as 'WS * p95'",
    )
    parser.add_argument("--last", metavar="N", type=argument(whole(1)), default=60, help="only the last N runs")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with sparklines, - for stdout")


def run(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.store)
    for folder in arguments.add:
        store.add(entry_of(read_summary(folder), arguments.label))
    entries = [entry for entry in store.entries() if arguments.scenario in (None, entry["scenario"])]
    if not entries:
        of = f" of the scenario {arguments.scenario}" if arguments.scenario else ""
        raise ConfigError("STORE", str(arguments.store), f"a history with a run{of}")
    shown = entries[-arguments.last :]
    figures = figures_of(shown, arguments.name or ["*"])
    if arguments.html is not None:
        title = f"{arguments.store}, {len(shown)} runs"
        write_text(arguments.html, history_page(figures, title))
    if arguments.html != Path("-"):
        print(history_text(figures, arguments.last))
    return ExitCode.PASSED
