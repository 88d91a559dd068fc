"""Python source from expressions, laid out as ruff format leaves it.

A call that is too long for a line has its arguments on a line of their own, or one a line with a last comma.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 88
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Raw:
    """An expression as its source."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text of literal pieces and expressions."""

    pieces: tuple[str | Raw, ...]


@dataclass(frozen=True, slots=True)
class Invoke:
    """A call of a function."""

    function: str
    positional: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a mapping: ``DATA.values["texts"]``."""

    mapping: str
    key: Any


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A mapping with the entries of another one first: ``{**DATA.values["order"], "owner": user_id}``."""

    mapping: Any
    more: Mapping[Any, Any]


@dataclass(slots=True, eq=False)
class Variable:
    """What differs between repetitions: the variable of a loop or a parameter of a function."""

    name: str
    values: list[Any]
    """What it is in each repetition."""
    packed: bool = False
    """Whether it has bytes as base64, as the data file does."""


def new_name(wanted: str, taken: Container[str], gap: str = "_") -> str:
    """Return ``wanted``, with a number behind ``gap`` if it is taken."""
    names = chain([wanted], (f"{wanted}{gap}{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def quoted(text: str) -> str:
    """A literal of ``text`` with the quotes that the formatter prefers."""
    shown = repr(text)
    if shown[0] == "'" and '"' not in text:
        inner = shown[1:-1].replace("\\'", "'")
        return f'"{inner}"'
    return shown


def flat(value: Any) -> str:
    """An expression on one line."""
    for kind, shown in _SHOWN:
        if isinstance(value, kind):
            return shown(value)
    return repr(value)


def _bytes(value: bytes) -> str:
    shown = repr(value)
    return f'b"{shown[2:-1]}"' if shown[1] == "'" and b'"' not in value else shown


def _mapping(value: Mapping[Any, Any]) -> str:
    return "{" + ", ".join(f"{flat(key)}: {flat(one)}" for key, one in value.items()) + "}"


def _tuple(value: tuple[Any, ...]) -> str:
    inner = ", ".join(map(flat, value))
    return f"({inner},)" if len(value) == 1 else f"({inner})"


def width_for(path: Path) -> int:
    """The line length that ruff has where a file will be: of the nearest configuration, or its default."""
    for folder in path.absolute().parents:
        for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
            try:
                found = tomllib.loads((folder / name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if name == "pyproject.toml":
                found = found.get("tool", {}).get("ruff")
            if isinstance(found, dict):
                length = found.get("line-length", WIDTH)
                return length if isinstance(length, int) and length >= WIDTH else WIDTH
    return WIDTH


def statement(expression: Any, depth: int, before: str = "", after: str = "", width: int = WIDTH) -> list[str]:
    """The lines of ``before``, an expression and ``after``, ``depth`` levels in."""
    pad = _INDENT * depth
    line = f"{pad}{before}{flat(expression)}{after}"
    if len(line) <= width:
        return [line]
    return _split(expression, depth, before, after, width) or [line]


def statement_of_import(module: str, names: Sequence[str], width: int) -> list[str]:
    """``from module import names``."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= width:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _split(value: Any, depth: int, before: str, after: str, width: int) -> list[str]:
    pad = _INDENT * depth
    inner: list[str] = []
    if isinstance(value, Invoke):
        opening, closing = f"{value.function}(", ")"
        together = f"{pad}{_INDENT}{', '.join(_arguments(value))}"
        # Not after ``with``, where a formatter has other ways to split.
        if len(together) <= width and not before.startswith("with "):
            inner = [together] if _arguments(value) else []
        else:
            for one in value.positional:
                inner += statement(one, depth + 1, after=",", width=width)
            for name, one in value.named:
                inner += statement(one, depth + 1, f"{name}=", ",", width)
    elif isinstance(value, Mapping):
        opening, closing = "{", "}"
        for key, one in value.items():
            inner += statement(one, depth + 1, f"{flat(key)}: ", ",", width)
    elif isinstance(value, Unpacked):
        opening, closing = "{", "}"
        inner += statement(value.mapping, depth + 1, "**", ",", width)
        for key, one in value.more.items():
            inner += statement(one, depth + 1, f"{flat(key)}: ", ",", width)
    elif isinstance(value, (list, tuple)):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        for one in value:
            inner += statement(one, depth + 1, after=",", width=width)
    if not inner:
        return []
    return [f"{pad}{before}{opening}", *inner, f"{pad}{closing}{after}"]


def has_sources(value: Any) -> bool:
    """Whether an expression has more than literals."""
    if isinstance(value, (Raw, Text, Invoke, Item, Unpacked, Variable)):
        return True
    if isinstance(value, Mapping):
        return any(map(has_sources, value.values()))
    return isinstance(value, (list, tuple)) and any(map(has_sources, value))


def _arguments(call: Invoke) -> list[str]:
    return [*map(flat, call.positional), *(f"{name}={flat(one)}" for name, one in call.named)]


def _mixed(value: Text) -> str:
    sources = any('"' in one.text for one in value.pieces if isinstance(one, Raw))
    texts = "".join(one for one in value.pieces if isinstance(one, str))
    if sources or any(one in texts for one in "\"'\\{}") or not texts.isprintable():
        # What is put in has quotes of its own, which Python 3.11 does not allow in an f-string.
        return " + ".join(one.text if isinstance(one, Raw) else quoted(one) for one in value.pieces)
    return 'f"' + "".join(f"{{{one.text}}}" if isinstance(one, Raw) else one for one in value.pieces) + '"'


_SHOWN: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (Raw, lambda value: value.text),
    (Variable, lambda value: f"base64.b64decode({value.name})" if value.packed else value.name),
    (Item, lambda value: f"{value.mapping}[{flat(value.key)}]"),
    (Unpacked, lambda value: "{" + f"**{flat(value.mapping)}, " + _mapping(value.more)[1:]),
    (Text, _mixed),
    (Invoke, lambda value: f"{value.function}({', '.join(_arguments(value))})"),
    (str, quoted),
    (bytes, _bytes),
    (Mapping, _mapping),
    (tuple, _tuple),
    (list, lambda value: f"[{', '.join(map(flat, value))}]"),
)
