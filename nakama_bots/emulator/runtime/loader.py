"""Runtime modules: Lua as a real server has it, or Python files with ``def init_module(nk, initializer)``.

A folder corresponds to a real server's runtime path: all its Lua files are loaded, in order of their names.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from nakama_bots.emulator.dispatch.realtime import MessageRow
from nakama_bots.emulator.runtime.functions import FUNCTIONS, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import Hooks
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.nk import Nk
from nakama_bots.emulator.store.core import Core
from nakama_bots.errors import ConfigError

if TYPE_CHECKING:
    from nakama_bots.emulator.runtime.lua.module import LuaModules

_FLAG: Final = "--module"
_PYTHON: Final = "a Python file with init_module(nk, initializer)"
_LUA: Final = "a Lua file, a folder of Lua files"
_ACCEPTED: Final = f"the path of {_PYTHON}, {_LUA}"


def bundled() -> Path:
    """Return the folder of the bundled Lua modules: beside the package in a checkout, in it when installed."""
    inside = Path(__file__).parents[2] / "bundled" / "nakama_modules"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "nakama_modules"


def load(core: Core, paths: Iterable[str], messages: Iterable[MessageRow]) -> None:
    """Register the bundled modules, then those at ``paths``; ``ConfigError`` says which one fails, and why."""
    nk, initializer = Nk(core), Initializer(core, messages)
    lua = _lua(core, nk, initializer)
    given = [(path, Path(path)) for path in paths]
    for text, path in given:
        if path.is_dir() or path.suffix.lower() == ".lua":
            _add_lua(lua, text, path)
    try:
        lua.load()
    except RuntimeFunctionError as error:
        named = ", ".join(text for text, path in given if path.suffix != ".py")
        raise ConfigError(_FLAG, named, f"Lua modules that load ({_line(error.message)})") from None
    for text, path in given:
        if not (path.is_dir() or path.suffix.lower() == ".lua"):
            _load_python(text, path, nk, initializer)


def stamps(paths: Iterable[str]) -> dict[str, int]:
    """Return when each file of the modules was last changed."""
    found: dict[str, int] = {}
    for path in map(Path, paths):
        root = path if path.is_dir() else path.parent
        for file in [path, *root.rglob("*.lua"), *root.rglob("*.py")]:
            with contextlib.suppress(OSError):
                found[str(file)] = file.stat().st_mtime_ns
    return found


def reload(core: Core, paths: Iterable[str], messages: Iterable[MessageRow]) -> None:
    """Reload all modules into a running server. On ``ConfigError`` the old ones stay.

    Running matches continue with the code that they started with.
    """
    matches = core.matches
    before = (core.functions, core.hooks, matches.handlers, matches.resolve)
    once = core.hooks.ran_once
    core.functions, core.hooks, matches.handlers = dict(FUNCTIONS), Hooks(ran_once=once), {}
    try:
        load(core, paths, messages)
    except ConfigError:
        core.functions, core.hooks, matches.handlers, matches.resolve = before
        raise


def _lua(core: Core, nk: Nk, initializer: Initializer) -> LuaModules:
    """Return the Lua modules, including the bundled ones."""
    try:
        from nakama_bots.emulator.runtime.lua.module import LuaModules  # noqa: PLC0415 - it needs lupa
    except ImportError as error:
        raise ConfigError(_FLAG, "lupa", f"lupa with Lua 5.1, which the emulator needs ({error})") from None
    lua = LuaModules(core, nk, initializer)
    for path in sorted(bundled().glob("*.lua")):
        lua.add(path.stem, path)
    return lua


def _add_lua(lua: LuaModules, text: str, path: Path) -> None:
    """Add a file, which may require other files of its folder, or all files of a folder."""
    root = path if path.is_dir() else path.parent
    files = sorted(path.rglob("*.lua")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} (the folder has no Lua file)")
    lua.look_in(root)
    for file in files:
        name = ".".join(file.relative_to(root).with_suffix("").parts)
        try:
            lua.add(name, file)
        except OSError as error:
            raise ConfigError(_FLAG, text, f"{_ACCEPTED} ({error.strerror})") from None


def _load_python(text: str, path: Path, nk: Nk, initializer: Initializer) -> None:
    module = _import(text, path)
    init = getattr(module, "init_module", None)
    if not callable(init):
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} (it has no init_module)")
    try:
        init(nk, initializer)
    except Exception as error:
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} ({_reason(error)})") from error


def _import(text: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} (the file does not exist)")
    name = f"nakama_module_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} (its name ends in neither .py nor .lua)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(_FLAG, text, f"{_ACCEPTED} ({_reason(error)})") from error
    return module


def _reason(error: BaseException) -> str:
    return _line(f"{type(error).__name__}: {error}")


def _line(text: str) -> str:
    return " ".join(text.split())
