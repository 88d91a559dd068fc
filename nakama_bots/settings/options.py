"""The settings as options of a command line, merged with environment and file.

Locust hands its options to the workers, so the merged values are written back into them: a worker needs
neither the environment variables nor the file.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from nakama_bots.errors import ConfigError
from nakama_bots.settings.config import (
    CONFIG_FLAG,
    CONFIG_VARIABLE,
    SETTINGS,
    Settings,
    Target,
    read_file,
    resolve_values,
)

NAMES: Final = tuple(setting.name for setting in SETTINGS)
_PREFIX = "nakama_"
_CONFIG_OPTION = CONFIG_FLAG.removeprefix("--").replace("-", "_")


class Arguments(Protocol):
    """A parser, or a group of one."""

    def add_argument(self, *names: str, **options: Any) -> Any:
        """As argparse has it."""


def add_arguments(parser: Arguments, names: Collection[str] = NAMES, *, unset: object = None) -> None:
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
        text = f"{setting.help} ({setting.variable}{shown})"
        parser.add_argument(setting.flag, dest=_PREFIX + setting.name, default=unset, help=text, **kind)
    parser.add_argument(
        CONFIG_FLAG,
        dest=_CONFIG_OPTION,
        default=unset,
        metavar="FILE",
        help=f"TOML file with a [nakama] table of these settings ({CONFIG_VARIABLE})",
    )


def resolve(options: Namespace, names: Collection[str] = NAMES, *, host: str = "--host") -> Settings:
    """Merge and check what was given; ``ConfigError`` names the first thing that is wrong.

    ``names`` are the settings that the command has. ``options.host``, which the user knows as ``host``, is the
    URL before all others.
    """
    given = {setting.name: getattr(options, _PREFIX + setting.name, None) for setting in SETTINGS}
    if options.host:
        Target.parse(options.host, name=host)
        given["url"] = options.host
    flag = getattr(options, _CONFIG_OPTION, None)
    file = flag or os.environ.get(CONFIG_VARIABLE)
    path = Path(file) if file else None
    try:
        values = resolve_values(given, os.environ, path)
    except ConfigError as error:
        if error.name == CONFIG_FLAG and not flag:
            raise ConfigError(CONFIG_VARIABLE, error.value, error.accepted) from None
        raise
    for name, check in _CHECKS.items():
        if name not in names:
            continue
        accepted = check(values[name])
        if accepted:
            raise ConfigError(_source(name, given, path), values[name], accepted)
    for name, value in values.items():
        setattr(options, _PREFIX + name, value)
    return Settings.from_values(values)


def _source(name: str, given: Mapping[str, object], file: Path | None) -> str:
    """What the user wrote to set it: the flag, the variable, or the file's key."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    if given[name] is not None:
        return setting.flag
    if setting.variable in os.environ:
        return setting.variable
    return f"{file}: {name}" if file is not None and name in read_file(file) else setting.flag


def _check_reports(folder: str) -> str:
    """A folder that cannot be written to must not cost the results of a whole run."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except (OSError, ValueError) as error:
        return f"a writable folder ({getattr(error, 'strerror', None) or error})"


def _check_ca(file: str) -> str:
    """Found out by every connection, this would be a failure of each."""
    try:
        if file:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:  # ssl.SSLError is one
        return "the path of a PEM file of CA certificates"
    return ""


# What only trying can tell; a check gives what would be accepted, or nothing when all is well.
_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {"reports": _check_reports, "tls_ca": _check_ca}


def resolved(options: Namespace) -> Settings:
    """The settings that ``resolve`` wrote into ``options``, here or in the master."""
    return Settings.from_values(
        {setting.name: getattr(options, _PREFIX + setting.name) for setting in SETTINGS}
    )


def public_values(options: Namespace) -> dict[str, str | int | float | bool | None]:
    """Every setting that may be shown: no key, and not the URL, which the report has as its target."""
    return {
        setting.name: getattr(options, _PREFIX + setting.name)
        for setting in SETTINGS
        if not setting.secret and setting.name != "url"
    }
