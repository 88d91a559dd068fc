"""Ends a process before any load."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

import psutil

from nakama_bots.exit_codes import ExitCode


def stop_with(line: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    """End the process before any load, with one line on stderr."""
    print(f"nakama_bots: {line}", file=sys.stderr, flush=True)  # noqa: T201
    _end_workers()
    sys.exit(code)


def _end_workers() -> None:
    """End the forked workers of ``--processes``, which would otherwise wait minutes for another master."""
    this = psutil.Process()
    for child in this.children():
        with suppress(psutil.Error):
            if child.cmdline() == this.cmdline():
                child.kill()
