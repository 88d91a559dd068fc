"""Settings from their sources, checked: command line > environment (``NAKAMA_*``) > file (TOML) > default.

Resolved once, in the process that the user started, into one ``Settings``; workers use its ``values``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError
from nakama_bots.settings.database import Database
from nakama_bots.settings.exports import Collector, Listen, Sink, Webhook
from nakama_bots.settings.health_limits import HealthLimits
from nakama_bots.settings.load_profile import PROFILE_FLAG, LoadProfile
from nakama_bots.settings.locales import Locales
from nakama_bots.settings.network import Limits, Network, Tls
from nakama_bots.settings.table import BY_NAME, SETTINGS, Setting
from nakama_bots.settings.target import Credentials, Target, Timeouts
from nakama_bots.settings.toml_file import TomlFile
from nakama_bots.settings.values import one_of

CONFIG_FLAG: Final = "--nakama-config"
CONFIG_VARIABLE: Final = "NAKAMA_CONFIG"
TABLE: Final = "nakama"

PlainValues = Mapping[str, Any]
"""Every setting by name: texts, numbers and booleans."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. Created by ``Settings.resolve``; ``target`` is None if no server was named."""

    target: Target | None
    credentials: Credentials
    timeouts: Timeouts
    network: Network
    id_prefix: str
    seed: int
    locales: Locales
    rest_transport: str
    tick_rate: float
    match_seconds: float
    matchmaker_timeout: float
    matchmaker_interval: float
    hold_seconds: float
    go_rpc: str
    emulator_matchmaker_interval: float
    emulator_module: tuple[str, ...]
    load: LoadProfile | None
    require: int
    reports: Path
    worker_logs: Path | None
    gate: Path | None
    allow_emulator: bool
    allow_handler_failures: bool
    health_limits: HealthLimits
    metrics: Target | None
    metrics_interval: float
    node_metrics: Target | None
    server_log: Path | None
    db: Database | None = field(repr=False)
    live: str
    live_interval: float
    prometheus: Listen | None
    timeline: Sink | None
    otlp: Collector | None
    webhook: Webhook | None = field(repr=False)
    request_samples: int
    traces: int
    wait_for_server: float
    allowed_hosts: tuple[str, ...]
    max_users: int
    confirm_target: str
    values: PlainValues = field(repr=False)
    """The same as plain values, keys included: for the workers, never to be shown."""

    @classmethod
    def resolve(
        cls,
        command_line: Mapping[str, object],
        environment: Mapping[str, str],
        file: Path | None = None,
        attempt: Collection[str] = (),
    ) -> Settings:
        """Merge and check; ``command_line`` holds what was given there, by setting name (None: not given).

        The settings in ``attempt`` are tried as well: a folder is written to, certificates are loaded.
        ``ConfigError`` names the first thing that is wrong, as the user wrote it.
        """
        source = _Sources(command_line, environment, _table(file) if file is not None else None)
        values = {setting.name: source.value(setting) for setting in SETTINGS}
        if values["profile"]:
            if values["load"]:
                accepted = f"nothing beside --nakama-load {values['load']}"
                raise ConfigError(PROFILE_FLAG, values["profile"], accepted)
            values["load"] = LoadProfile.read(Path(values["profile"])).text
        for name in ("node_metrics", "db"):
            if values[name] and not values["metrics"]:
                raise BY_NAME[name].refused(source.written[name], values[name], "--nakama-metrics beside it")
        for name in attempt:
            accepted = BY_NAME[name].attempt(values[name])
            if accepted:
                raise BY_NAME[name].refused(source.written[name], values[name], accepted)
        return cls.of(values)

    @classmethod
    def of(cls, values: PlainValues) -> Settings:
        """Return the settings for these checked ``values``."""
        made = {setting.name: setting.make(values[setting.name]) for setting in SETTINGS}
        del made["profile"]  # "load" is what it says

        def take(*names: str) -> tuple[Any, ...]:
            return tuple(made.pop(name) for name in names)

        return cls(
            target=made.pop("url"),
            credentials=Credentials(*take("server_key", "http_key")),
            timeouts=Timeouts(
                *take("connect_timeout", "request_timeout", "heartbeat_interval", "heartbeat_timeout")
            ),
            network=Network(
                Tls(*take("tls_ca", "tls_insecure")),
                Limits(*take("max_headers", "max_body", "max_received", "max_sent")),
                made.pop("proxy"),
            ),
            values=values,
            **made,
        )

    @property
    def public_values(self) -> dict[str, Any]:
        """Every setting that may be shown: no key, and not the URL, which a report has as its target."""
        return {
            setting.name: self.values[setting.name]
            for setting in SETTINGS
            if not setting.secret and setting.name != "url"
        }


class _Sources:
    """Where values come from; ``written`` is what the user wrote to set each, or its flag."""

    def __init__(
        self, command_line: Mapping[str, object], environment: Mapping[str, str], file: TomlFile | None
    ) -> None:
        self.written: dict[str, str] = {}
        self._command_line = command_line
        self._environment = environment
        self._file = file
        self._table = file.content[TABLE] if file is not None else {}

    def value(self, setting: Setting) -> Any:
        name = setting.name
        written = setting.flag
        given = self._command_line.get(name)
        if given is not None:
            if setting.secret and isinstance(given, str):
                given = read_secret(written, given)
        elif setting.variable in self._environment:
            written, given = setting.variable, self._environment[setting.variable]
        elif self._file is not None and name in self._table:
            written = f"{self._file.name} line {self._file.line((TABLE, name))}: {name}"
            given = self._table[name]
        self.written[name] = written
        return setting.default if given is None else setting.read(written, given)


def read_secret(flag: str, given: str) -> str:
    """The key that ``given`` stands for: itself, what is in ``@FILE``, or for ``-`` a line of standard input.

    Every user of a machine can read the command lines of its processes.
    """
    if given == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if not given.startswith("@"):
        return given
    try:
        key = Path(given[1:]).read_text(encoding="utf-8").rstrip("\r\n")
        reason = "" if key and "\n" not in key else "it has to be one line"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
    if reason:
        # Without the path: it may be a key that begins with @.
        raise ConfigError(flag, "@<hidden>", f"a key, or @ and the path of a file with it ({reason})")
    return key


def _table(path: Path) -> TomlFile:
    """The file of settings; unknown keys are errors, or a typing slip would go unnoticed."""
    file = TomlFile.read(path, CONFIG_FLAG)
    for key in file.table(TABLE, CONFIG_FLAG):
        if key not in BY_NAME:
            raise file.refused((TABLE, key), f"[{TABLE}]", key, one_of(BY_NAME, key))
    return file
