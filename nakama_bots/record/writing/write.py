"""The Python source of a scenario from its plan."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from nakama_bots.record.plan import ScenarioPlan
from nakama_bots.record.steps import Part
from nakama_bots.record.writing.body import WAIT, RoleBody
from nakama_bots.record.writing.code import Invoke, Raw, flat, statement, statement_of_import, width_for
from nakama_bots.record.writing.helpers import Function, Helpers
from nakama_bots.record.writing.loops import Loops
from nakama_bots.record.writing.nodes import Layout, Node, names_in, walk

_API: Final = "self.player.api"
_OFTEN: Final = 3
"""Calls of the API from which on it has a short name."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How a scenario is written to ``output``: ``pace`` thinking or recorded, ``state`` replay or model."""

    output: Path
    pace: str = "thinking"
    state: str = "replay"
    keep_texts: bool = False

    @property
    def class_name(self) -> str:
        """``my_game.py`` has the user class ``MyGame``."""
        words = filter(None, re.split(r"[^0-9A-Za-z]+", self.output.stem))
        name = "".join(word[0].upper() + word[1:] for word in words) or "Recorded"
        return name if name[0].isalpha() else f"Recorded{name}"


class Writer:
    def __init__(self, plan: ScenarioPlan, options: RecordOptions) -> None:
        self._plan = plan
        self._options = options
        self._width = width_for(options.output)
        self._together = len(plan.parts) > 1
        self._thinking = options.pace == "thinking"
        self._pauses = [one.seconds for part in plan.parts for one in part.steps if one.kind == "pause"]
        self._new_accounts = any(part.role.needs_new_account for part in plan.parts)
        self._errors: set[str] = set()
        self._layout = Layout(plan.values, self._width, thinking=self._thinking)

    def source(self) -> str:
        functions = self._functions()
        for one in functions:
            self._layout.arguments[f"self.{one.name}"] = tuple(name for name, _ in one.parameters)
            _drop_unused(one.body)
        bodies = [self._function(one, index) for index, one in enumerate(functions)]
        text = "\n".join(line for body in bodies for line in body)
        number = len(self._plan.parts)
        who = "one player" if number == 1 else f"{number} players who meet"
        lines = [f'"""Recorded with nakama-bots record: {who}."""', "", *self._imports(text), ""]
        lines += ["DATA = Replay.beside(__file__)", "", ""] if "DATA." in text else [""]
        lines += self._class(text)
        for body in bodies:
            lines += ["", *body]
        return "\n".join(lines) + "\n"

    def _functions(self) -> list[Function]:
        """The roles, and what they share."""
        # Lines are counted before all of a statement is known: what does not fit is not kept.
        draft = Layout({}, self._width, thinking=self._thinking)
        kinds: dict[str, str] = {}
        roles = []
        for part in self._plan.parts:
            body = RoleBody(self._plan, part, thinking=self._thinking, model=self._options.state == "model")
            nodes = body.nodes()
            self._errors |= body.errors
            kinds.update(body.kinds)
            name = part.role.name if self._together else "play"
            roles.append(Function(name, _docstring(part), nodes, [("crew", "Crew")] if self._together else []))
        loops = Loops(draft, set(kinds), thinking=self._thinking)
        for role in roles:
            role.body = loops.folded(role.body)
        functions = Helpers(draft, kinds, thinking=self._thinking).extract(roles)
        for one in functions:
            one.body = loops.folded(one.body)
        return functions

    def _function(self, function: Function, index: int) -> list[str]:
        depth = 2
        parameters = ["self", *(f"{name}: {kind}" for name, kind in function.parameters)]
        line = f"    def {function.name}({', '.join(parameters)}) -> {function.gives}:"
        lines = [line]
        if len(line) > self._width:
            lines = [
                f"    def {function.name}(",
                f"        {', '.join(parameters)}",
                f"    ) -> {function.gives}:",
            ]
            if len(lines[1]) > self._width:
                lines[1:2] = [f"        {one}," for one in parameters]
        lines.append(f'        """{function.doc}"""')
        if not self._together and not index:
            lines.insert(0, "    @task")
            if self._new_accounts:
                lines.append("        with self.player.passing_through():")
                depth += 1
        body = function.body
        uses = sum(_calls(node.expression, f"{_API}.") for node in walk(body))
        if uses >= _OFTEN:
            lines.append("    " * depth + f"api = {_API}")
            for node in walk(body):
                node.expression = _renamed(node.expression, f"{_API}.", "api.")
        return lines + self._layout.lines(body, depth)

    def _imports(self, text: str) -> list[str]:
        modules = [name for name in ("base64", "json", "math", "random") if f"{name}." in text]
        lines = [f"import {name}" for name in modules]
        if re.search(r"\bAny\b", text):
            lines.append("from typing import Any")
        if "gevent.sleep" in text:
            lines += ([""] if lines else []) + ["import gevent"]
        lines += [""] if lines else []
        names = ["NakamaUser", "between", "task"]
        names += ["thinking"] if "self.think(" in text else []
        names += ["Replay"] if "DATA." in text else []
        names += [one for one in ("ChatRoom", "Crew", "Inbox", "Match", "Party", "Player") if _typed(text, one)]
        names.sort(key=lambda name: (name[0].islower(), name))
        lines += statement_of_import("nakama_bots", names, self._width)
        if self._errors:
            lines += statement_of_import("nakama_bots.errors", sorted(self._errors), self._width)
        return lines

    def _class(self, text: str) -> list[str]:
        lines = [f"class {self._options.class_name}(NakamaUser):", f'    """{self._doc()}"""', ""]
        if not any(part.role.sockets for part in self._plan.parts):
            lines.append("    needs_socket = False")
        if any(part.role.appears_online for part in self._plan.parts):
            lines.append("    appear_online = True")
        lines.append("    wait_time = between(0.5, 1.5)")
        if "self.think(" in text:
            lines.append(f"    think = {_thinking(self._pauses)}  # from {len(self._pauses)} pauses")
        if self._together:
            lines += ["", "    @task", "    def play(self) -> None:"]
            lines += ['        """Meet the others and take a role."""', *self._meeting()]
        return lines

    def _doc(self) -> str:
        number = self._plan.players
        if number == 1:
            return "As recorded."
        does = (
            "Players who meet, each with a role"
            if self._together
            else "Players who are matched with each other"
        )
        if self._together and number > len(self._plan.parts):
            does += ", and who are matched with other such players"
        return f"{does}; run a multiple of {number} users."

    def _meeting(self) -> list[str]:
        meet = f"self.player.meet({len(self._plan.parts)}, timeout={WAIT}) as crew:"
        new = "self.player.passing_through()"
        if not self._new_accounts:
            lines, depth = [f"        with {meet}"], 3
        else:
            lines, depth = [f"        with {new}, {meet}"], 3
            if len(lines[0]) > self._width:
                lines, depth = [f"        with {new}:", f"            with {meet}"], 4
        roles = tuple(Raw(f"self.{part.role.name}") for part in self._plan.parts)
        lines += statement(roles, depth, after="[crew.index](crew)", width=self._width)
        return [*lines, f"{'    ' * depth}crew.wait()"]


def _drop_unused(nodes: list[Node]) -> None:
    """Give no name to what a block does not use."""
    for node in nodes:
        _drop_unused(node.body)
        if node.after.startswith(" as ") and not any(
            node.assigned & names_in(one.expression) for one in walk(node.body)
        ):
            node.after = ":"


def _thinking(pauses: Sequence[float]) -> str:
    """The source of the log-normal distribution of these pauses."""
    logs = list(map(math.log, pauses))
    median, spread = math.exp(statistics.fmean(logs)), statistics.pstdev(logs)
    return f"thinking(median={round(median, 2)}, spread={round(spread, 2)}, longest={round(max(pauses), 2)})"


def _typed(text: str, name: str) -> bool:
    return any(f": {kind}{name}{end}" in text for kind in ("", "list[") for end in (",", ")", "]"))


def _calls(value: Any, prefix: str) -> int:
    return flat(value).count(prefix)


def _renamed(value: Any, prefix: str, name: str) -> Any:
    if isinstance(value, Invoke) and value.function.startswith(prefix):
        return replace(value, function=name + value.function.removeprefix(prefix))
    return value


def _docstring(part: Part) -> str:
    does = [_ACTS[act.how.removeprefix("party.")] for act in part.acting.acts]
    rest = sum(1 for one in part.steps if one.kind == "call")
    parts = [*dict.fromkeys(does), *([f"{rest} call{'s' if rest > 1 else ''}"] if rest else [])]
    text = ", ".join(parts) or "be there"
    return f"{text[0].upper()}{text[1:]}."


_ACTS: Final = {
    "find_match": "find a match",
    "join_match": "join a match",
    "create_match": "create a match",
    "join_listed_match": "join a match of the server",
    "chat": "chat",
    "lead_party": "lead a party",
    "join_party": "join a party",
}
