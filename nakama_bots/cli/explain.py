"""``nakama-bots explain``: explains the slowest calls of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from nakama_bots.cli.inputs import argument
from nakama_bots.errors import file_errors
from nakama_bots.results.run_folder import read_timeline, read_traces
from nakama_bots.results.traces.explain import SHOWN, ServerLog, explain
from nakama_bots.settings.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", type=Path, help="the folder of a run")
    parser.add_argument(
        "--number", metavar="N", type=argument(whole(1)), default=SHOWN, help="the number of calls to show"
    )
    parser.add_argument(
        "--server-log", metavar="FILE", type=Path, help="Nakama's log as JSON lines, at level debug, to join"
    )


def run(arguments: argparse.Namespace) -> int:
    traces, timeline = read_traces(arguments.folder), read_timeline(arguments.folder)
    log = None
    if arguments.server_log is not None:
        log = ServerLog(traces)
        path: Path = arguments.server_log
        with file_errors("--server-log", path, "a file that can be read"), path.open("rb") as file:
            log.add(file)
    print("\n".join(explain(traces, timeline, log, arguments.number)))
    return 0
