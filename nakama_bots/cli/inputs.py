"""What the commands that read runs have in common."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nakama_bots.errors import ConfigError
from nakama_bots.results.run_folder import write_whole


def add_window(parser: argparse.ArgumentParser) -> None:
    """``--warmup`` and ``--cooldown``."""
    for flag, end in (("--warmup", "begin"), ("--cooldown", "end")):
        parser.add_argument(
            flag, metavar="SECONDS", type=seconds, default=0.0, help=f"left out at a run's {end}"
        )


def share(text: str) -> float:
    """An argparse type: ``5`` or ``5%`` is 0.05."""
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 1000:
        msg = f"{text!r} is not accepted; a percentage from 0 to 1000 is"
        raise argparse.ArgumentTypeError(msg)
    return percent / 100


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or to stdout for ``-``; ``ConfigError`` when it cannot be written."""
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        write_whole(path, [text.encode()])
    except OSError as error:
        accepted = f"a file in a folder that can be written ({error.strerror})"
        raise ConfigError("output", str(path), accepted) from None


def seconds(text: str) -> float:
    """An argparse type: a number of seconds from 0 on."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        msg = f"{text!r} is not accepted; a number of seconds from 0 on is"
        raise argparse.ArgumentTypeError(msg)
    return number
