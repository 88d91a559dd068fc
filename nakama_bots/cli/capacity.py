"""``nakama-bots capacity``: find out how many players a server can hold, and what breaks first."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from nakama_bots.cli.inputs import argument, seconds, share, write_text
from nakama_bots.cli.interrupts import Interrupted, raised
from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode, Outcome
from nakama_bots.ops.bundled import find_scenario
from nakama_bots.ops.capacity import CapacitySearch
from nakama_bots.ops.processes import NotServed, run_in, served
from nakama_bots.results.bottleneck.bins import RunBins
from nakama_bots.results.bottleneck.verdict import bottleneck
from nakama_bots.results.capacity.answer import answer_lines, exit_code, progress, verdict_of
from nakama_bots.results.capacity.bisection import WIDTH
from nakama_bots.results.capacity.document import ARRIVALS, PLAYERS, CapacityPart, TrialPart
from nakama_bots.results.capacity.search import MOST_TRIALS, SearchPlan, check_gate, warmup_of
from nakama_bots.results.files import json_text
from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.results.gate.rules import Gate
from nakama_bots.results.gate.verdict import verdict_part
from nakama_bots.results.run_folder import read_summary, read_timeline, write_summary
from nakama_bots.results.show.bottleneck import bottleneck_lines
from nakama_bots.results.show.report.files import write_report
from nakama_bots.results.show.text import WIDTH as LINE
from nakama_bots.results.summary import Summary
from nakama_bots.settings.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 an answer, and --require is met; 2 bad usage; 3 less than --require, or "
        "than --from; 4 nothing was measured, or the interval contains --require; 5 the server stopped "
        "answering; 130 or 143 interrupted"
    )
    count = argument(whole(1, 1_000_000))
    parser.add_argument("server", metavar="URL", help="the server, or a command with {port} that starts one")
    parser.add_argument(
        "--gate", metavar="FILE", type=Path, required=True, help="gate file that a load must pass"
    )
    parser.add_argument("--scenario", metavar="NAME", help="a bundled scenario, in place of --locust")
    parser.add_argument(
        "--locust",
        metavar="ARGUMENTS",
        default="",
        help="arguments for locust: locustfile, user classes, settings",
    )
    parser.add_argument("--from", dest="low", type=count, default=10, help="lowest load")
    parser.add_argument("--to", dest="high", type=count, default=1000, help="highest load")
    parser.add_argument(
        "--of", choices=(PLAYERS, ARRIVALS), default=PLAYERS, help="what a load is; arrivals are per second"
    )
    parser.add_argument("--trial", type=seconds, default=60.0, help="seconds per trial")
    parser.add_argument("--settle", type=seconds, default=3.0, help="seconds between two trials")
    parser.add_argument("--max-trials", type=count, default=MOST_TRIALS, help="most trials")
    parser.add_argument("--max-time", type=seconds, default=3600.0, help="most seconds for the whole search")
    parser.add_argument(
        "--width", type=share, default=WIDTH, help="the search ends when its 90 %% interval is this narrow"
    )
    parser.add_argument("--require", metavar="N", type=count, help="lowest capacity that passes")
    parser.add_argument("--reports", metavar="FOLDER", type=Path, default=Path("reports/capacity"))
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the answer as JSON, - for stdout")


def run(arguments: argparse.Namespace) -> int:
    gate = read_gate(arguments.gate)
    plan = _plan(arguments, gate)
    reports = arguments.reports / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    console = Console(stderr=True)
    code: int | None = None
    try:
        with served(arguments.server) as url:
            search = CapacitySearch(
                url, (gate, arguments.gate.resolve()), plan, _locust(arguments), reports, arguments.require
            )
            try:
                with raised():
                    search.run(
                        lambda trial: console.print(
                            progress(trial, plan.unit), highlight=False, markup=False, soft_wrap=True
                        )
                    )
            except Interrupted as interrupted:
                code = interrupted.exit_code
    except NotServed as error:
        print(f"nakama-bots capacity: {error}", file=sys.stderr)
        return ExitCode.INVALID
    part = search.answer()
    document = json_text(part).decode()
    write_text(reports / "capacity.json", document)
    if arguments.json is not None:
        write_text(arguments.json, document)
    summary, files = _write_report(reports, part, gate)
    if arguments.json != Path("-"):
        print("", *answer_lines(part), sep="\n")
        if summary is not None:
            print("\n".join(bottleneck_lines(summary, LINE)))
        print(f"written: {', '.join(map(str, [reports / 'capacity.json', *files]))}")
    return exit_code(part) if code is None else code


def _write_report(reports: Path, part: CapacityPart, gate: Gate) -> tuple[Summary | None, list[Path]]:
    """Write the summary and the report of the greatest load that passed, with the answer.

    What breaks first is that of all trials that count. Return the summary and the files; none without a trial.
    """
    counted = [trial for trial in part["trials"] if trial["outcome"] != Outcome.INVALID]
    best = max(counted, key=lambda trial: (trial["outcome"] == Outcome.PASSED, trial["load"]), default=None)
    if best is None:
        return None, []
    run = _run_of(best)
    summary, timeline = read_summary(run), read_timeline(run)
    summary["capacity"] = part
    if "bottleneck" in summary:
        summary["bottleneck"] = bottleneck([RunBins(read_timeline(_run_of(trial))) for trial in counted])
    verdict = verdict_part(verdict_of(part, gate.file), summary)
    return summary, [write_summary(reports, summary), write_report(reports, summary, timeline, verdict)]


def _run_of(trial: TrialPart) -> Path:
    run = run_in(Path(trial["folder"]))
    assert run is not None
    return run


def _plan(arguments: argparse.Namespace, gate: Gate) -> SearchPlan:
    check_gate(gate, "--gate")
    if arguments.low > arguments.high:
        raise ConfigError("--from", arguments.low, f"a load up to that of --to ({arguments.high})")
    warmup = warmup_of(gate, arguments.trial, "--trial")
    if arguments.trial > arguments.max_time:
        raise ConfigError("--max-time", arguments.max_time, f"at least one trial ({arguments.trial:g} s)")
    return SearchPlan(
        arguments.low, arguments.high, arguments.trial, warmup, arguments.settle, arguments.max_trials,
        arguments.width, arguments.max_time, arguments.of,
    )  # fmt: skip


def _locust(arguments: argparse.Namespace) -> list[str]:
    given = shlex.split(arguments.locust)
    if arguments.scenario is not None:
        return ["-f", str(find_scenario(arguments.scenario).path), *given]
    return given or ["-f", "locustfile.py"]
