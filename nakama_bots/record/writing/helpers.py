"""Functions for what roles share, or do again at another place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from nakama_bots.record.writing.code import Invoke, Raw, Variable, new_name
from nakama_bots.record.writing.merge import Different, Merge, shape
from nakama_bots.record.writing.nodes import Layout, Node, names_in, walk

_LONGEST: Final = 40
"""Statements of one level that become a function, at most."""
_MOST_PARAMETERS: Final = 6
_AROUND: Final = 3
"""Lines of a function besides its statements: its name, what it does, and an empty one."""
_LEAST_SAVED: Final = 3
"""Lines that a function must save."""
_KINDS: Final = {"crew": "Crew", "inbox": "Inbox", "others": "list[Player]"}
"""What the names are that are the same in all roles."""


@dataclass(slots=True, eq=False)
class Function:
    """A method of the scenario: a role, or a part that roles share."""

    name: str
    doc: str
    body: list[Node]
    parameters: list[tuple[str, str]] = field(default_factory=list)
    """Name and type."""
    gives: str = "None"
    """The type of its result."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Statements that follow each other."""

    function: Function
    nodes: list[Node]
    start: int
    size: int

    @property
    def block(self) -> list[Node]:
        return self.nodes[self.start : self.start + self.size]


class Helpers:
    """Moves what repeats into functions."""

    def __init__(self, layout: Layout, locals_: dict[str, str], *, thinking: bool) -> None:
        self._layout = layout
        self._locals = {**_KINDS, **locals_}
        """The type of each variable of a role."""
        self._thinking = thinking

    def extract(self, functions: list[Function]) -> list[Function]:
        """``functions``, shorter, and those that they call."""
        found = [*functions]
        taken = {one.name for one in functions}
        while (best := self._best(found, taken)) is not None:
            helper, places, calls = best
            for place, call in sorted(zip(places, calls, strict=True), key=lambda item: -item[0].start):
                place.nodes[place.start : place.start + place.size] = [call]
            taken.add(helper.name)
            found.append(helper)
        return found

    def _best(
        self, functions: Sequence[Function], taken: set[str]
    ) -> tuple[Function, list[_Place], list[Node]] | None:
        """The function that saves the most lines; one that more places need is better than a longer one."""
        best: tuple[int, tuple[Function, list[_Place], list[Node]] | None] = (0, None)
        heights: dict[int, int] = {}
        for places in self._repeated(functions):
            most = sum(self._height(one, heights) for one in places)
            possible = most - _AROUND - len(places) - most // len(places)
            if possible < _LEAST_SAVED or possible * len(places) <= best[0]:
                continue
            made = self._made(places, taken)
            if made is None:
                continue
            helper, calls = made
            saved = most - _AROUND - len(self._layout.lines(helper.body, 2))
            saved -= len(self._layout.lines(calls, 4))
            score = saved * len(places)
            if saved >= _LEAST_SAVED and score > best[0]:
                best = (score, (helper, places, calls))
        return best[1]

    def _height(self, place: _Place, known: dict[int, int]) -> int:
        for node in place.block:
            if id(node) not in known:
                known[id(node)] = len(self._layout.lines([node], 4))
        return sum(known[id(node)] for node in place.block)

    def _repeated(self, functions: Sequence[Function]) -> Iterator[list[_Place]]:
        """Places with the same shape that do not overlap."""
        groups: defaultdict[tuple[str, ...], list[_Place]] = defaultdict(list)
        for function in functions:
            for nodes in _lists(function.body):
                shapes = [shape(node, sources=True) for node in nodes]
                for start in range(len(nodes)):
                    for size in range(1, min(_LONGEST, len(nodes) - start) + 1):
                        key = tuple(shapes[start : start + size])
                        before = groups[key][-1] if groups[key] else None
                        if before is None or before.nodes is not nodes or before.start + size <= start:
                            groups[key].append(_Place(function, nodes, start, size))
        yield from (places for places in groups.values() if len(places) > 1)

    def _made(self, places: Sequence[_Place], taken: set[str]) -> tuple[Function, list[Node]] | None:
        used_by = [_used_after(place) for place in places]
        used = set().union(*used_by)
        if len(used) > 1:
            return None
        given = next(iter(used), "")
        merge = Merge(set(self._locals), sources=True, thinking=self._thinking)
        try:
            body = merge.nodes([place.block for place in places])
        except Different:
            return None
        if any(_confused(place.block, body) for place in places):
            return None
        assigned = {name for node in walk(body) for name in node.assigned}
        # What the last statement finds out cannot be what an argument needs.
        before = {name for node in walk(body) if node is not body[-1] for name in node.assigned}
        for variable in merge.variables:
            if any(names_in(value) & before for value in variable.values):
                return None  # it needs what is known inside only
        free = [
            name
            for name in self._locals
            if any(name in names_in(node.expression) | names_in(node.pause) for node in walk(body))
            and not _assigned_first(body, name)
        ]
        if (set(free) & assigned) - used or len(merge.variables) + len(free) > _MOST_PARAMETERS:
            return None
        parameters = [(name, self._locals[name]) for name in free]
        parameters += [(one.name, _type_of(one)) for one in merge.variables]
        name = _name_of(body, taken)
        calls = []
        for index in range(len(places)):
            values = [Raw(one) for one in free] + [one.values[index] for one in merge.variables]
            calls.append(
                Node(Invoke(f"self.{name}", tuple(values)), f"{given} = " if given in used_by[index] else "")
            )
        if given:
            last = body[-1]
            if last.before == f"{given} = ":
                body = [*body[:-1], replace(last, before="return ")]
            else:
                body = [*body, Node(Raw(f"return {given}"))]
        return Function(name, _doc_of(body), body, parameters, "Any" if given else "None"), calls


def _lists(nodes: list[Node]) -> Iterator[list[Node]]:
    yield nodes
    for node in nodes:
        if node.body:
            yield from _lists(node.body)


def _assigned_first(body: Sequence[Node], name: str) -> bool:
    for node in walk(body):
        if name in names_in(node.expression):
            return False
        if name in node.assigned:
            return True
    return False


def _used_after(place: _Place) -> set[str]:
    """The names of what the statements find out and is used after them."""
    inside = {id(node) for node in walk(place.block)}
    names = {name for node in walk(place.block) for name in node.assigned}
    later = False
    found: set[str] = set()
    for node in walk(place.function.body):
        if id(node) in inside:
            later = True
            continue
        if later:
            found |= names_in(node.expression) & names
            names -= node.assigned
    if _in_loop(place.function.body, place.nodes):
        # The next repetition may use it.
        found |= _read_first(place.block) & {name for node in walk(place.block) for name in node.assigned}
    return found


def _read_first(block: Sequence[Node]) -> set[str]:
    """The names that a block reads before it gives them a value, if it does."""
    known: set[str] = set()
    read: set[str] = set()
    for node in walk(block):
        read |= names_in(node.expression) - known
        known |= node.assigned
    return read


def _in_loop(nodes: list[Node], wanted: list[Node]) -> bool:
    """Whether the list of nodes ``wanted`` is somewhere in a loop."""
    return any(
        node.body is not wanted and _in_loop(node.body, wanted)
        if node.loop is None
        else any(found is wanted for found in _lists(node.body))
        for node in nodes
    )


def _confused(block: Sequence[Node], body: Sequence[Node]) -> bool:
    """Whether a block uses an older value under the name that the function gives a new one."""
    renewed: set[str] = set()
    for old, new in zip(walk(block), walk(body), strict=True):
        if names_in(old.expression) & renewed:
            return True
        renewed = (renewed | new.assigned) - old.assigned
    return False


def _type_of(variable: Variable) -> str:
    kinds = set(map(_kind_of, variable.values))
    if kinds == {"int", "float"}:
        return "float"
    return kinds.pop() if len(kinds) == 1 else "Any"


def _kind_of(value: Any) -> str:
    if isinstance(value, Variable):
        return _type_of(value)
    if isinstance(value, Raw):
        return "str" if value.text.endswith(("_id", ".id", ".username")) else "Any"
    if isinstance(value, list):
        kinds = set(map(_kind_of, value))
        return f"list[{kinds.pop() if len(kinds) == 1 else 'Any'}]"
    if isinstance(value, (str, int, float, bool)):
        return type(value).__name__
    return "Any"


_QUIET: Final = frozenset({"wait", "done", "after", "hear", "share", "listen", "meet", "refused"})


def _verbs(body: Sequence[Node]) -> list[str]:
    """What statements do: the names of the methods that they call."""
    found: list[str] = []
    for node in walk(body):
        if isinstance(node.expression, Invoke):
            verb = node.expression.function.rpartition(".")[2]
            arguments = node.expression.positional
            if verb == "rpc" and arguments and isinstance(arguments[0], str) and arguments[0].isidentifier():
                verb = arguments[0]
            if verb not in _QUIET and verb not in found:
                found.append(verb)
    return found


def _name_of(body: Sequence[Node], taken: set[str]) -> str:
    verbs = _verbs(body) or ["meet_the_others"]
    name = verbs[0]
    others = [verb.partition("_")[0] for verb in verbs[1:]]
    others = [one for one in others if one != name.partition("_")[0]]
    if len(verbs) > 1:
        name += f"_and_{others[-1]}" if others else "_and_more"
    return new_name(f"{name}_once" if name in _OF_USERS else name, taken)


_OF_USERS: Final = frozenset({
    "arrive", "attempt", "client", "context", "environment", "greenlet", "host", "on_start", "on_stop", "pace",
    "play", "player", "run", "settings", "start", "stop", "tasks", "think", "wait", "wait_time", "weight",
})  # fmt: skip
"""Attributes that the class of a scenario has."""


def _doc_of(body: Sequence[Node]) -> str:
    verbs = [one.replace("_", " ") for one in _verbs(body)]
    if not verbs:
        return "Wait for the others."
    shown = verbs[: 3 if len(verbs) > 4 else 4]
    text = ", ".join(shown) + (f" and {len(verbs) - 3} more" if len(verbs) > 4 else "")
    return f"{text[0].upper()}{text[1:]}."
