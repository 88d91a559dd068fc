"""The steps of a role, and the values of others that they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nakama_bots.record.acts import Act, Acting
from nakama_bots.record.capture.tape import RecordedPush, TapedCall
from nakama_bots.record.correlate import Document, Mixed, Own, Ref, parsed
from nakama_bots.record.roles import Role
from nakama_bots.record.state import Series
from nakama_bots.record.writing.invoke import Written


@dataclass(slots=True, eq=False)
class Step:
    """One thing that a role does. ``kind`` says which of the fields it has."""

    kind: str
    """open, close, call, state, take, meet, share, hear, done, after, wait, pause, disconnect or connect"""
    at: float
    ended: float
    act: Act | None = None
    call: TapedCall | None = None
    written: Written | None = None
    push: RecordedPush | None = None
    series: Series | None = None
    sends: list[TapedCall] = field(default_factory=list)
    value: Ref | None = None
    name: str = ""
    names: list[str] = field(default_factory=list)
    """Steps that it comes after."""
    number: int = 0
    """Players that wait at a point; 0 for all."""
    seconds: float = 0.0
    others: list[Role] = field(default_factory=list)
    """Roles that are waited for."""

    @property
    def message(self) -> str:
        """The name of its call; "" if it has none."""
        return "" if self.call is None else self.call.name

    @property
    def verb(self) -> str:
        """What it does, in a word."""
        if self.written is not None:
            return self.written.method.rpartition(".")[2]
        return {"state": "played", "take": self.push.key if self.push else ""}.get(self.kind, self.kind)


@dataclass(slots=True)
class Part:
    """A role and its steps."""

    role: Role
    acting: Acting
    steps: list[Step] = field(default_factory=list)


def refs(value: Any) -> Iterator[Ref | Own]:
    """The values of others in an argument."""
    if isinstance(value, (Ref, Own)):
        yield value
    elif isinstance(value, Document):
        yield from refs(value.value)
    elif isinstance(value, Mixed):
        for one in value.pieces:
            yield from refs(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from refs(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from refs(one)


def refs_of(step: Step) -> Iterator[Ref | Own]:
    """The values of others in a step."""
    if step.written is not None:
        yield from refs(step.written.positional)
        yield from refs(step.written.named)
    if step.value is not None:
        yield step.value


def value_of(ref: Ref) -> Any:
    """The recorded value of a reference; None if the event has it no more."""
    found: Any = ref.event.answer if isinstance(ref.event, TapedCall) else ref.event.body
    for one in ref.path:
        try:
            found = parsed(found) if one == "json()" else found[one]
        except (KeyError, IndexError, TypeError):
            return None
    return found
