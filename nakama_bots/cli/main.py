"""The entry of ``nakama-bots``: which subcommands there are, and how a bad argument ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from nakama_bots.cli import (
    baseline,
    cleanup,
    compare,
    doctor,
    emulator,
    fill,
    gate,
    history,
    report,
    schema,
    settings,
)
from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One word after ``nakama-bots``: its line of help, its arguments, what it does (returns the exit code)."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


SUBCOMMANDS: Final[dict[str, Subcommand]] = {
    "baseline": Subcommand(baseline.HELP, baseline.add_arguments, baseline.run),
    "cleanup": Subcommand(cleanup.HELP, cleanup.add_arguments, cleanup.run),
    "compare": Subcommand(compare.HELP, compare.add_arguments, compare.run),
    "doctor": Subcommand(doctor.HELP, doctor.add_arguments, doctor.run),
    "emulator": Subcommand(emulator.HELP, emulator.add_arguments, emulator.run),
    "fill": Subcommand(fill.HELP, fill.add_arguments, fill.run),
    "gate": Subcommand(gate.HELP, gate.add_arguments, gate.run),
    "history": Subcommand(history.HELP, history.add_arguments, history.run),
    "report": Subcommand(report.HELP, report.add_arguments, report.run),
    "schema": Subcommand(schema.HELP, schema.add_arguments, schema.run),
    "settings": Subcommand(settings.HELP, settings.add_arguments, settings.run),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line that says what is accepted; argparse would put its usage before it.
        self.exit(ExitCode.USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The parser of every subcommand."""
    top = _Parser(prog="nakama-bots", description="Load testing and bots for the Nakama game server.")
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(SUBCOMMANDS))
    for name, subcommand in SUBCOMMANDS.items():
        sub = commands.add_parser(
            name,
            help=subcommand.help,
            description=subcommand.help,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        subcommand.add_arguments(sub)
        sub.set_defaults(run=subcommand.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``nakama-bots`` with ``argv`` (default: the process's arguments); returns the exit code."""
    arguments = parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads (head, a pager) has seen enough; the interpreter must not fail on it at exit again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except NakamaError as error:
        print(f"nakama-bots {arguments.command}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    return code
