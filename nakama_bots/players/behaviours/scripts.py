"""Finds behaviours by name: a file, a module, or an entry point of an installed package."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError
from nakama_bots.players.behaviours.behaviour import HOOKS, Behaviour, Make, Script, Together, check_hooks

ENTRY_POINTS: Final = "nakama_bots.behaviours"
ACCEPTED: Final = f"FILE.py:NAME, MODULE:NAME, or the name of an entry point of {ENTRY_POINTS}"
_FLAG: Final = "--script"
_NO_PATCH: Final = "LOCUST_SKIP_MONKEY_PATCH"


def load(names: Sequence[str]) -> Make:
    """A factory of a bot's behaviour, which combines all ``names``; ``ConfigError`` for a bad name."""
    found = [_load(name) for name in names]

    def make() -> Behaviour:
        return Together(*(Script(one) if inspect.isgeneratorfunction(one) else one() for one in found))

    # A failing constructor fails here, before any bot connects.
    try:
        make()
    except Exception as error:  # a user's code may raise anything
        raise ConfigError(_FLAG, ", ".join(names), f"a class that can be created ({error})") from error
    return make


def _load(name: str) -> Any:
    place, colon, member = name.rpartition(":")
    if not colon:
        entries = importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)
        if not entries:
            known = ", ".join(sorted(importlib.metadata.entry_points(group=ENTRY_POINTS).names))
            raise ConfigError(_FLAG, name, f"{ACCEPTED} (there are: {known})")
        return next(iter(entries)).load()
    try:
        module = module_of(place)
        found = getattr(module, member)
    except AttributeError:
        raise ConfigError(_FLAG, name, f"the name of a class or generator function in {place}") from None
    except Exception as error:  # an import runs a user's code
        raise ConfigError(_FLAG, name, f"{ACCEPTED} ({error})") from error
    if not (inspect.isgeneratorfunction(found) or inspect.isclass(found)):
        raise ConfigError(_FLAG, name, "a class or a generator function")
    if inspect.isclass(found):
        _check_class(name, found, module)
    return found


def _check_class(name: str, found: type, module: Any) -> None:
    if any(one.__module__.partition(".")[0] == "locust" for one in found.__mro__):
        others = [key for key, one in vars(module).items() if _is_behaviour(one)]
        instead = (
            f"such as {name.rpartition(':')[0]}:{others[0]}" if others else "a class derived from Behaviour"
        )
        raise ConfigError(
            _FLAG, name, f"a behaviour, {instead}; {found.__name__} is a Locust user class, for locust -f"
        )
    if not any(callable(getattr(found, hook, None)) for hook in HOOKS):
        raise ConfigError(_FLAG, name, f"a class with any of {', '.join(HOOKS)}")
    check_hooks(found)


def _is_behaviour(one: object) -> bool:
    return inspect.isclass(one) and issubclass(one, Behaviour) and one is not Behaviour


def module_of(place: str) -> Any:
    """The module of a file or by its name, without Locust's patches."""
    # The file may also hold a Locust user class. Locust would patch what this process already uses.
    before = os.environ.get(_NO_PATCH)
    os.environ[_NO_PATCH] = "1"
    try:
        return _imported(place)
    finally:
        if before is None:
            del os.environ[_NO_PATCH]
        else:
            os.environ[_NO_PATCH] = before


def _imported(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place)
    spec = importlib.util.spec_from_file_location(f"nakama_bots_script_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
