"""The statements of a scenario as a tree, before they are text."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from nakama_bots.record.writing.code import (
    UNPACKED,
    Invoke,
    Item,
    Variable,
    flat,
    has_sources,
    new_name,
    sources,
    statement,
)

VALUES: Final = "DATA.values"
_LEAST_MOVED: Final = 24
"""Characters of a value that is moved into the data file if its statement is longer than a line."""
_IN_PLACE: Final = ("crew.", "inbox.", "self.player.listen")
"""Calls whose arguments say what the scenario does."""
_WORD: Final = re.compile(r"(?<![\w.\"'])[a-z_]\w*")


@dataclass(slots=True, eq=False)
class Node:
    """A statement, or a block with the statements in it."""

    expression: Any
    before: str = ""
    after: str = ""
    body: list[Node] = field(default_factory=list)
    pause: Any = 0
    """Before it: the share of repetitions that have one, or its seconds."""
    loop: list[Variable] | None = None
    """A loop over what these are in each repetition; empty if only the number matters."""

    @property
    def assigned(self) -> set[str]:
        """The names that it gives a value."""
        names = {self.before[: -len(" = ")]} if self.before.endswith(" = ") else set()
        if self.after.startswith(" as "):
            names.add(self.after[len(" as ") : -1])
        return names | {one.name for one in self.loop or ()}


def names_in(value: Any) -> set[str]:
    """The names that an expression has, of whatever kind."""
    return {name for source in sources(value) for name in _WORD.findall(source)}


def walk(nodes: Sequence[Node]) -> Iterator[Node]:
    """Every node, each block before what is in it."""
    for node in nodes:
        yield node
        yield from walk(node.body)


class Layout:
    """Turns nodes into lines; ``values`` gets what does not fit on a line."""

    def __init__(self, values: dict[str, Any], width: int, *, thinking: bool) -> None:
        self.arguments: dict[str, tuple[str, ...]] = {}
        """The names of the arguments of the scenario's own methods."""
        self._values = values
        self._width = width
        self._thinking = thinking

    def lines(self, nodes: Sequence[Node], depth: int) -> list[str]:
        """The lines of ``nodes``, ``depth`` levels in."""
        found: list[str] = []
        pad = "    " * depth
        for node in nodes:
            if node.pause:
                found.append(pad + self._pause(node.pause))
            if (together := self._joined(node, depth)) is not None:
                line, body = together
                found += [line, *self.lines(body, depth + 1)]
                continue
            if node.loop is not None:
                found += self._loop(node, depth)
            else:
                found += self._statement(node, depth)
            if node.after.endswith(":"):
                found += self.lines(node.body, depth + 1) or [f"{pad}    pass"]
        return found

    def _joined(self, node: Node, depth: int) -> tuple[str, list[Node]] | None:
        """A line for blocks that are directly in each other, and what is in the innermost one."""
        line, number = f"{'    ' * depth}with {_entered(node)}", 1
        while node.before == "with " and len(node.body) == 1:
            inner = node.body[0]
            if inner.before != "with " or inner.pause:
                break
            longer = f"{line}, {_entered(inner)}"
            if len(longer) >= self._width:
                break
            line, number, node = longer, number + 1, inner
        return (f"{line}:", node.body) if number > 1 else None

    def _pause(self, pause: Any) -> str:
        if not self._thinking:
            return f"gevent.sleep({flat(pause)})"
        return "self.think()" if pause == 1 else f"self.think({pause:.2g})"

    def _statement(self, node: Node, depth: int) -> list[str]:
        expression = node.expression
        while True:
            lines = statement(expression, depth, node.before, node.after, self._width)
            if len(lines) == 1 and len(lines[0]) <= self._width:
                return lines
            moved = self._moved(expression)
            if moved is None:
                return lines
            expression = moved

    def _loop(self, node: Node, depth: int) -> list[str]:
        variables, over = node.loop or [], node.expression
        names = ", ".join(one.name for one in variables) or "_"
        before = f"for {names} in "
        if not variables:
            over = Invoke("range", (over,))
        elif isinstance(over, list) and not has_sources(over):
            rows, over = over, tuple(over)
            if len(f"{'    ' * depth}{before}{flat(over)}:") > self._width:
                over = Item(VALUES, self._stored(rows, plural(variables)))
        return statement(over, depth, before, ":", self._width)

    def _moved(self, expression: Any) -> Any:
        """``expression`` with its largest literal in the data file; None if there is none."""
        if not isinstance(expression, Invoke) or expression.function.startswith(_IN_PLACE):
            return None
        arguments = [*expression.positional, *(one for _, one in expression.named)]
        places = sorted(range(len(arguments)), key=lambda i: -len(flat(arguments[i])))
        for place in places:
            made = self._out_of_line(arguments[place], self._hint(expression, place))
            if made is None:
                continue
            arguments[place] = made
            number = len(expression.positional)
            named = tuple(
                (name, one) for (name, _), one in zip(expression.named, arguments[number:], strict=True)
            )
            return replace(expression, positional=tuple(arguments[:number]), named=named)
        return None

    def _out_of_line(self, value: Any, hint: str) -> Any:
        made: Any = None
        if isinstance(value, Invoke):
            made = self._moved(value)
        elif isinstance(value, Mapping) and has_sources(value):
            plain = {name: one for name, one in value.items() if not has_sources(one)}
            more = {name: one for name, one in value.items() if has_sources(one)}
            if len(flat(plain)) >= _LEAST_MOVED:
                made = {UNPACKED: Item(VALUES, self._stored(plain, hint)), **more}
        elif has_sources(value) or len(flat(value)) < _LEAST_MOVED:
            pass
        elif isinstance(value, bytes):
            key = self._stored(base64.b64encode(value).decode(), hint)
            made = Invoke("base64.b64decode", (Item(VALUES, key),))
        elif isinstance(value, (str, Mapping, list)):
            made = Item(VALUES, self._stored(value, hint))
        return made

    def _hint(self, call: Invoke, place: int) -> str:
        if place >= len(call.positional):
            return call.named[place - len(call.positional)][0]
        own = self.arguments.get(call.function, ())
        return own[place] if place < len(own) else argument_name(call.function, place)

    def _stored(self, value: Any, hint: str) -> str:
        """The key of a value in the data file."""
        value = orjson.loads(orjson.dumps(value))  # as it is read again
        key = new_name(hint, [key for key, one in self._values.items() if one != value], " ")
        self._values[key] = value
        return key


def _entered(node: Node) -> str:
    return flat(node.expression) + node.after.removesuffix(":")


def plural(variables: Sequence[Variable]) -> str:
    """A name for what a loop is over."""
    name = variables[0].name
    if len(variables) > 1:
        return "rows"
    return name if name.endswith("s") else f"{name}s"


def rows_of(variables: Sequence[Variable]) -> list[Any]:
    if len(variables) == 1:
        return variables[0].values
    return list(zip(*(one.values for one in variables), strict=True))


# Method -> names of its positional arguments.
_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "say": ("text",), "correct": ("message_id", "text"), "show": ("status",), "send": ("op_code", "data"),
    "save_object": ("collection", "key", "value"), "load_object": ("collection", "key"),
    "rpc": ("function", "payload"), "write_leaderboard_record": ("board", "record"),
    "write_tournament_record": ("tournament", "record"), "write_storage_objects": ("objects",),
    "read_storage_objects": ("object_ids",), "chat": ("room",), "take": ("push",), "replay": ("messages",),
    "request": ("message", "body"), "add_ticket": ("mode",), "find_match": ("mode",),
    "call": ("method", "path", "body"),
}  # fmt: skip


def argument_name(function: str, place: int) -> str:
    """The name of a positional argument of a method."""
    place_of, _, method = function.rpartition(".")
    names = _ARGUMENTS.get(method, ()) if place_of != "self" else ()  # the scenario's own, of the same name
    return names[place] if place < len(names) else {"dumps": "payload"}.get(method, "value")
