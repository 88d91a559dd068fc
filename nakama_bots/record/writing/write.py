"""The Python source of a scenario from its plan."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from nakama_bots.realtime.catalog import REPLIES, Reply
from nakama_bots.record import pace
from nakama_bots.record.acts import Act
from nakama_bots.record.capture.tape import WS, TapedCall, objects, whole
from nakama_bots.record.correlate import Document, Event, Mixed, Own, Path, Ref
from nakama_bots.record.plan import ScenarioPlan
from nakama_bots.record.redact import Redactor
from nakama_bots.record.roles import Role
from nakama_bots.record.steps import Part, Step, refs_of
from nakama_bots.record.writing import loops
from nakama_bots.record.writing.code import WIDTH, Invoke, Raw, Text, flat, statement, statement_of_import
from nakama_bots.record.writing.invoke import UNWRAPPED, Written
from nakama_bots.rest.documents import READERS

LARGE: Final = (120, 60, 30)
"""Characters of an argument from which on it goes into the data file; fewer where there are many lines."""
_CURSORS: Final = ("cursor", "next_cursor", "prev_cursor", "cacheable_cursor")
_WAIT: Final = 60


@dataclass(frozen=True, slots=True)
class Choices:
    """``pace``: thinking or recorded; ``state``: replay or model; ``class_name`` of the user class."""

    class_name: str
    pace: str = "thinking"
    state: str = "replay"
    width: int = WIDTH
    """Characters of a line."""


@dataclass(slots=True)
class _Names:
    """Names of the variables of one role, by ``id`` of the event or the act that gave them."""

    of: dict[int, str] = field(default_factory=dict)
    inside: dict[int, tuple[str | int, ...]] = field(default_factory=dict)
    """Where in its answer a call's result is."""
    heard: dict[tuple[int, Any], str] = field(default_factory=dict)
    taken: set[str] = field(
        default_factory=lambda: {
            "self",
            "crew",
            "inbox",
            "others",
            "base64",
            "random",
            "json",
            "math",
            "gevent",
        }
    )

    def new(self, wanted: str, key: int) -> str:
        found, number = wanted, 2
        while found in self.taken:
            found, number = f"{wanted}_{number}", number + 1
        self.taken.add(found)
        self.of[key] = found
        return found


class Writer:
    """Writes one plan."""

    def __init__(self, plan: ScenarioPlan, choices: Choices, large: int = LARGE[0]) -> None:
        plan.values.clear()
        self._large = large
        self._plan = plan
        self._choices = choices
        self._together = len(plan.parts) > 1
        self._pauses = [one.seconds for part in plan.parts for one in part.steps if one.kind == "pause"]
        self._used = {
            id(ref.event)
            for part in plan.parts
            for step in part.steps
            for ref in refs_of(step)
            if isinstance(ref, Ref)
        }
        self._shared = {
            step.name: step.value
            for part in plan.parts
            for step in part.steps
            if step.kind == "share" and step.value
        }
        self._new_accounts = any(part.role.needs_new_account for part in plan.parts)
        self._errors: set[str] = set()
        self._names = _Names()
        self._part: Part
        self._depth = 0
        self._filled = True
        """Whether the innermost block has a statement."""

    def source(self) -> str:
        """The whole file."""
        bodies = [self._role(part) for part in self._plan.parts]
        text = "\n".join(line for body in bodies for line in body)
        lines = [*self._head(), *self._imports(text), "", *self._constants(text), "", *self._class()]
        for body in bodies:
            lines += ["", *body]
        if "self.think()" in text:
            lines += [
                "",
                "    def think(self) -> None:",
                '        """Pause for as long as the recorded player thought."""',
                "        pause = random.lognormvariate(math.log(THINK_MEDIAN), THINK_SPREAD)",
                "        gevent.sleep(min(pause, THINK_LONGEST))",
            ]
        return "\n".join(lines) + "\n"

    def _head(self) -> list[str]:
        number = len(self._plan.parts)
        who = "one player" if number == 1 else f"{number} players who meet"
        return [f'"""Recorded with nakama-bots record: {who}.', "", *self._summary(), '"""', ""]

    def _summary(self) -> Iterator[str]:
        for part in self._plan.parts:
            calls = sum(1 for one in part.steps if one.kind in ("call", "open"))
            acts = [act.how.removeprefix("party.").replace("_", " ") for act in part.acting.acts]
            does = f"; {', '.join(dict.fromkeys(acts))}" if acts else ""
            yield f"{part.role.name}: {calls} calls{does}."
        if self._together:
            yield f"Run a multiple of {len(self._plan.parts)} users."

    def _imports(self, text: str) -> list[str]:
        modules = [name for name in ("base64", "json", "math", "random") if f"{name}." in text]
        if "self.think()" in text:
            modules = sorted({*modules, "math", "random"})
        lines = [f"import {name}" for name in modules]
        if "gevent.sleep" in text or "self.think()" in text:
            lines += ([""] if lines else []) + ["import gevent"]
        lines += [""] if lines else []
        names = ["NakamaUser", "between", "task"]
        if self._needs_data(text):
            names.append("Replay")
        if self._together:
            names.append("Crew")
        if self._model():
            names += ["Behaviour", "Seat"]
        names.sort(key=lambda name: (name[0].islower(), name))
        lines += statement_of_import("nakama_bots", names, self._choices.width)
        if self._errors:
            lines += statement_of_import("nakama_bots.errors", sorted(self._errors), self._choices.width)
        return lines

    def _model(self) -> bool:
        return self._choices.state == "model" and bool(self._plan.series)

    def _needs_data(self, text: str) -> bool:
        return "DATA." in text

    def _constants(self, text: str) -> list[str]:
        lines: list[str] = []
        if self._needs_data(text):
            lines.append("DATA = Replay.beside(__file__)")
        if "self.think()" in text:
            fitted = pace.fitted(self._pauses)
            lines.append(f"# Seconds; log-normal, from {fitted.number} pauses.")
            numbers = f"{fitted.median}, {fitted.spread}, {fitted.longest}"
            lines.append(f"THINK_MEDIAN, THINK_SPREAD, THINK_LONGEST = {numbers}")
        if self._model():
            lines.append("# Op code, fewest and most bytes, and how often each was sent.")
            for series in self._plan.series:
                rows = tuple(series.model())
                lines += statement(rows, 0, f"{_constant(series.name)} = ", width=self._choices.width)
            lines += _MODEL
        elif lines:
            lines.append("")
        return lines

    def _class(self) -> list[str]:
        what = "As recorded." if not self._together else "Players who meet, each with a role."
        lines = [f"class {self._choices.class_name}(NakamaUser):", f'    """{what}"""', ""]
        if not any(part.role.sockets for part in self._plan.parts):
            lines.append("    needs_socket = False")
        if any(part.role.appears_online for part in self._plan.parts):
            lines.append("    appear_online = True")
        lines.append("    wait_time = between(0.5, 1.5)")
        if self._together:
            number = len(self._plan.parts)
            pad = "    " * (3 if self._new_accounts else 2)
            roles = ", ".join(f"self.{part.role.name}" for part in self._plan.parts)
            lines += [
                "",
                "    @task",
                "    def play(self) -> None:",
                '        """Meet the others and take a role."""',
                *(["        with self.player.passing_through():"] if self._new_accounts else []),
                f"{pad}with self.player.meet({number}, timeout={_WAIT}) as crew:",
                f"{pad}    ({roles})[crew.index](crew)",
                f"{pad}    crew.wait()",
            ]
        return lines

    def _role(self, part: Part) -> list[str]:
        self._part, self._names = part, _Names()
        self._depth = 2
        doc = f'"""{_docstring(part)}"""'
        if self._together:
            lines = [f"    def {part.role.name}(self, crew: Crew) -> None:", f"        {doc}"]
        else:
            lines = ["    @task", "    def play(self) -> None:", f"        {doc}"]
        body: list[str] = []
        if self._new_accounts and not self._together:
            body.append("        with self.player.passing_through():")
            self._depth += 1
        if part.role.bystanders:
            number = len(part.role.bystanders)
            body += self._line(f"with self.player.bystanders({'' if number == 1 else number}) as others:")
            self._depth += 1
        keys = list(dict.fromkeys(one.push.key for one in part.steps if one.push is not None))
        if keys:
            body += self._lines(Invoke("self.player.listen", tuple(keys)), "with ", " as inbox:")
            self._depth += 1
        for step in part.steps:
            body += self._step(step)
        if not [line for line in body if not line.lstrip().startswith("with ")]:
            # The player was only connected.
            seconds = max((one.closed or one.opened) - one.opened for one in part.role.sockets)
            body += self._line(f"self.player.hold({max(1, round(seconds))})")
        return lines + loops.folded(body)

    def _step(self, step: Step) -> list[str]:
        if step.kind == "close":
            self._depth -= 1
            empty, self._filled = not self._filled, True
            return self._line("pass", deeper=1) if empty else []
        self._filled = True
        write: Callable[[Step], list[str]] = getattr(self, _WRITERS[step.kind])
        return write(step)

    def _paused(self, step: Step) -> list[str]:
        thinking = self._choices.pace == "thinking"
        return self._line("self.think()" if thinking else f"gevent.sleep({step.seconds:.2f})")

    def _connected(self, step: Step) -> list[str]:
        return self._line(f"self.player.{step.kind}()")

    def _met(self, step: Step) -> list[str]:
        assert step.act is not None
        users = [Raw(self._source(Own(role, "user_id"))) for role in step.others]
        if len(users) == len(self._plan.parts) - 1:
            users = [Raw("crew.users")]
        named = (("users", users[0] if users[0].text == "crew.users" else users),)
        return self._lines(Invoke(f"{self._names.of[id(step.act)]}.meet", (), named))

    def _handed(self, step: Step) -> list[str]:
        value = Raw('"done"') if step.value is None else self._expression(step.value)
        return self._lines(Invoke("crew.share", (value, step.name)))

    def _lines(self, expression: Any, before: str = "", after: str = "") -> list[str]:
        return statement(expression, self._depth, before, after, self._choices.width)

    def _line(self, text: str, deeper: int = 0) -> list[str]:
        return ["    " * (self._depth + deeper) + text]

    def _taken(self, step: Step) -> list[str]:
        push = step.push
        assert push is not None
        named: tuple[tuple[str, Any], ...] = ()
        if step.name == "code":
            first = next(iter(objects(push.body.get("notifications"))), {})
            named = (("code", first.get("code", 0)),)
        elif push.key == "channel_message":
            sender = next((p.role for p in self._plan.parts if p.role.user == push.body.get("sender_id")), None)
            named = () if sender is None else (("sender_id", Raw(self._source(Own(sender, "user_id")))),)
        elif step.name == "op_code":
            named = (("op_code", whole(push.body.get("op_code"))),)
        before = f"{self._names.new(push.key, id(push))} = " if id(push) in self._used else ""
        return self._lines(Invoke("inbox.take", (push.key,), named), before)

    def _heard(self, step: Step) -> list[str]:
        ref = self._shared.get(step.name)
        before = ""
        if ref is not None:
            name = self._names.new(step.name, 0)
            self._names.heard[id(ref.event), ref.path] = name
            before = f"{name} = "
        named = (("timeout", _WAIT), ("name", step.name))
        return self._lines(Invoke("crew.hear", (), named), before)

    def _played(self, step: Step) -> list[str]:
        assert step.series is not None
        assert step.act is not None
        place = self._names.of[id(step.act)]
        series = step.series
        if not self._model():
            return self._lines(Invoke(f"{place}.replay", (Raw(f'DATA.state["{series.name}"]'),)))
        behaviour = Raw(f"Recorded({_constant(series.name)})")
        named = (("rate", series.rate), ("seconds", round(max(series.seconds, 0.1), 1)))
        return self._lines(Invoke(f"{place}.play", (behaviour,), named))

    def _opened(self, step: Step) -> list[str]:
        act = step.act
        assert act is not None
        assert step.written is not None
        written = step.written
        if act.party is not None:
            written.method = f"{self._names.of[id(act.party)]}.find_match"
        name = self._names.new({"chat": "room"}.get(act.kind, act.kind), id(act))
        lines = self._statement(written, "with ", f" as {name}:")
        self._depth += 1
        self._filled = False
        return lines

    def _called(self, step: Step) -> list[str]:
        written, call = step.written, step.call
        assert written is not None
        assert call is not None
        if step.act is not None and "." not in written.method:
            written.method = f"{self._names.of[id(step.act)]}.{written.method}"
        before = ""
        if id(call) in self._used:
            before = f"{self._names.new(written.noun, id(call))} = "
            self._names.inside[id(call)] = UNWRAPPED.get(written.method, ())
        lines: list[str] = []
        if call.error and call.answered:
            self._errors.add(call.error)
            lines += self._line(f"with self.player.refused({call.error}):")
            self._depth += 1
            lines += self._statement(written, before)
            self._depth -= 1
        else:
            lines += self._statement(written, before)
        for line in written.special.splitlines():
            lines += self._line(line)
        return lines

    def _statement(self, written: Written, before: str = "", after: str = "") -> list[str]:
        positional = tuple(self._argument(one) for one in written.positional)
        named = tuple((name, self._argument(one)) for name, one in written.named.items())
        return self._lines(Invoke(written.method, positional, named), before, after)

    def _argument(self, value: Any) -> Any:
        """An argument; a large one that has nothing of others in it goes into the data file."""
        made = self._expression(value)
        if not isinstance(made, (str, bytes, Mapping, list)) or _has_sources(made):
            return made
        if len(flat(made)) <= self._large:
            return made
        if isinstance(made, bytes):
            return Raw(f"base64.b64decode({self._stored(base64.b64encode(made).decode())})")
        return Raw(self._stored(made))

    def _stored(self, value: Any) -> str:
        """The source of a value in the data file."""
        name = f"{self._part.role.name} {len(self._plan.values) + 1}"
        name = next((key for key, one in self._plan.values.items() if one == value), name)
        self._plan.values[name] = value
        return f'DATA.values["{name}"]'

    def _expression(self, value: Any) -> Any:
        made = value
        if isinstance(value, (Ref, Own)):
            made = Raw(self._source(value))
        elif isinstance(value, Mixed):
            made = Text(tuple(self._expression(one) for one in value.pieces))
        elif isinstance(value, Document):
            made = self._expression(value.value)
            made = Invoke("json.dumps", (made,)) if _has_sources(made) else json.dumps(made)
        elif isinstance(value, Mapping):
            made = {name: self._expression(one) for name, one in value.items()}
        elif isinstance(value, list):
            made = self._each(value) or [self._expression(one) for one in value]
        return made

    def _each(self, value: Sequence[Any]) -> Raw | None:
        """The same field of everything that an answer lists."""
        first = value[0] if len(value) > 1 else None
        if not isinstance(first, Ref) or first.role is not self._part.role or 0 not in first.path:
            return None
        place = first.path.index(0)
        wanted = [
            replace(first, path=(*first.path[:place], i, *first.path[place + 1 :])) for i in range(len(value))
        ]
        if list(value) != wanted:
            return None
        source = self._source(replace(first, path=first.path[:place]))
        return Raw(f"[{_path('one', first.event, first.path[place + 1 :])} for one in {source}]")

    def _source(self, ref: Ref | Own) -> str:
        if isinstance(ref, Own):
            if ref.role is self._part.role:
                return "self.player.user_id" if ref.what == "user_id" else "self.player.session.username"
            index = [part.role for part in self._plan.parts].index(ref.role)
            return f"crew.members[{index}].{'user_id' if ref.what == 'user_id' else 'session.username'}"
        if ref.role is not self._part.role:
            return self._names.heard[id(ref.event), ref.path]
        act = _act_of(self._part, ref.event)
        if act is not None:
            return f"{self._names.of[id(act)]}.id"
        name = self._names.of.get(id(ref.event))
        if name is None:  # its call is written as a part of something else
            return '""'
        inside = self._names.inside.get(id(ref.event), ())
        path = ref.path[len(inside) :] if ref.path[: len(inside)] == inside else ref.path
        return _path(name, ref.event, path)


def _act_of(part: Part, event: Event) -> Act | None:
    return next((act for act in part.acting.acts if act.call is event), None)


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


def _has_sources(value: Any) -> bool:
    if isinstance(value, (Raw, Text, Invoke)):
        return True
    if isinstance(value, Mapping):
        return any(map(_has_sources, value.values()))
    return isinstance(value, list) and any(map(_has_sources, value))


def _docstring(part: Part) -> str:
    does = [_ACTS[act.how.removeprefix("party.")] for act in part.acting.acts]
    rest = sum(1 for one in part.steps if one.kind == "call")
    parts = [*dict.fromkeys(does), *([f"{rest} calls"] if rest else [])]
    return (", ".join(parts) or "be there").capitalize() + "."


# Method of the writer for each kind of step.
_WRITERS: Final = {
    "call": "_called", "open": "_opened", "state": "_played", "take": "_taken", "meet": "_met",
    "share": "_handed", "hear": "_heard", "pause": "_paused", "disconnect": "_connected",
    "connect": "_connected",
}  # fmt: skip
_ACTS: Final = {
    "find_match": "find a match",
    "join_match": "join a match",
    "create_match": "create a match",
    "join_listed_match": "join a match of the server",
    "chat": "chat",
    "lead_party": "lead a party",
    "join_party": "join a party",
}

_MODEL: Final = [
    "",
    "",
    "class Recorded(Behaviour):",
    '    """Sends what was recorded: its op codes and sizes, with random bytes."""',
    "",
    "    def __init__(self, sent: tuple[tuple[int, int, int, int], ...]) -> None:",
    "        self.sent = sent",
    "",
    "    def on_tick(self, seat: Seat) -> None:",
    '        """Send one message."""',
    "        often = [row[3] for row in self.sent]",
    "        op_code, least, most, _ = seat.random.choices(self.sent, often)[0]",
    "        seat.send(op_code, seat.random.randbytes(seat.random.randint(least, most)))",
    "",
]


def _constant(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def role_calls(role: Role, redactor: Redactor) -> list[list[str]]:
    """Return what a verification compares: kind, name and outcome of each call."""
    return [
        [call.kind, redactor.part(call.name), call.error or "ok"]
        for call in role.calls
        if call.answered and REPLIES.get(call.name) is not Reply.NONE
    ]
