"""``nakama-bots completion``: a completion script for a shell."""

from __future__ import annotations

import argparse
from typing import Final

import shtab

from nakama_bots.exit_codes import ExitCode

HELP: Final = 'print a completion script, for example: eval "$(nakama-bots completion bash)"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="your shell")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from nakama_bots.cli.main import parser  # noqa: PLC0415  -- which imports this module

    print(shtab.complete(parser(), arguments.shell))
    return ExitCode.PASSED
