"""One tree of statements for several that differ in some values only."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from nakama_bots.record.writing.code import (
    Invoke,
    Item,
    Raw,
    Text,
    Variable,
    flat,
    has_sources,
    new_name,
    word_of,
)
from nakama_bots.record.writing.nodes import Node, argument_name, plural, walk

_AS_THEY_ARE: Final = ("crew.done", "crew.after", "crew.hear", "crew.share")
"""What a role waits for is not the same for another one."""
_MOST_NAME: Final = 24


class Different(ValueError):
    """Statements that are not the same but for some values."""


class Merge:
    """Merges repetitions. ``sources``: expressions may differ as well as literals."""

    def __init__(self, taken: set[str], *, sources: bool, thinking: bool) -> None:
        self._used = set(taken)
        self._sources = sources
        self._thinking = thinking
        self.variables: list[Variable] = []

    def nodes(self, all_nodes: Sequence[Sequence[Node]]) -> list[Node]:
        """The statements of all repetitions; ``Different`` if that is not possible."""
        if len({len(nodes) for nodes in all_nodes}) > 1:
            raise Different
        self._used |= {name for node in walk(all_nodes[0]) for name in node.assigned}
        return [self._node(column) for column in zip(*all_nodes, strict=True)]

    def _node(self, column: Sequence[Node]) -> Node:
        first = column[0]
        befores = {one.before for one in column}
        if self._sources and "" in befores and len(befores) == 2:
            befores.remove("")  # its result is used by some only
        before = befores.pop()
        if befores or any(one.after != first.after for one in column):
            raise Different
        if any((one.loop is None) != (first.loop is None) for one in column):
            raise Different
        body = self.nodes([one.body for one in column])
        pause = self._pause([one.pause for one in column])
        if first.loop is None:
            if isinstance(first.expression, Raw) and any(
                not _same(one.expression, first.expression) for one in column
            ):
                raise Different
            expression = self._expression([one.expression for one in column], "value")
            return replace(first, before=before, expression=expression, body=body, pause=pause)
        if any(names_of(one) != names_of(first) for one in column):
            raise Different
        over = self._expression(
            [one.expression for one in column], plural(first.loop) if first.loop else "times"
        )
        return replace(first, expression=over, body=body, pause=pause)

    def _pause(self, values: Sequence[Any]) -> Any:
        if self._thinking:
            return sum(values) / len(values)
        return self._expression(values, "pause") if any(values) else 0

    def _expression(self, values: Sequence[Any], hint: str) -> Any:
        first = values[0]
        if all(_same(one, first) for one in values):
            return first
        for kind, merged in _KINDS.items():
            if all(isinstance(one, kind) for one in values) and len({_outline(one) for one in values}) == 1:
                return merged(self, values, hint)
        if self._sources or not any(map(has_sources, values)):
            return self._variable(values, hint)
        raise Different

    def _invoke(self, values: Sequence[Invoke], _hint: str) -> Invoke:
        first = values[0]
        positional = tuple(
            self._expression([one.positional[place] for one in values], argument_name(first.function, place))
            for place in range(len(first.positional))
        )
        named = tuple(
            (name, self._expression([one.named[place][1] for one in values], name))
            for place, (name, _) in enumerate(first.named)
        )
        return replace(first, positional=positional, named=named)

    def _item(self, values: Sequence[Item], _hint: str) -> Item:
        return Item(values[0].mapping, self._expression([one.key for one in values], "series"))

    def _list(self, values: Sequence[list[Any]], hint: str) -> Any:
        if not any(map(has_sources, values)):
            return self._variable(values, hint)
        return [self._expression(column, hint) for column in zip(*values, strict=True)]

    def _mapping(self, values: Sequence[Mapping[str, Any]], hint: str) -> Any:
        first = values[0]
        differ = [name for name in first if not all(_same(one[name], first[name]) for one in values)]
        if len(differ) > 1 and not any(map(has_sources, values)):
            return self._variable(values, hint)
        return {name: self._expression([one[name] for one in values], str(name)) for name in first}

    def _variable(self, values: Sequence[Any], hint: str) -> Variable:
        packed = any(isinstance(one, bytes) for one in values)
        values = [_packed(one) for one in values] if packed else list(values)
        for one in self.variables:
            if one.packed == packed and all(map(_same, one.values, values)):
                return one
        found = Variable(self._name(hint), values, packed)
        self.variables.append(found)
        return found

    def _name(self, hint: str) -> str:
        name = word_of(hint, "value")[:_MOST_NAME]
        name = name if name[0].isalpha() and name not in ("id", "type", "open", "from") else f"the_{name}"
        found = new_name(name, self._used)
        self._used.add(found)
        return found


_KINDS: Final[Mapping[type, Callable[..., Any]]] = {
    Invoke: Merge._invoke,
    Item: Merge._item,
    Mapping: Merge._mapping,
    list: Merge._list,
}


def _outline(value: Any) -> Any:
    """What expressions of a kind must share to be merged in what they have inside."""
    if isinstance(value, Invoke):
        return value.function, len(value.positional), tuple(name for name, _ in value.named)
    if isinstance(value, Item):
        return value.mapping
    return tuple(value) if isinstance(value, Mapping) else len(value)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and flat(one) == flat(other)


def names_of(node: Node) -> list[tuple[str, bool]]:
    """The variables of a loop."""
    return [(one.name, one.packed) for one in node.loop or ()]


def _packed(value: Any) -> Any:
    """Bytes as base64, as the data file has them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Variable) and value.packed:
        return Variable(value.name, value.values)
    raise Different


def shape(node: Node, *, sources: bool) -> str:
    """What two statements must share to be merged."""
    inner = "".join(shape(one, sources=sources) for one in node.body)
    if node.loop is not None:
        return f"for {names_of(node)}[{inner}]"
    if isinstance(node.expression, Raw):
        return node.expression.text
    if isinstance(node.expression, Invoke) and node.expression.function in _AS_THEY_ARE:
        return flat(node.expression)
    before = "" if sources and node.before.endswith(" = ") else node.before
    return f"{before}|{_shape(node.expression, sources)}|{node.after}|[{inner}]"


def _shape(value: Any, sources: bool) -> str:
    if isinstance(value, Invoke):
        inner = [_shape(one, sources) for one in value.positional]
        inner += [f"{name}={_shape(one, sources)}" for name, one in value.named]
        return f"{value.function}({','.join(inner)})"
    if isinstance(value, Raw):
        return "?" if sources else value.text
    if isinstance(value, (Text, Variable)):
        return "?" if sources else flat(value)
    if isinstance(value, Item):
        return f"{value.mapping}[]"
    if has_sources(value) and not sources and isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_shape(one, sources)}" for name, one in value.items()) + "}"
    return "?"
