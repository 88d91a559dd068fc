"""``nakama-bots doctor URL``: check whether a server is ready for use, and say how to fix problems."""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nakama_bots.cli.inputs import argument
from nakama_bots.cli.interrupts import Interrupted, raised
from nakama_bots.errors import safe_text
from nakama_bots.exit_codes import ExitCode
from nakama_bots.observer import NullObserver
from nakama_bots.ops.doctor import Finding, Patient, examine, tidy
from nakama_bots.ops.doctor_checks import CHECKS
from nakama_bots.players.player import World
from nakama_bots.settings import options
from nakama_bots.settings.values import duration

SETTINGS: Final = (
    "server_key", "http_key", "connect_timeout", "request_timeout", "matchmaker_timeout",
    "tls_ca", "tls_insecure",
)  # fmt: skip
_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
_WIDTH: Final = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="URL", help="the server, for example http://127.0.0.1:7350")
    parser.add_argument(
        "--timeout",
        type=argument(duration(above=0, high=3600)),
        default=90.0,
        metavar="SECONDS",
        help="time limit for all checks together",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options.add_arguments(parser, SETTINGS, unset=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Run the checks and show the results. Return 0, 1 if a check failed, 5 if nothing answers."""
    settings = options.resolve(arguments, SETTINGS, host="URL")
    assert settings.target is not None
    world = World(settings.target, settings.credentials, settings.timeouts, settings.network, NullObserver())
    patient = Patient(world, random.getrandbits(32), settings.matchmaker_timeout)
    findings: list[Finding] = []
    code = 0
    with Console(stderr=True).status("") as status:

        def show_progress(name: str) -> None:
            status.update(f"checking {name}")

        try:
            with raised():
                # One at a time: an interrupt still shows the findings so far.
                for finding in examine(patient, CHECKS, arguments.timeout, show_progress):
                    findings.append(finding)  # noqa: PERF402
        except Interrupted as interrupted:
            code = interrupted.exit_code
            print(f"nakama-bots doctor: stopped by {interrupted}", file=sys.stderr)
        finally:
            status.update("deleting the accounts created for the checks")
            tidied = tidy(patient)
    findings += [tidied] if tidied else []
    code = code or _exit_code(findings)
    url = settings.target.http_url
    if arguments.json:
        checks = [asdict(finding) for finding in findings]
        print(json.dumps({"target": url, "exit_code": code, "checks": checks}, indent=2))
    else:
        _show(findings, url)
    return code


def _exit_code(findings: list[Finding]) -> int:
    failed = [finding for finding in findings if finding.status == "failed"]
    if any(finding.unreachable for finding in failed):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILURES if failed else ExitCode.PASSED


def _show(findings: list[Finding], url: str) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    table = Table(title=Text(url), title_justify="left")
    for name in ("check", "result", "found", "what to do"):
        table.add_column(name, overflow="fold", no_wrap=name in ("check", "result"))
    for finding in findings:
        # Text, not markup: some of it comes from the server.
        style = _STYLES[finding.status]
        table.add_row(
            finding.name,
            Text(finding.status, style),
            Text(safe_text(finding.found)),
            Text(safe_text(finding.advice), style),
            end_section=False,
        )
    console.print(table)
    console.print(_verdict(findings), highlight=False)


def _verdict(findings: list[Finding]) -> str:
    number = {status: sum(finding.status == status for finding in findings) for status in _STYLES}
    if number["failed"]:
        return (
            f"not ready: {number['failed']} failed, {number['skipped']} skipped, {number['warning']} warnings"
        )
    return f"ready: {number['ok']} ok, {number['warning']} warnings"
