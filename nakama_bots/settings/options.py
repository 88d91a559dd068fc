"""The settings as options of a command line."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Protocol

from nakama_bots.errors import ConfigError
from nakama_bots.settings.resolve import CONFIG_FLAG, CONFIG_VARIABLE, Settings
from nakama_bots.settings.table import BY_NAME, SETTINGS
from nakama_bots.settings.target import Target

_PREFIX: Final = "nakama_"
_CONFIG_OPTION: Final = CONFIG_FLAG.removeprefix("--").replace("-", "_")


class Arguments(Protocol):
    """A parser or an argument group."""

    def add_argument(self, *names: str, **options: Any) -> Any:
        """As argparse has it."""


def add_arguments(parser: Arguments, names: Collection[str] = BY_NAME.keys(), *, unset: object = None) -> None:
    """Add ``--nakama-...`` for the settings of these names, and the one that names the file.

    ``unset`` stands for what was not given: ``argparse.SUPPRESS`` where the help shows every other default.
    """
    for setting in SETTINGS:
        if setting.name not in names:
            continue
        shown = "" if setting.secret or setting.default in ("", False) else f"; default {setting.default}"
        kind: dict[str, Any] = {"metavar": setting.name.upper()}
        if setting.default is False:
            kind = {"nargs": "?", "const": True}
        if setting.many:
            kind = {"action": "append", "metavar": "FILE"}
        text = f"{setting.help} ({setting.variable}{shown})"
        parser.add_argument(setting.flag, dest=_PREFIX + setting.name, default=unset, help=text, **kind)
    parser.add_argument(
        CONFIG_FLAG,
        dest=_CONFIG_OPTION,
        default=unset,
        metavar="FILE",
        help=f"TOML file with a [nakama] table of these settings ({CONFIG_VARIABLE})",
    )


def resolve(options: Namespace, names: Collection[str] = BY_NAME.keys(), *, host: str = "--host") -> Settings:
    """Merge and check the settings. Raises ``ConfigError``, which names the first mistake.

    ``names`` are the settings that the command has. ``options.host``, which the user knows as ``host``, is the
    URL before all others.
    """
    given = {setting.name: getattr(options, _PREFIX + setting.name, None) for setting in SETTINGS}
    url = getattr(options, "host", None)
    if url:
        Target.parse(url, name=host)
        given["url"] = url
    flag = getattr(options, _CONFIG_OPTION, None)
    file = flag or os.environ.get(CONFIG_VARIABLE)
    try:
        return Settings.resolve(given, os.environ, Path(file) if file else None, names)
    except ConfigError as error:
        if error.name == CONFIG_FLAG and not flag:
            raise ConfigError(CONFIG_VARIABLE, error.value, error.accepted) from None
        raise
