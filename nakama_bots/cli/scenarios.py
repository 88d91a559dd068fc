"""``nakama-bots scenarios``: list, locate or copy the scenarios that come with the package."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.bundled import copy_scenario, find_scenario, scenarios

ACTIONS: Final = ("list", "path", "copy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = 'Run one without a copy: locust -f "$(nakama-bots scenarios path duel)" --headless'
    parser.add_argument("action", choices=ACTIONS, nargs="?", default="list", help="what to do (%(default)s)")
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the scenario, for path and copy")
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, default=Path("scenarios"), help="folder for the copy (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        _list()
        return ExitCode.PASSED
    if arguments.name is None:
        raise ConfigError("NAME", None, "the name of a scenario that `nakama-bots scenarios` lists")
    if arguments.action == "path":
        print(find_scenario(arguments.name).path)
    else:
        path = copy_scenario(arguments.name, arguments.to)
        print(f"wrote {path}\n\nNext: locust -f {path} --headless --users 4 --run-time 30s")
    return ExitCode.PASSED


def _list() -> None:
    found = scenarios()
    width = max(len(one.name) for one in found)
    for one in found:
        print(f"{one.name:<{width}}  {one.summary}")
        print(f"{'':<{width}}  {' '.join(one.classes)}{f' (needs {one.needs})' if one.needs else ''}")
