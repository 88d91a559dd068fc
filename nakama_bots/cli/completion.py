"""``nakama-bots completion``: a completion script for a shell."""

from __future__ import annotations

import argparse
from typing import Final

from nakama_bots.exit_codes import ExitCode

SHELLS: Final = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="your shell")


def run(arguments: argparse.Namespace) -> int:
    # Imported here: only this subcommand needs it, and the module of the parser imports this one.
    import shtab  # noqa: PLC0415

    from nakama_bots.cli.main import parser  # noqa: PLC0415

    print(shtab.complete(parser(), arguments.shell))
    return ExitCode.PASSED
