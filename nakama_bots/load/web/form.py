"""Our fields of Locust's start form: what they show, how they are checked, and what a start makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar, cast

from locust import User
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_STOPPED
from locust.web import WebUI

from nakama_bots.errors import ConfigError
from nakama_bots.load.run_registry import options_of, runner_of
from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.settings import guard
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.table import BY_NAME
from nakama_bots.settings.target import Target
from nakama_bots.settings.values import one_of

N = TypeVar("N", int, float)

PREFIX: Final = "nakama_"
SCENARIO: Final = PREFIX + "scenario"
ALL: Final = "all"
FIELDS: Final[dict[str, str]] = {
    "load": "in place of users and ramp up, such as stages:50/30s,50/2m,0/30s",
    "gate": "path of a TOML file with rules that the run must pass",
    "seed": "of identities and personas",
    "tick_rate": "match state sends a second",
    "match_seconds": "how long a match is played",
}
"""The settings that a user may change from run to run, and their help in the form."""

_IDLE: Final = (STATE_INIT, STATE_STOPPED)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a start form asks for: the settings of the next run, and its user classes."""

    settings: Settings
    user_classes: tuple[type[User], ...]
    target: Target | None
    """The host in the form; None if it has none."""


class StartForm:
    """The form of one process. ``settings`` are those that the process was started with.

    ``check_target`` raises ``ConfigError`` if a target may not be used.
    """

    def __init__(
        self, environment: Environment, settings: Settings, check_target: Callable[[Target], None]
    ) -> None:
        self._environment = environment
        self._settings = settings
        self._check_target = check_target
        self._values = {name: settings.values[name] for name in FIELDS}
        self._default = tuple(environment.user_classes)
        self._classes = _selectable(environment)
        self._scenario = ALL

    def show(self, web_ui: WebUI) -> None:
        """Add the fields to Locust's form, with the values of the last run."""
        update = web_ui.update_template_args

        def update_with_ours() -> None:
            update()  # type: ignore[no-untyped-call]
            web_ui.template_args["extra_options"] |= self._options()

        web_ui.update_template_args = update_with_ours  # type: ignore[method-assign]

    @property
    def changeable(self) -> bool:
        """True between two runs: the form of a running test changes its users only."""
        return runner_of(self._environment).state in _IDLE

    def read(self, form: Mapping[str, str]) -> Choice:
        """Return what ``form`` asks for; ``ConfigError`` names the first field that is wrong."""
        target = self.check_host(form)
        self._check_users(form)
        self._check_rate(form)
        values = {name: self._read_value(name, form) for name in FIELDS}
        return Choice(Settings.of({**self._settings.values, **values}), self._read_classes(form), target)

    def errors(self, form: Mapping[str, str]) -> dict[str, str]:
        """Return what is wrong with each field, by its name."""
        found: dict[str, str] = {}
        checks: dict[str, Callable[[], object]] = {
            "host": lambda: self.check_host(form),
            "user_count": lambda: self._check_users(form),
            "spawn_rate": lambda: self._check_rate(form),
            SCENARIO: lambda: self._read_classes(form),
            **{PREFIX + name: partial(self._read_value, name, form) for name in FIELDS},
        }
        for field, check in checks.items():
            try:
                check()
            except ConfigError as error:
                # An error of a gate file names the file and the line.
                found[field] = f"accepted: {error.accepted}" if error.name == field else str(error)
        return found

    def keep(self, choice: Choice) -> None:
        """Show the values of ``choice`` from now on."""
        self._values = {name: choice.settings.values[name] for name in FIELDS}
        names = [found.__name__ for found in choice.user_classes]
        self._scenario = names[0] if choice.user_classes != self._default else ALL

    def _options(self) -> dict[str, dict[str, Any]]:
        texts = {PREFIX + name: (str(self._values[name]), text, None) for name, text in FIELDS.items()}
        fields: dict[str, tuple[str, str, list[str] | None]] = {}
        if len(self._classes) > 1:
            fields[SCENARIO] = (self._scenario, "the players of the run", [ALL, *sorted(self._classes)])
        return {
            name: {
                "default_value": value, "choices": choices, "help_text": text,
                "is_secret": False, "is_required": False, "is_multiple": False,
            }
            for name, (value, text, choices) in (fields | texts).items()
        }  # fmt: skip

    def check_host(self, form: Mapping[str, str]) -> Target | None:
        """Return the target in ``form``, if any; ``ConfigError`` if it may not be used."""
        if "host" not in form:
            return None
        target = Target.parse(form["host"], name="host")
        self._check_target(target)
        return target

    def _check_users(self, form: Mapping[str, str]) -> None:
        if "user_count" in form:
            guard.check_users(self._settings, _number(form, "user_count", int, _USERS))

    def _check_rate(self, form: Mapping[str, str]) -> None:
        if "spawn_rate" in form:
            rate = _number(form, "spawn_rate", float, _RATE)
            if not 0 < rate < math.inf:
                raise ConfigError("spawn_rate", rate, _RATE)

    def _read_value(self, name: str, form: Mapping[str, str]) -> Any:
        field = PREFIX + name
        given = form.get(field, "").strip()
        if field not in form:
            return self._settings.values[name]
        if not given and self._settings.values[name] != "":
            raise ConfigError(field, given, BY_NAME[name].kind.accepted)
        value = BY_NAME[name].read(field, given)
        if name == "gate" and value:
            read_gate(BY_NAME[name].make(value), allow_emulator=self._settings.allow_emulator)
        return value

    def _read_classes(self, form: Mapping[str, str]) -> tuple[type[User], ...]:
        name = form.get(SCENARIO) or ALL
        if name == ALL:
            return self._default
        if name not in self._classes:
            raise ConfigError(SCENARIO, name, one_of((ALL, *self._classes), name))
        return (self._classes[name],)


def _selectable(environment: Environment) -> dict[str, type[User]]:
    """Return the user classes that a form may start alone; none where Locust's own options select them."""
    options = options_of(environment)
    if options.class_picker or options.tags or options.exclude_tags:
        return {}
    if options.user_classes:
        return {found.__name__: found for found in environment.user_classes}
    # Typed as instances in Locust.
    return dict(cast("Mapping[str, type[User]]", environment.available_user_classes or {}))


_USERS: Final = "a whole number from 0"
_RATE: Final = "a number above 0: users started a second"


def _number(form: Mapping[str, str], name: str, read: Callable[[str], N], accepted: str) -> N:
    try:
        return read(form[name])
    except ValueError:
        raise ConfigError(name, form[name], accepted) from None
