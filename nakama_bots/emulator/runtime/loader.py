"""Runtime modules: Python files with ``def init_module(nk, initializer)``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

from nakama_bots.emulator.dispatch.realtime import MessageRow
from nakama_bots.emulator.modules import BUNDLED
from nakama_bots.emulator.runtime.nk import Initializer, Nk
from nakama_bots.emulator.store.core import Core
from nakama_bots.errors import ConfigError

_ACCEPTED: Final = "the path of a Python file with init_module(nk, initializer)"


def load(core: Core, paths: Iterable[str], messages: Iterable[MessageRow]) -> None:
    """Register the bundled modules, then those at ``paths``; ``ConfigError`` says which one fails, and why."""
    nk, initializer = Nk(core), Initializer(core, messages)
    for module in BUNDLED:
        module.init_module(nk, initializer)
    for path in paths:
        module = _import(path)
        init = getattr(module, "init_module", None)
        if not callable(init):
            raise ConfigError("--module", path, f"{_ACCEPTED} (it has no init_module)")
        try:
            init(nk, initializer)
        except Exception as error:
            raise ConfigError("--module", path, f"{_ACCEPTED} ({_reason(error)})") from error


def _import(path: str) -> ModuleType:
    file = Path(path)
    if not file.is_file():
        raise ConfigError("--module", path, f"{_ACCEPTED} (there is no such file)")
    name = f"nakama_module_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError("--module", path, f"{_ACCEPTED} (its name does not end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError("--module", path, f"{_ACCEPTED} ({_reason(error)})") from error
    return module


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
