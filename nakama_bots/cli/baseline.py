"""``nakama-bots baseline promote``: save a run as the baseline that later runs are compared with."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from nakama_bots.cli.inputs import add_window, argument
from nakama_bots.errors import ConfigError
from nakama_bots.results.compare.profile import baseline_of, read_profile, write_baseline
from nakama_bots.settings.values import text_that

_NAME: Final = text_that(
    re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*").fullmatch, "letters, digits, '_', '.' and '-'"
)
_FOLDER: Final = Path("reports/baselines")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="promote")
    promote = actions.add_parser("promote", help="save a run as a baseline")
    promote.add_argument("run_folder", metavar="RUN", type=Path, help="the folder of a run")
    promote.add_argument(
        "--name",
        metavar="NAME",
        type=argument(_NAME),
        help="file name without .json (default: the run folder's)",
    )
    promote.add_argument(
        "--baselines", metavar="FOLDER", type=Path, default=_FOLDER, help="folder to write the file to"
    )
    promote.add_argument("--force", action="store_true", help="replace a file of the same name")
    add_window(promote)


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.run_folder
    if not folder.is_dir():
        raise ConfigError("RUN", str(folder), "the folder of a run")
    path = arguments.baselines / f"{arguments.name or folder.resolve().name}.json"
    if path.exists() and not arguments.force:
        raise ConfigError("--name", str(path), "a name that no file has yet, or --force")
    baseline = baseline_of(read_profile(folder, warmup=arguments.warmup, cooldown=arguments.cooldown))
    write_baseline(path, baseline)
    print(f"{path}: {len(baseline['rows'])} names, {path.stat().st_size:,} bytes")
    return 0
