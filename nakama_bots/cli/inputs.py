"""Input that several commands share: values by kind, a window of a run, a file to write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import file_errors
from nakama_bots.results.files import write_whole
from nakama_bots.settings.options import Arguments
from nakama_bots.settings.values import Kind, duration, number


def argument(kind: Kind) -> Callable[[str], Any]:
    """Return an argparse type that reads values of ``kind``."""

    def read(text: str) -> Any:
        try:
            return kind.read(text)
        except ValueError:
            msg = f"{text!r} cannot be used; accepted: {kind.accepted}"
            raise argparse.ArgumentTypeError(msg) from None

    return read


def add_rows(
    parser: Arguments,
    rows: Iterable[tuple[str, Kind, str]],
    defaults: object,
    unset: Collection[str] = (),
) -> None:
    """Add an option for each row: a field of ``defaults``, how its text is read, and its help.

    One without a default, or in ``unset``, is not in the namespace unless it is given.
    """
    for name, kind, text in rows:
        default = getattr(defaults, name)
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=argument(kind),
            default=argparse.SUPPRESS if default in ("", None) or name in unset else default,
            metavar=name.rsplit("_", 1)[-1].upper(),
            help=text,
        )


seconds: Final = argument(duration())
"""An argparse type for a duration in seconds."""


def add_window(parser: argparse.ArgumentParser) -> None:
    """Add ``--warmup`` and ``--cooldown``."""
    for flag, end in (("--warmup", "start"), ("--cooldown", "end")):
        parser.add_argument(
            flag,
            metavar="SECONDS",
            type=seconds,
            default=0.0,
            help=f"seconds to leave out at the {end} of a run",
        )


def _percentage(text: str) -> float:
    percent: float = number(high=1000).read(text.strip().removesuffix("%"))
    return percent / 100


share: Final = argument(Kind(_percentage, "a percentage from 0 to 1000, such as 5 or 5%"))
"""An argparse type: ``5`` or ``5%`` is 0.05."""


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole, or to stdout for ``-``. Raises ``ConfigError`` if it cannot be written."""
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with file_errors("output", path, "a file in a writable folder"):
        write_whole(path, [text.encode()])
