"""What each role does, step by step: acts, calls, waits, values that roles hand over, and pauses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from nakama_bots.record import routes
from nakama_bots.record.acts import MATCHED, TICKETS, Act, acting_of, matched_users, result_of
from nakama_bots.record.capture.tape import WS, RecordedPush, Tape, TapedCall, fields, objects, whole
from nakama_bots.record.causes import cause_of
from nakama_bots.record.correlate import Bystander, Correlation, Document, Event, Mixed, Own, Path, Ref
from nakama_bots.record.meeting import Meeting
from nakama_bots.record.redact import Redactor
from nakama_bots.record.roles import Role, roles_of
from nakama_bots.record.state import Series
from nakama_bots.record.steps import Part, Step, refs_of
from nakama_bots.record.writing import invoke
from nakama_bots.record.writing.code import Raw, new_name, word_of
from nakama_bots.record.writing.invoke import Written

_REACTION: Final = 0.15
"""Seconds after a push within which a call is an answer to it."""
_SHORTEST_PAUSE: Final = 0.25
"""Seconds between two calls that are a pause of a player and not the work of a game."""
_MOST_PAUSES: Final = 0.3
"""Pauses for each call, at most: more would be half of a scenario."""
_IDLE: Final = 0.02
_FEW_SENDS: Final = 3
_SHORT_SEND: Final = 64
"""Bytes of match state that are written into the scenario, if there are few of them."""
_ONCE: Final = 'changed: PUT /v2/storage without its version "*": the object exists from then on'
_ENABLING: Final = frozenset({MATCHED, "party_leader"})
"""Pushes after which the player may do more: always waited for, even if the next call came much later."""
_UNAWAITED: Final = frozenset({
    "match_presence_event", "channel_presence_event", "party_presence_event", "stream_presence_event",
    "status_presence_event",
})  # fmt: skip
_ANSWERED: Final = {
    "channel_message_send": "channel_message", "match_data_send": "match_data", "party_data_send": "party_data",
}  # fmt: skip
"""The push with which others answer a message."""
_ECHOES: Final = ("channel_message", "match_data")
_FILTERS: Final = {"notifications": "code", "match_data": "op_code", "party_data": "op_code"}


@dataclass(slots=True)
class ScenarioPlan:
    """All that a scenario is written from."""

    parts: list[Part]
    correlation: Correlation
    notes: list[str]
    players: int = 1
    """Users that play it together: a run has a multiple of them."""
    matched: dict[str, int] = field(default_factory=dict)
    """Number, from 1, of each match whose tickets were added without waiting for it."""
    values: dict[str, Any] = field(default_factory=dict)
    """Large values that go into the data file."""
    series: list[Series] = field(default_factory=list)


def plan(tape: Tape, redactor: Redactor) -> ScenarioPlan:
    notes = list(tape.notes)
    roles = roles_of(tape, notes)
    parts = [Part(role, acting_of(role)) for role in roles]
    usable = {id(part.role): part.acting.usable for part in parts}
    correlation = Correlation(roles, lambda ref: usable[id(ref.role)](ref))
    made = ScenarioPlan(parts, correlation, notes, len(parts) or 1)
    for part in parts:
        part.steps = list(_Steps(part, made, redactor, len(parts) > 1).all())
    for part in parts:
        _take(part, parts)
    for part in parts:
        _takes_last(part)
    _hand_over(parts)
    Meeting(parts).arrange()
    for part in parts:
        _pause(part)
    return made


class _Steps:
    """The acts and calls of one role."""

    def __init__(self, part: Part, made: ScenarioPlan, redactor: Redactor, together: bool) -> None:
        self._part = part
        self._role = part.role
        self._made = made
        self._redactor = redactor
        self._together = together
        self._sends: Step | None = None

    def all(self) -> Iterator[Step]:
        calls = self._role.calls
        acting = self._part.acting
        connection = 1
        for index, call in enumerate(calls):
            now = self._role.connection_at(call.at) if call.kind == WS else connection
            if now > connection:
                yield from self._sent()
                # Before what the player was in ends: it did not leave, its connection ended.
                ended = min(call.at, self._role.sockets[now - 2].closed or call.at)
                yield Step("disconnect", ended, ended)
            yield from self._closes(index, call.at)
            if now > connection:
                connection = now
                yield Step("connect", call.at, call.at)
            if id(call) in acting.part:
                continue
            sends = self._sending(index, call)
            if sends is not None:
                if self._sends is not None and self._sends.act is not sends:
                    yield from self._sent()
                self._sends = self._sends or Step("state", call.at, call.at, act=sends)
                self._sends.sends.append(call)
                self._sends.ended = call.at
                continue
            yield from self._sent()
            act = acting.opening(call)
            if act is not None:
                since = call if act.ticket is None else act.ticket
                yield Step(
                    "open", since.at, call.ended, act=act, call=call,
                    written=self._resolved(invoke.opening(act, self._mode(act.users)), call),
                )  # fmt: skip
                continue
            yield Step(
                "call", call.at, call.ended, act=self._inside(index, call), call=call,
                written=self._call(index, call), name=self._found_by(call),
            )  # fmt: skip
        # A player is in what it did not leave until its connection ends.
        yield from self._sent()
        closed = max((one.closed or 0.0 for one in self._role.sockets), default=0.0)
        if any(act.end == len(calls) and not act.left for act in acting.acts):
            yield Step("disconnect", closed, closed)
        yield from self._closes(len(calls), closed)

    def _mode(self, users: Sequence[str]) -> Any:
        """What keeps a ticket apart from others: only players of the same crew are matched, or of the class."""
        recorded = {part.role.user for part in self._made.parts}
        if not recorded.issuperset(users):
            # Copies of the player are matched with each other.
            self._made.players = math.lcm(self._made.players, len(users))
            return Raw("type(self).__name__")
        return Raw("crew.id") if self._together else Raw("self.player.user_id")

    def _ticket_mode(self, call: TapedCall) -> Any:
        matched = self._matched(call)
        if matched is None:
            return Raw("self.player.user_id")  # it must not be matched here either
        mode = self._mode(matched_users(matched))
        result = self._found_by(call)
        if mode.text != "crew.id" or not result:
            return mode
        # A player that does not wait may have several tickets: each finds those that it had found.
        numbers = self._made.matched
        return Raw(f'f"{{crew.id}} {numbers.setdefault(result, len(numbers) + 1)}"')

    def _found_by(self, call: TapedCall) -> str:
        """What a ticket found that was added without waiting; "" if it is none."""
        matched = self._matched(call) if call.name in TICKETS else None
        result = "" if matched is None else result_of(matched)
        acts = (act for part in self._made.parts for act in part.acting.acts)
        return "" if any(act.result == result for act in acts) else result

    def _matched(self, call: TapedCall) -> RecordedPush | None:
        """The push that says that a ticket was matched."""
        ticket = fields(call.answer).get("ticket")
        pushes = (push for part in self._made.parts for push in part.role.pushes if push.key == MATCHED)
        return next(
            (one for one in pushes if ticket is not None and fields(one.body).get("ticket") == ticket), None
        )

    def _closes(self, index: int, at: float) -> Iterator[Step]:
        for act in reversed(self._part.acting.acts):
            if act.end == index:
                yield from self._sent()
                yield Step("close", at, at, act=act)

    def _sending(self, index: int, call: TapedCall) -> Act | None:
        if call.name == "match_data_send" and isinstance(call.request, Mapping):
            return self._part.acting.within("match", call.request.get("match_id", ""), index)
        if call.name == "party_data_send" and isinstance(call.request, Mapping) and not call.error:
            return self._part.acting.within("party", call.request.get("party_id", ""), index)
        return None

    def _sent(self) -> Iterator[Step]:
        """The state that was sent up to here, as single messages or as a series."""
        step, self._sends = self._sends, None
        if step is None:
            return
        assert step.act is not None
        messages = []
        for call in step.sends:
            body = call.request
            messages.append((call.at, whole(body.get("op_code")), invoke.payload_of(body.get("data"))))
        short = len(messages) <= _FEW_SENDS and all(len(data) <= _SHORT_SEND for _, _, data in messages)
        if short or step.act.kind == "party":
            for call, (at, op_code, data) in zip(step.sends, messages, strict=True):
                written = Written("send", [op_code, self._said(call, data)] if data else [op_code], {})
                yield Step("call", at, call.ended, act=step.act, call=call, written=written)
            return
        number = 1 + sum(1 for one in self._made.series if one.name.startswith(self._role.name))
        step.series = Series(f"{self._role.name} {number}", messages)
        self._made.series.append(step.series)
        yield step

    def _said(self, call: TapedCall, data: bytes) -> Any:
        """The data of a single message: text with the values that a server gave, or bytes."""
        said = self._redactor.data(data)
        if not (data.isascii() and data.decode().isprintable()):
            return said
        where = f"{call.kind} {call.name}"
        found = self._made.correlation.resolve(self._role, data.decode(), call.at, where)
        return said.decode() if isinstance(found, str) else self._clean(found, "", Written("send", [], {}))

    def _inside(self, index: int, call: TapedCall) -> Act | None:
        """The room that a call is written on."""
        request = fields(call.request)
        channel = request.get("channel_id") or (call.path[0] if call.name == "/v2/channel/{channel_id}" else "")
        return self._part.acting.within("chat", channel, index) if channel else None

    def _call(self, index: int, call: TapedCall) -> Written:
        inside = self._inside(index, call)
        if call.name in TICKETS and not call.error:
            return self._resolved(invoke.ticket(call, self._ticket_mode(call)), call)
        if call.kind == WS:
            return self._resolved(invoke.over_socket(call, inside), call)
        if call.name == "/v2/channel/{channel_id}" and (read := invoke.history(call, inside)) is not None:
            return read
        return self._resolved(_safe(invoke.over_rest(call), call, self._role, self._made.notes), call)

    def _resolved(self, written: Written, call: TapedCall) -> Written:
        where = f"{call.kind} {call.name}"
        written.call = call
        resolve = self._made.correlation.resolve
        written.positional = [
            self._clean(
                one if isinstance(one, (Raw, bytes)) else resolve(self._role, one, call.at, where), "", written
            )
            for one in written.positional
        ]
        written.named = {
            name: self._clean(resolve(self._role, one, call.at, where, name), name, written)
            if not isinstance(one, Raw) else one
            for name, one in written.named.items()
        }  # fmt: skip
        return written

    def _clean(self, value: Any, key: str, written: Written) -> Any:
        """Return ``value`` without secret and personal texts; values of answers are kept."""
        made: Any
        if isinstance(value, (Ref, Own, Raw)):
            made = value
        elif isinstance(value, Bystander):
            made = self._bystander(value, key, written)
        elif isinstance(value, Mixed):
            clean = self._redactor.personal if written.personal else self._redactor.text
            pieces = (clean(one) if isinstance(one, str) else one for one in value.pieces)
            made = Mixed(tuple(pieces))
        elif isinstance(value, Document):
            made = Document(self._clean(value.value, key, written))
        elif isinstance(value, Mapping):
            made = {self._redactor.part(name): self._clean(one, name, written) for name, one in value.items()}
        elif isinstance(value, list):
            made = [self._clean(one, key, written) for one in value]
        elif isinstance(value, bytes):
            made = self._redactor.data(value)
        elif isinstance(value, str) and written.personal and key not in ("channel_id", "message_id"):
            made = self._redactor.personal(value)
        else:
            made = self._redactor.value(value, key)
        return made

    def _bystander(self, value: Bystander, key: str, written: Written) -> Any:
        assert written.call is not None
        where = f"{written.call.kind} {written.call.name}: {key or 'user'}"
        if not _must_exist(value, written.call):
            self._made.correlation.findings.constant[f"{where}, a user that was not recorded"] += 1
            return self._redactor.text(value.recorded)
        what = f"{where} from a new account, for a user that was not recorded"
        self._made.correlation.findings.found[what] += 1
        number = self._role.bystanders.setdefault(value.recorded, len(self._role.bystanders))
        return Raw(f"others[{number}].{value.what}")


def _must_exist(user: Bystander, call: TapedCall) -> bool:
    """True if the call has the recorded outcome only for a user that exists."""
    if call.error:
        return False
    if (call.kind, call.name) == routes.LOOKUP:
        found = objects(fields(call.answer).get("users"))
        return any(user.recorded in (one.get("id"), one.get("username")) for one in found)
    return routes.needs_users(call.kind, call.name)


def _safe(written: Written, call: TapedCall, role: Role, notes: list[str]) -> Written:
    """Names that must be a bot's own, and conditions that hold only once."""
    method = written.method.rpartition(".")[2]
    if method == "create_group" and "name" in written.named:
        written.named["name"] = Raw('self.player.identity.new_name("group")')
    if method == "update_account":
        for name in ("display_name", "avatar_url", "location", "lang_tag", "timezone"):
            if written.named.get(name):
                written.named[name] = Raw(f"self.player.persona.{name}")
        if written.named.get("username"):
            written.named["username"] = Raw("self.player.session.username")
    if method == "save_object" and written.named.get("version") == "*" and not call.error and not role.created:
        del written.named["version"]
        notes.append(_ONCE)
    if method == "write_storage_objects" and not call.error and not role.created:
        for one in objects(written.positional[-1]):
            if isinstance(one, dict) and one.get("version") == "*":
                del one["version"]
                notes.append(_ONCE)
    if method == "load_object" and written.named.get("user_id") == role.user:
        del written.named["user_id"]
    return written


def _take(part: Part, parts: Sequence[Part]) -> None:
    """Wait for the pushes whose values are used, and for those that the client reacted to."""
    wanted: dict[int, RecordedPush] = {}
    for other in parts:
        for step in other.steps:
            for ref in refs_of(step):
                if isinstance(ref, Ref) and ref.role is part.role and isinstance(ref.event, RecordedPush):
                    wanted[id(ref.event)] = ref.event
    few = sum(1 for push in part.role.pushes if push.key == "match_data") <= _FEW_SENDS
    for push in part.role.pushes:
        skipped = push.key in _UNAWAITED or (push.key == "match_data" and not few)
        if not skipped and id(push) not in part.acting.part and _awaited(push, part, parts):
            wanted[id(push)] = push
    for push in sorted(wanted.values(), key=lambda one: one.at):
        step = Step("take", push.at, push.at, push=push, name=_FILTERS.get(push.key, ""))
        if push.key == MATCHED:
            step.value = _ticket_of(push, part)
        part.steps.insert(min(_place(part.steps, push.at), _too_late(push, part.steps)), step)


def _takes_last(part: Part) -> None:
    """After messages that were sent without waiting, wait for what came meanwhile."""
    index = 0
    while index < len(part.steps):
        end = index
        sends: list[Step] = []
        takes: list[Step] = []
        while end < len(part.steps) and _in_burst(part.steps[end], sends):
            (takes if part.steps[end].kind == "take" else sends).append(part.steps[end])
            end += 1
        run = part.steps[index:end]
        if len(sends) > len(takes) > 0 and any(one.kind == two.kind for one, two in pairwise(run)):
            part.steps[index:end] = [*sends, *takes]
        index = max(end, index + 1)


def _in_burst(step: Step, sends: Sequence[Step]) -> bool:
    if step.push is not None and sends:
        return _ANSWERED.get(sends[0].message) == step.push.key
    if step.kind != "call" or step.message not in _ANSWERED:
        return False
    return not sends or (step.act is sends[0].act and step.message == sends[0].message)


def _too_late(matched: RecordedPush, steps: Sequence[Step]) -> int:
    """The step that removed a ticket and was refused, because the ticket had been matched meanwhile."""
    ticket = fields(matched.body).get("ticket") if matched.key == MATCHED else None
    for index, step in enumerate(steps):
        call = step.call
        if ticket and call is not None and call.error and fields(call.request).get("ticket") == ticket:
            return index
    return len(steps)


def _ticket_of(push: RecordedPush, part: Part) -> Ref | None:
    """The ticket that was matched, in the answer that gave it."""
    ticket = fields(push.body).get("ticket")
    calls = (step.call for step in part.steps if step.kind == "call" and step.call is not None)
    given = (call for call in calls if ticket is not None and fields(call.answer).get("ticket") == ticket)
    return next((Ref(part.role, call, ("ticket",)) for call in given), None)


def _awaited(push: RecordedPush, part: Part, parts: Sequence[Part]) -> bool:
    index = _place(part.steps, push.at)
    if index == len(part.steps) or index == 0:
        return False
    before, after = part.steps[index - 1], part.steps[index]
    if push.key in _ENABLING:
        return True
    if after.kind in ("close", "disconnect") or after.at - push.at > _REACTION:
        return False
    if any(push.at < one.at <= after.at and one.key == push.key for one in part.role.pushes):
        return False
    found = cause_of(push, [one.role for one in parts])
    if found is None:
        return False  # its sender was not recorded: it would not arrive again
    own = found[0] is part.role
    # What the server sends with the answer was not waited for; the answer to a message says what its echo does.
    return not own or (push.key not in _ECHOES and push.at - before.ended >= _IDLE)


def _place(steps: Sequence[Step], at: float) -> int:
    """Before the first step that began after a time."""
    return next((index for index, step in enumerate(steps) if step.at > at), len(steps))


def _hand_over(parts: Sequence[Part]) -> None:
    """Let a role share the values that another one uses."""
    names: dict[tuple[int, Path], str] = {}
    by_role = {id(part.role): part for part in parts}
    for part in parts:
        heard: set[tuple[int, Path]] = set()
        for step in list(part.steps):
            for ref in list(refs_of(step)):
                if not isinstance(ref, Ref) or ref.role is part.role:
                    continue
                key = (id(ref.event), ref.path)
                if key not in names:
                    names[key] = _shared_name(ref, names.values())
                    _share(by_role[id(ref.role)], ref, names[key])
                if key not in heard:
                    heard.add(key)
                    at = ref.event.ended if isinstance(ref.event, TapedCall) else ref.event.at
                    part.steps.insert(part.steps.index(step), Step("hear", at, at, name=names[key]))


def _share(part: Part, ref: Ref, name: str) -> None:
    index = next(i for i, one in enumerate(part.steps) if _is_source(one, ref.event))
    ended = part.steps[index].ended
    part.steps.insert(index + 1, Step("share", ended, ended, value=ref, name=name))


def _is_source(step: Step, event: Event) -> bool:
    return step.kind in ("call", "open", "take") and event in (step.call, step.push)


def _shared_name(ref: Ref, taken: Any) -> str:
    words = [one for one in ref.path if isinstance(one, str) and one != "json()"]
    name = words[-1] if words else "value"
    if name == "id":
        noun = ref.event.name if isinstance(ref.event, TapedCall) else ref.event.key
        name = noun.rpartition("/")[2].replace("_create", "").replace("_join", "") + "_id"
    return new_name(word_of(name, "value"), taken)


def _pause(part: Part) -> None:
    """Pauses where the player thought; short ones are added to the next."""
    gaps: list[tuple[Step, float]] = []
    free = part.steps[0].at if part.steps else 0.0
    for step in part.steps:
        if step.kind not in ("close", "share", "hear", "done", "after", "wait", "take", "meet"):
            gaps.append((step, max(0.0, step.at - free)))
        free = max(free, step.ended)
    long = sorted((gap for _, gap in gaps if gap >= _SHORTEST_PAUSE), reverse=True)
    most = max(4, math.ceil(len(gaps) * _MOST_PAUSES))
    limit = _SHORTEST_PAUSE if len(long) <= most else long[most - 1]
    owed = 0.0
    for step, gap in gaps:
        owed += gap if gap >= _SHORTEST_PAUSE else 0.0
        if gap >= limit:
            index = part.steps.index(step)
            # A role that waits for another one has thought before.
            while index and part.steps[index - 1].kind in ("hear", "after", "wait", "meet"):
                index -= 1
            part.steps.insert(index, Step("pause", step.at, step.at, seconds=owed))
            owed = 0.0
