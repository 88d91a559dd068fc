"""The statements of a role from its steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from nakama_bots.record.capture.tape import WS, TapedCall, objects, whole
from nakama_bots.record.correlate import Document, Event, Mixed, Own, Path, Ref
from nakama_bots.record.plan import ScenarioPlan
from nakama_bots.record.steps import Part, Step, refs_of, value_of
from nakama_bots.record.writing.code import Invoke, Item, Raw, Text, has_sources, new_name
from nakama_bots.record.writing.invoke import UNWRAPPED, Written
from nakama_bots.record.writing.nodes import Node
from nakama_bots.rest.documents import READERS

_CURSORS: Final = ("cursor", "next_cursor", "prev_cursor", "cacheable_cursor")
WAIT: Final = 60
"""Seconds that a role waits for another one."""
_PLACES: Final = {"match": ("match", "Match"), "chat": ("room", "ChatRoom"), "party": ("party", "Party")}
"""Name and type of what a role is in."""
_RESERVED: Final = ("self", "crew", "inbox", "others", "api", "base64", "random", "json", "math", "gevent")


class _Names:
    """Names of the variables of one role, by ``id`` of the event or the act that gave them."""

    def __init__(self) -> None:
        self.of: dict[int, str] = {}
        self.inside: dict[int, tuple[str | int, ...]] = {}
        """Where in its answer a call's result is."""
        self.heard: dict[tuple[int, Any], str] = {}
        self.kinds: dict[str, str] = {}
        """The type of each."""
        self._until: dict[str, float] = dict.fromkeys(_RESERVED, float("inf"))

    def new(self, wanted: str, key: int, index: int, until: int, kind: str = "Any") -> str:
        """A name from step ``index`` to step ``until``; one that is not needed any more may have it again."""
        found = new_name(wanted, [name for name, last in self._until.items() if last > index])
        self._until[found] = until
        self.kinds.setdefault(found, kind)
        self.of[key] = found
        return found


class RoleBody:
    """Writes the steps of one role as statements."""

    def __init__(self, plan: ScenarioPlan, part: Part, *, thinking: bool, model: bool) -> None:
        self._plan = plan
        self._part = part
        self._thinking = thinking
        self._model = model
        self._names = _Names()
        self._shared = {
            step.name: step.value
            for one in plan.parts
            for step in one.steps
            if step.kind == "share" and step.value
        }
        self._last = _last_uses(part)
        self.errors: set[str] = set()

    @property
    def kinds(self) -> dict[str, str]:
        """The type of each variable."""
        return self._names.kinds

    def nodes(self) -> list[Node]:
        top: list[Node] = []
        inner = top
        number = len(self._part.role.bystanders)
        if number:
            count = () if number == 1 else (number,)
            inner = _block(inner, Invoke("self.player.bystanders", count), "others")
        keys = list(dict.fromkeys(one.push.key for one in self._part.steps if one.push is not None))
        if keys:
            inner = _block(inner, Invoke("self.player.listen", tuple(keys)), "inbox")
        blocks = [inner]
        pause: float = 0
        for index, step in enumerate(self._part.steps):
            if step.kind == "pause":
                pause = 1 if self._thinking else round(step.seconds, 2)
                continue
            if step.kind == "close":
                blocks.pop()
                continue
            write: Callable[[int, Step], list[Node]] = getattr(self, _WRITERS[step.kind])
            made = write(index, step)
            made[0].pause, pause = pause, 0
            blocks[-1].extend(made)
            if step.kind == "open":
                blocks.append(made[0].body)
        if not inner:
            # The player was only connected.
            seconds = max((one.closed or one.opened) - one.opened for one in self._part.role.sockets)
            inner.append(Node(Invoke("self.player.hold", (max(1, round(seconds)),))))
        return top

    def _connected(self, _index: int, step: Step) -> list[Node]:
        return [Node(Invoke(f"self.player.{step.kind}"))]

    def _met(self, _index: int, step: Step) -> list[Node]:
        assert step.act is not None
        users: Any = [Raw(self._source(Own(role, "user_id"))) for role in step.others]
        if len(users) == len(self._plan.parts) - 1:
            users = Raw("crew.users")
        return [Node(Invoke(f"{self._names.of[id(step.act)]}.meet", (), (("users", users),)))]

    def _handed(self, _index: int, step: Step) -> list[Node]:
        return [Node(Invoke("crew.share", (self._expression(step.value), step.name)))]

    def _heard(self, index: int, step: Step) -> list[Node]:
        ref = self._shared[step.name]
        assert isinstance(ref, Ref)
        key = (id(ref.event), ref.path)
        name = self._names.new(step.name, hash(key), index, self._last.get(key, index), "str")
        self._names.heard[key] = name
        return [Node(Invoke("crew.hear", (WAIT, step.name)), f"{name} = ")]

    def _ordered(self, _index: int, step: Step) -> list[Node]:
        names = (step.name,) if step.kind == "done" else tuple(step.names)
        return [Node(Invoke(f"crew.{step.kind}", names))]

    def _gathered(self, _index: int, step: Step) -> list[Node]:
        if not step.number:
            return [Node(Invoke("crew.wait"))]
        point: Any = step.name and f"match {self._plan.matched[step.name]}"
        if step.act is not None:
            point = Raw(f"{self._names.of[id(step.act)]}.id")
        return [Node(Invoke("crew.wait", (point, step.number)))]

    def _taken(self, index: int, step: Step) -> list[Node]:
        push = step.push
        assert push is not None
        named: tuple[tuple[str, Any], ...] = ()
        if step.name == "code":
            first = next(iter(objects(push.body.get("notifications"))), {})
            named = (("code", first.get("code", 0)),)
        elif push.key == "channel_message":
            sender = next((p.role for p in self._plan.parts if p.role.user == push.body.get("sender_id")), None)
            named = () if sender is None else (("sender_id", Raw(self._source(Own(sender, "user_id")))),)
        elif step.value is not None:
            named = (("ticket", Raw(self._source(step.value))),)
        elif step.name == "op_code":
            named = (("op_code", whole(push.body.get("op_code"))),)
        before = self._result(push.key, push, index)
        return [Node(Invoke("inbox.take", (push.key,), named), before)]

    def _result(self, wanted: str, event: Event, index: int) -> str:
        """The beginning of a statement whose result is used."""
        last = self._last.get(id(event))
        return "" if last is None else f"{self._names.new(wanted, id(event), index, last)} = "

    def _played(self, _index: int, step: Step) -> list[Node]:
        assert step.series is not None
        assert step.act is not None
        place, series = self._names.of[id(step.act)], step.series
        if not self._model:
            return [Node(Invoke(f"{place}.replay", (Item("DATA.state", series.name),)))]
        return [Node(Invoke(f"{place}.play", (Item("**DATA.models", series.name),)))]

    def _opened(self, index: int, step: Step) -> list[Node]:
        act, written = step.act, step.written
        assert act is not None
        assert written is not None
        if act.party is not None:
            written.method = f"{self._names.of[id(act.party)]}.find_match"
        expression = self._invoke(written)
        until = next(i for i, one in enumerate(self._part.steps) if one.kind == "close" and one.act is act)
        wanted, kind = _PLACES[act.kind]
        name = self._names.new(wanted, id(act), index, until, kind)
        return [Node(expression, "with ", f" as {name}:")]

    def _called(self, index: int, step: Step) -> list[Node]:
        written, call = step.written, step.call
        assert written is not None
        assert call is not None
        if step.act is not None and "." not in written.method:
            written.method = f"{self._names.of[id(step.act)]}.{written.method}"
        expression = self._invoke(written)
        before = self._result(written.noun, call, index)
        self._names.inside[id(call)] = UNWRAPPED.get(written.method, ())
        node = Node(expression, before)
        if call.error and call.answered:
            self.errors.add(call.error)
            node = Node(Invoke("self.player.refused", (Raw(call.error),)), "with ", ":", [node])
        return [node, *(Node(Raw(line)) for line in written.special.splitlines())]

    def _invoke(self, written: Written) -> Invoke:
        positional = tuple(self._expression(one) for one in written.positional)
        named = tuple((name, self._expression(one)) for name, one in written.named.items())
        return Invoke(written.method, positional, named)

    def _expression(self, value: Any) -> Any:
        made = value
        if isinstance(value, (Ref, Own)):
            made = Raw(self._source(value))
        elif isinstance(value, Mixed):
            made = Text(tuple(self._expression(one) for one in value.pieces))
        elif isinstance(value, Document):
            made = self._expression(value.value)
            made = Invoke("json.dumps", (made,)) if has_sources(made) else json.dumps(made)
        elif isinstance(value, Mapping):
            made = {name: self._expression(one) for name, one in value.items()}
        elif isinstance(value, list):
            made = self._each(value) or [self._expression(one) for one in value]
        return made

    def _each(self, value: Sequence[Any]) -> Raw | None:
        """The same field of everything that an answer lists."""
        first = value[0] if value else None
        if not isinstance(first, Ref) or first.role is not self._part.role or 0 not in first.path:
            return None
        place = first.path.index(0)
        before, after = first.path[:place], first.path[place + 1 :]
        listed = replace(first, path=before)
        if len(value) == 1 and len(value_of(listed)) != 1:
            return None
        if list(value) != [replace(first, path=(*before, i, *after)) for i in range(len(value))]:
            return None
        return Raw(f"[{_path('one', first.event, after)} for one in {self._source(listed)}]")

    def _source(self, ref: Ref | Own) -> str:
        if isinstance(ref, Own):
            if ref.role is self._part.role:
                return "self.player.user_id" if ref.what == "user_id" else "self.player.session.username"
            index = [part.role for part in self._plan.parts].index(ref.role)
            return f"crew.members[{index}].{'user_id' if ref.what == 'user_id' else 'session.username'}"
        if ref.role is not self._part.role:
            return self._names.heard[id(ref.event), ref.path]
        act = self._part.acting.opening(ref.event)
        if act is not None:
            return f"{self._names.of[id(act)]}.id"
        name = self._names.of.get(id(ref.event))
        if name is None:  # its call is written as a part of something else
            return '""'
        inside = self._names.inside.get(id(ref.event), ())
        path = ref.path[len(inside) :] if ref.path[: len(inside)] == inside else ref.path
        return _path(name, ref.event, path)


def _last_uses(part: Part) -> dict[Any, int]:
    """The last step that uses what an event gave, by its ``id``, or by that and the path if it was heard."""
    last: dict[Any, int] = {}
    for index, step in enumerate(part.steps):
        for ref in refs_of(step):
            if isinstance(ref, Ref):
                last[id(ref.event) if ref.role is part.role else (id(ref.event), ref.path)] = index
    return last


def _block(outer: list[Node], expression: Invoke, name: str) -> list[Node]:
    node = Node(expression, "with ", f" as {name}:")
    outer.append(node)
    return node.body


def _path(name: str, event: Event, path: Path) -> str:
    """The source of a value in an answer or a push."""
    text = name
    read = isinstance(event, TapedCall) and event.kind != WS
    previous: Any = ""
    for one in path:
        if one == "json()":
            # The client reads documents itself.
            if not (read and previous in READERS):
                text = f"json.loads({text})"
        elif one in _CURSORS:
            text = f'{text}.get("{one}")'
        else:
            text += f'["{one}"]' if isinstance(one, str) else f"[{one}]"
        previous = one if isinstance(one, str) else previous
    return text


# Method of the writer for each kind of step.
_WRITERS: Final = {
    "call": "_called", "open": "_opened", "state": "_played", "take": "_taken", "meet": "_met",
    "share": "_handed", "hear": "_heard", "done": "_ordered", "after": "_ordered", "wait": "_gathered",
    "disconnect": "_connected", "connect": "_connected",
}  # fmt: skip
