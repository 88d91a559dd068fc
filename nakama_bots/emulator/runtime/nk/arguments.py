"""Checks arguments of the server's functions, and refuses them with the server's words."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeAlias, TypeVar

import orjson

from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.limits import Full

# A Lua table: an object, or a list. An empty one is either.
Table: TypeAlias = "Mapping[str, Any] | list[Any]"
Row: TypeAlias = Mapping[str, Any]
P = ParamSpec("P")
R = TypeVar("R")


class ArgumentError(Exception):
    """A refused argument: its number, from 1, and the reason."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


def fail(message: str) -> RuntimeFunctionError:
    """Return the error of a function whose arguments were valid."""
    return RuntimeFunctionError(message)


def kind(value: Any) -> str:
    """Return Lua's name for the type of a value."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "function" if callable(value) else "table"


def _expected(number: int, wanted: str, value: Any) -> ArgumentError:
    return ArgumentError(number, f"{wanted} expected, got {kind(value)}")


def text(number: int, value: Any, needed: str = "") -> str:
    """Read a string, or a number as one; ``needed``: the refusal of an empty one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _expected(number, "string", value)
    if not value and needed:
        raise ArgumentError(number, needed)
    return value


def optional_text(number: int, value: Any, default: str = "") -> str:
    """Read a string, ``default`` for nil."""
    if value is None:
        return default
    if not isinstance(value, str):
        raise _expected(number, "string", value)
    return value


def integer(number: int, value: Any) -> int:
    """Read a number, truncated to an integer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _expected(number, "number", value)
    return int(value)


def optional_integer(number: int, value: Any, default: int = 0) -> int:
    """Read a number, ``default`` for nil."""
    return default if value is None else integer(number, value)


def flag(number: int, value: Any, default: bool = False) -> bool:
    """Read a boolean, ``default`` for nil."""
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _expected(number, "boolean", value)
    return value


def table(number: int, value: Any) -> Table:
    """Read a table."""
    if not isinstance(value, Mapping | list | tuple):
        raise _expected(number, "table", value)
    return list(value) if isinstance(value, tuple) else value


def optional_table(number: int, value: Any) -> Table | None:
    """Read a table, or nil."""
    return None if value is None else table(number, value)


def fields(number: int, value: Any) -> dict[str, Any]:
    """Read a table as an object; the server reads a list as an object without fields."""
    of = table(number, value)
    return dict(of) if isinstance(of, Mapping) else {}


def document(number: int, value: Any, default: str = "{}") -> str:
    """Read a table as JSON text, ``default`` for nil."""
    return default if value is None else go_json(fields(number, value))


def identifier(number: int, value: Any, reason: str, needed: str = "") -> str:
    """Read a UUID, in lower case. ``needed``: the refusal of an empty one, if not ``reason``."""
    parsed = parse_uuid(text(number, value, needed))
    if parsed is None:
        raise ArgumentError(number, reason)
    return parsed


def identifiers(number: int, value: Any, whole: str, each: str, valid: str) -> list[str]:
    """Read a list of UUIDs; the refusals of the list, of a non-string and of an invalid UUID."""
    return [identifier(number, one, valid) for one in texts(number, value, whole, each)]


def texts(number: int, value: Any, whole: str, each: str) -> list[str]:
    """Read a list of non-empty strings."""
    of = table(number, value)
    if isinstance(of, Mapping):
        if of:
            raise ArgumentError(number, whole)
        return []
    for one in of:
        if not isinstance(one, str) or not one:
            raise ArgumentError(number, each)
    return list(of)


def text_map(number: int, value: Any, named: str) -> dict[str, str]:
    """Read an object of strings, empty for nil."""
    of = optional_table(number, value) or {}
    if isinstance(of, list):
        raise ArgumentError(number, f"{named} keys must be strings")
    if not all(isinstance(one, str) for one in of.values()):
        raise ArgumentError(number, f"{named} values must be strings")
    return dict(of)


def items(of: Table) -> Iterable[Any]:
    """Return the values of a table, list or object."""
    return of.values() if isinstance(of, Mapping) else of


# Reads a field of a row and returns the value to keep. ``ValueError`` with the reason.
Field: TypeAlias = Callable[[str, Any], Any]


def text_field(name: str, value: Any) -> str:
    """A non-empty string."""
    given = any_text_field(name, value)
    if not given:
        msg = f"expects {name} to be a non-empty string"
        raise ValueError(msg)
    return given


def any_text_field(name: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        msg = f"expects {name} to be string"
        raise ValueError(msg)
    return value


def id_field(name: str, value: Any) -> str:
    """A UUID."""
    parsed = parse_uuid(any_text_field(name, value))
    if parsed is None:
        msg = f"expects {name} to be a valid ID"
        raise ValueError(msg)
    return parsed


def document_field(name: str, value: Any) -> str:
    """A table, as JSON text."""
    return go_json(table_field(name, value))


def table_field(name: str, value: Any) -> dict[str, Any]:
    """A table, as an object."""
    if not isinstance(value, Mapping | list):
        msg = f"expects {name} to be table"
        raise ValueError(msg)
    return dict(value) if isinstance(value, Mapping) else {}


def number_field(name: str, value: Any) -> int:
    """A number."""
    if kind(value) != "number":
        msg = f"expects {name} to be number"
        raise ValueError(msg)
    return int(value)


def changeset_field(name: str, value: Any) -> dict[str, int]:
    """A table of whole numbers."""
    changes = table_field(name, value)
    if not all(type(one) is int for one in changes.values()):
        msg = f"expects {name} values to be whole numbers"
        raise ValueError(msg)
    return changes


def rows(
    number: int, value: Any, reason: str, known: Mapping[str, Field], needed: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Read a list of objects with ``known`` fields, others are dropped; ``needed``: required fields."""
    return [_row(number, one, reason, known, needed) for one in items(table(number, value))]


def _row(
    number: int, given: Any, reason: str, known: Mapping[str, Field], needed: Iterable[str]
) -> dict[str, Any]:
    if not isinstance(given, Mapping | list):
        raise ArgumentError(number, reason)
    of = given if isinstance(given, Mapping) else {}
    try:
        row = {name: known[name](name, of[name]) for name in known if of.get(name) is not None}
    except ValueError as error:
        raise ArgumentError(number, str(error)) from None
    for name in needed:
        if name not in row:
            raise ArgumentError(number, f"expects {name} to be supplied")
    return row


def seconds(nanoseconds: int) -> int:
    """Return a time in Lua's unit, Unix seconds."""
    return nanoseconds // 10**9


def loaded(document: str) -> Any:
    """Return a stored document as a value for Lua."""
    return orjson.loads(document)


def owner(user_id: str) -> str | None:
    """Return the id of an owner, nil for the system user's."""
    return None if user_id == SYSTEM_USER_ID else user_id


class FunctionFamily:
    """A family of functions. Those without a leading ``_`` belong to ``nk``."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def __init_subclass__(cls) -> None:
        for name, function in list(vars(cls).items()):
            if inspect.isfunction(function) and not name.startswith("_"):
                setattr(cls, name, named(function))


def named(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function so that errors of its arguments include its name."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ArgumentError as error:
            message = f"bad argument #{error.number} to {function.__name__} ({error.reason})"
            raise RuntimeFunctionError(message) from None
        except Full as full:
            raise RuntimeFunctionError(str(full)) from None

    return call
