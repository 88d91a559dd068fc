"""The entry point of ``nakama-bots``: its subcommands, and how bad arguments are reported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NoReturn

from nakama_bots import __version__
from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode

SUBCOMMANDS: Final = {
    "baseline": "save a run as a baseline: a small file to commit, which later runs are compared with",
    "capacity": "find the number of players that a server can hold, by trial runs that a gate judges",
    "cleanup": "list the accounts that bots with a prefix created, and their groups; --delete deletes them",
    "compare": "compare a run with its baselines: regressed, improved, same or too noisy, name by name",
    "completion": 'print a completion script, for example: eval "$(nakama-bots completion bash)"',
    "doctor": "check a server: keys, TLS, login, socket, matchmaker, match, clock; say how to fix failures",
    "emulator": "run a stand-in for a Nakama server (its behaviour only, not its speed or durability)",
    "explain": "explain the slowest calls of a run that was started with --nakama-traces",
    "fill": "keep lobbies filled with bots, which make room for humans",
    "gate": "judge a finished run by a gate file; exit code 0 passed, 3 failed, 4 invalid, 5 nothing answered",
    "history": "add runs to a history, and show each figure over the last runs and where it changed",
    "init": "set up a load test in this repository: locustfile, scenario, settings, gate, CI and compose files",
    "record": "record a game client's session through a proxy, and write it as a scenario",
    "report": "write the HTML report of a run, or of several side by side, as one file",
    "scenarios": "list the bundled scenarios, print the path of one, or copy one to edit it",
    "schema": "print the JSON Schema of a file that a run writes",
    "settings": "list the settings of a Locust run: flag, environment variable, default, what is accepted",
}
"""Each is a module that has ``add_arguments(parser)`` and ``run(arguments)``, which returns the exit code."""


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        # "(default: None)" does not help.
        return action.help if action.default in (None, [], "") else super()._get_help_string(action)


class _CommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line that says what is accepted; argparse would print its usage first.
        self.exit(ExitCode.USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser(used: Collection[str] = SUBCOMMANDS.keys()) -> argparse.ArgumentParser:
    """Return the parser. Subcommands that are not ``used`` are only listed: their modules are not imported."""
    top = _CommandParser(prog="nakama-bots", description="Load testing and bots for the Nakama game server.")
    top.add_argument("--version", action="version", version=f"nakama-bots {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(SUBCOMMANDS))
    for name, text in SUBCOMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text, formatter_class=_Formatter)
        if name in used:
            module: Any = importlib.import_module(f"nakama_bots.cli.{name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``nakama-bots`` with ``argv`` (default: the arguments of the process); returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser(given).parse_args(given)
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
