"""``nakama-bots settings``: list the settings of a Locust run, by all their names.

Locust answers ``--help`` before it reads the locustfile, and so does not list them.
"""

from __future__ import annotations

import argparse
import textwrap
from typing import Final

from nakama_bots.settings.resolve import CONFIG_FLAG, CONFIG_VARIABLE
from nakama_bots.settings.table import SETTINGS, Setting

_WIDTH: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: there are no options."""


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """Print the list."""
    print(f"Command line, then environment, then the [nakama] table of the TOML file that {CONFIG_FLAG} or")
    print(f"{CONFIG_VARIABLE} names, then the default.")
    for setting in SETTINGS:
        print("\n" + _entry(setting))
    return 0


def _entry(setting: Setting) -> str:
    text = f"{setting.help}; {setting.kind.accepted}; default {_default(setting)}"
    body = textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return f"{setting.flag}   {setting.variable}   {setting.name} = ..\n{body}"


def _default(setting: Setting) -> str:
    if setting.default == "":
        return "none"
    return str(setting.default).lower() if isinstance(setting.default, bool) else str(setting.default)
