"""The entry point of ``nakama-bots``: its subcommands, and how bad arguments are reported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from nakama_bots import __version__
from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode

NAMES: Final = (
    "baseline", "capacity", "cleanup", "compare", "completion", "doctor", "emulator", "explain", "fill", "gate",
    "history", "init", "record", "report", "scenarios", "schema", "settings",
)  # fmt: skip


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        # "(default: None)" does not help.
        return action.help if action.default in (None, [], "") else super()._get_help_string(action)


class _CommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line that says what is accepted; argparse would print its usage first.
        self.exit(ExitCode.USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Return the parser for these subcommands, each of a module of its own: a run imports only what it needs.

    The module has ``HELP``, ``add_arguments(parser)`` and ``run(arguments)``, which returns the exit code.
    """
    top = _CommandParser(prog="nakama-bots", description="Load testing and bots for the Nakama game server.")
    top.add_argument("--version", action="version", version=f"nakama-bots {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(NAMES))
    for name in names:
        module: Any = importlib.import_module(f"nakama_bots.cli.{name}")
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP, formatter_class=_Formatter)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``nakama-bots`` with ``argv`` (default: the arguments of the process); returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser(given[:1] if given[:1] and given[0] in NAMES else NAMES).parse_args(given)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, a pager) has closed the pipe; the interpreter must not fail on it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except NakamaError as error:
        print(f"nakama-bots {arguments.command}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    return code
