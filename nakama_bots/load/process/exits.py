"""Ends a process before any load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import psutil

from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode


def stop_with(line: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    """End the process before any load, with one line on stderr."""
    print(f"nakama_bots: {line}", file=sys.stderr, flush=True)  # noqa: T201
    _end_workers()
    sys.exit(code)


@contextmanager
def usage_errors() -> Iterator[None]:
    """End the process with the text of any error of ours."""
    try:
        yield
    except NakamaError as error:
        stop_with(str(error))


def _end_workers() -> None:
    """End the forked workers of ``--processes``, which would otherwise wait minutes for another master."""
    this = psutil.Process()
    for child in this.children():
        with suppress(psutil.Error):
            if child.cmdline() == this.cmdline():
                child.kill()
