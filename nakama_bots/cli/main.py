"""The entry of ``nakama-bots``: which subcommands there are, and how a bad argument ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, NoReturn

from nakama_bots.cli import (
    baseline,
    capacity,
    cleanup,
    compare,
    completion,
    doctor,
    emulator,
    fill,
    gate,
    history,
    init,
    report,
    scenarios,
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


_MODULES: Final[tuple[Any, ...]] = (
    baseline, capacity, cleanup, compare, completion, doctor, emulator, fill, gate, history, init, report,
    scenarios, schema, settings,
)  # fmt: skip
SUBCOMMANDS: Final[dict[str, Subcommand]] = {
    module.__name__.rpartition(".")[2]: Subcommand(module.HELP, module.add_arguments, module.run)
    for module in _MODULES
}


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        # "(default: None)" says nothing.
        return action.help if action.default in (None, [], "") else super()._get_help_string(action)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line that says what is accepted; argparse would put its usage before it.
        self.exit(ExitCode.USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The parser of every subcommand."""
    top = _Parser(prog="nakama-bots", description="Load testing and bots for the Nakama game server.")
    top.add_argument("--version", action="version", version=f"nakama-bots {version('nakama_bots')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(SUBCOMMANDS))
    for name, subcommand in SUBCOMMANDS.items():
        sub = commands.add_parser(
            name,
            help=subcommand.help,
            description=subcommand.help,
            formatter_class=_Formatter,
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
