"""Python source from expressions, laid out as ruff format leaves it.

A call that is too long for a line has its arguments on a line of their own, or one a line with a last comma.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
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


UNPACKED: Final = Raw("**")
"""The key of a mapping whose entries another mapping has: ``{**DATA.values["order"], "owner": user_id}``."""


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


def word_of(text: str, default: str) -> str:
    """Return ``text`` as a part of a name: letters, digits and underscores; ``default`` if it has none."""
    return "".join(one if one.isalnum() else "_" for one in text).strip("_").lower() or default


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
    opening, items, closing = _parts(value)
    if not opening:
        return repr(value)
    last = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{opening}{_row(items)}{last}{closing}"


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """The brackets of an expression, and what is between them, each item after a text; "" if it has none."""
    if isinstance(value, Invoke):
        named = [(f"{name}=", one) for name, one in value.named]
        return f"{value.function}(", [*(("", one) for one in value.positional), *named], ")"
    if isinstance(value, Mapping):
        return "{", [("**" if key is UNPACKED else f"{flat(key)}: ", one) for key, one in value.items()], "}"
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening, [("", one) for one in value], closing
    return "", [], ""


def _row(items: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(before + flat(one) for before, one in items)


def _bytes(value: bytes) -> str:
    shown = repr(value)
    return f'b"{shown[2:-1]}"' if shown[1] == "'" and b'"' not in value else shown


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
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= width:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _split(value: Any, depth: int, before: str, after: str, width: int) -> list[str]:
    opening, items, closing = _parts(value)
    if not items:
        return []
    pad = _INDENT * depth
    inner = [f"{pad}{_INDENT}{_row(items)}"]
    # Not after ``with``, where a formatter has other ways to split.
    if not isinstance(value, Invoke) or len(inner[0]) > width or before.startswith("with "):
        inner = [line for text, one in items for line in statement(one, depth + 1, text, ",", width)]
    return [f"{pad}{before}{opening}", *inner, f"{pad}{closing}{after}"]


def sources(value: Any) -> Iterator[str]:
    """The source of each part of an expression that is no literal."""
    if isinstance(value, (Raw, Variable)):
        yield flat(value)
    elif isinstance(value, Text):
        yield from (one.text for one in value.pieces if isinstance(one, Raw))
    elif isinstance(value, Item):
        yield value.mapping
        yield from sources(value.key)
    elif isinstance(value, Invoke):
        yield value.function
    for _, one in _parts(value)[1]:
        yield from sources(one)


def has_sources(value: Any) -> bool:
    """Whether an expression has more than literals."""
    return next(sources(value), None) is not None


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
    (Text, _mixed),
    (str, quoted),
    (bytes, _bytes),
)
