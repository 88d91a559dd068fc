"""A Lua state: its modules, and bounded calls into it.

A call that runs too many instructions, uses too much memory or recurses too deeply fails with an error; the
state and the emulator continue to work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lupa.lua51 import LuaError, LuaMemoryError, LuaRuntime, lua_type

from nakama_bots.emulator.runtime.functions import LOG, RuntimeFunctionError
from nakama_bots.emulator.runtime.lua.values import Unconvertible, decode, encode, from_lua, to_lua

_FOLDER: Final = Path(__file__).parent
_INTERNAL: Final = 13
_NO_MEMORY: Final = b"not enough memory"
_COMPILED: Final = b"\x1b"
_LOG = logging.getLogger(__name__)

# Values passed between the engine and nk functions: a Lua function, a Lua table.
LuaFunction = Any
LuaTable = Any


class LuaFailure(RuntimeFunctionError):
    """The error of a Lua function, and its place (``place``, such as "game.lua:7: ").

    ``deliberate``: the module raised it with a code, so it is not logged.
    """

    def __init__(
        self, message: str, code: int = _INTERNAL, *, deliberate: bool = False, place: str = ""
    ) -> None:
        super().__init__(message, code)
        self.deliberate = deliberate
        self.place = place


class Engine:
    """A Lua state. ``instructions``, ``seconds``: the limits per call; ``memory``: bytes of the whole state."""

    def __init__(
        self, instructions: int, seconds: int, memory: int, native: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._lua = LuaRuntime(
            unpack_returned_tuples=True,
            encoding=None,
            register_eval=False,
            register_builtins=False,
            max_memory=memory,
        )
        self._memory = memory
        self._depth = 0
        self._sources: dict[str, tuple[bytes, str]] = {}
        self._roots: list[Path] = []
        patterns = self._own("patterns")(self._lua.globals()[b"string"][b"find"])
        limits = self._own("limits")(instructions, seconds, patterns)
        tools = self._own("prelude")(self._chunk, self._print, limits)
        self._pcall, self._begin, self._end = tools[b"pcall"], limits[b"begin"], limits[b"sethook"]
        self._require, self._loaded = tools[b"require"], tools[b"loaded"]
        self._wrap, self._source = tools[b"wrap"], tools[b"source"]
        for library, functions in native.items():
            for name, implementation in functions.items():
                tools[b"install"](library.encode(), name.encode(), self.function(implementation))

    def _own(self, name: str) -> LuaFunction:
        """Compile a Lua file of the engine."""
        source = (_FOLDER / f"{name}.lua").read_bytes()
        return self._lua.eval(b"assert(loadstring(...))", source, f"={name}".encode())

    # Modules.

    def add(self, name: str, path: Path) -> None:
        """Register a module under ``name``; it runs when it is required. ``OSError``."""
        self._sources[name] = (path.read_bytes(), f"{name.replace('.', '/')}.lua")

    def look_in(self, root: Path) -> None:
        """Let modules require files of a folder that were not added."""
        self._roots.append(root)

    def preload(self, name: str, table: LuaTable) -> None:
        """Make ``require(name)`` return that table."""
        self._loaded[name.encode()] = table

    def _chunk(self, name: Any) -> tuple[bytes, bytes] | None:
        """Return the source and the chunk name of a module, when it is first required."""
        wanted = decode(name) if isinstance(name, bytes) else str(name)
        if wanted not in self._sources:
            relative = wanted.replace(".", "/") + ".lua"
            inside = [root / relative for root in self._roots if ".." not in relative]
            found = next((path for path in inside if path.is_file()), None)
            if found is None:
                return None
            self.add(wanted, found)
        source, place = self._sources[wanted]
        if source.startswith(_COMPILED):
            return None
        return source, b"@" + encode(place)

    def require(self, name: str) -> Any:
        """Return a module's value, running it if it has not run yet. ``LuaFailure``."""
        return self.call(self._require, name)

    def knows(self, name: str) -> bool:
        """True if there is a module of that name."""
        return name in self._sources or self._chunk(encode(name)) is not None

    # Calls.

    def table(self, value: Mapping[str, Any] | Iterable[Any]) -> LuaTable:
        """Return a Lua table of a Python object or list."""
        return to_lua(self._lua, value if isinstance(value, Mapping) else list(value))

    def function(
        self,
        implementation: Callable[..., Any],
        name: str = "?",
        count: int | None = None,
        needed: Iterable[int] = (),
    ) -> LuaFunction:
        """Return a Lua function that calls ``implementation`` with a fixed number of arguments, None: as given.

        ``needed``: the arguments, from 1 on, that may be nil but not absent.
        It returns None, one value or a tuple of values; its ``RuntimeFunctionError`` is an error in Lua.
        """

        def called(given: int, *arguments: Any) -> tuple[Any, ...]:
            absent = next((number for number in needed if given < number), None)
            if count is not None:
                arguments = (*arguments, *(None,) * (count - given))[:count]
            try:
                if absent is not None:
                    raise RuntimeFunctionError(f"bad argument #{absent} to {name} (value expected)")
                result = implementation(*map(from_lua, arguments))
                values = result if isinstance(result, tuple) else (result,) if result is not None else ()
                return (True, *(to_lua(self._lua, value) for value in values))
            except (LuaMemoryError, MemoryError):
                return False, _NO_MEMORY
            except RuntimeFunctionError as error:
                return False, encode(error.message)
            except (TypeError, ValueError, OverflowError) as error:
                return False, encode(f"bad argument ({error})")
            except Exception as error:  # noqa: BLE001 - a bug here must not look like one of the module
                _LOG.exception("nk function")
                return False, encode(f"the emulator failed: {error}")

        return self._wrap(name.encode(), called)

    def call(self, function: LuaFunction, *arguments: Any, home: LuaFunction | None = None) -> Any:
        """Call a Lua function. Returns None, its only result, or a tuple of results, as Lua values.

        Arguments may be Python or Lua values. ``LuaFailure`` has the text as the server reports it: without the
        place, if that is in the module of ``home`` (default: the function itself).
        """
        outermost = self._depth == 0
        self._depth += 1
        try:
            if outermost:
                self._begin()
            result = self._pcall(function, *(to_lua(self._lua, argument) for argument in arguments))
        except LuaError as error:
            raise self._failed(function, str(error).encode()) from None
        except Unconvertible as error:
            raise LuaFailure(str(error)) from None
        except (LuaMemoryError, MemoryError):
            raise self._failed(function, _NO_MEMORY) from None
        except RecursionError:
            raise self._failed(function, b"stack overflow") from None
        finally:
            self._depth -= 1
            if outermost:
                self._end()
        if result is True:
            return None
        if result[0] is not True:
            raise self._failed(home or function, result[1] if len(result) > 1 else None)
        return result[1] if len(result) == 2 else result[1:]

    def _failed(self, function: LuaFunction, error: Any) -> LuaFailure:
        code, deliberate = _INTERNAL, False
        if lua_type(error) == "table":
            values = from_lua(error)
            if isinstance(values, list):
                deliberate = len(values) > 1
                code = int(values[1]) if deliberate and isinstance(values[1], int | float) else _INTERNAL
                error = to_lua(self._lua, values[0])
            else:
                error = b"table"
        text = decode(error) if isinstance(error, bytes) else _shown(error)
        if error == _NO_MEMORY or text.endswith("not enough memory"):
            # Free unused memory, so that the next call has all of it.
            self._lua.set_max_memory(2 * self._memory)
            self._lua.gccollect()
            self._lua.set_max_memory(self._memory)
        message = self._without_place(function, text)
        return LuaFailure(message, code, deliberate=deliberate, place=text[: len(text) - len(message)])

    def _without_place(self, function: LuaFunction, text: str) -> str:
        place = decode(self._source(function)).removeprefix("@")
        if not place.endswith(".lua") or not text.startswith(place):
            return text
        line, colon, message = text[len(place) :].partition(": ")
        return message if colon else line

    def value(self, value: Any) -> Any:
        """Convert a Lua value to Python. ``LuaFailure``."""
        try:
            return from_lua(value)
        except Unconvertible as error:
            raise LuaFailure(str(error)) from None

    @staticmethod
    def _print(text: bytes) -> None:
        LOG.info("%s", text.decode(errors="replace"))


def _shown(value: Any) -> str:
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else str(value)
