"""Finds the values that an answer gave and a later request used, so that a scenario takes its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from nakama_bots.record import routes
from nakama_bots.record.capture.tape import RecordedPush, TapedCall
from nakama_bots.record.roles import Role

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONG: Final = re.compile(r"[0-9A-Za-z_.:+/=-]{12,}")
_ID_KEY: Final = re.compile(r"(?:^|_)(?:id|ids|ticket|token|cursor|version)$")
_SMALLEST: Final = 10_000
"""A smaller number that an answer gave and a request has is taken for the same by chance."""
_JOINS: Final = ("channel_join", "match_create", "match_join", "party_create")
_USERS: Final = frozenset({"user", "user_id", "user_ids", "ids", "owner_id", "owner_ids", "id"})
_SORTED: Final = ("user_id_one", "user_id_two")
"""Fields of a direct chat, whose users are in the order of their ids: which is first differs by run."""
_MOST_SHOWN: Final = 12

Event: TypeAlias = TapedCall | RecordedPush
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that ``event`` gave to ``role``, found there at ``path``."""

    role: Role
    event: Event
    path: Path


@dataclass(frozen=True, slots=True)
class Own:
    """The user id or user name of a role's player."""

    role: Role
    what: str


@dataclass(frozen=True, slots=True)
class Mixed:
    """A text with values of others in it."""

    pieces: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A value that is sent as JSON text."""

    value: Any


@dataclass(frozen=True, slots=True)
class Bystander:
    """A user that was not recorded; where it must exist, a new account replaces it."""

    what: str
    """user_id or username"""
    recorded: str


@dataclass(slots=True)
class Findings:
    """How many values became variables, and how many stay as they were recorded, by where they are."""

    found: Counter[str] = field(default_factory=Counter)
    constant: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        for title, counts in (("found", self.found), ("left constant", self.constant)):
            for what, number in counts.most_common(_MOST_SHOWN):
                yield f"{title}: {what}" + (f" ({number} times)" if number > 1 else "")
            if len(counts) > _MOST_SHOWN:
                yield f"{title}: {len(counts) - _MOST_SHOWN} more"


def parsed(text: Any) -> Any:
    """The JSON object or list in a text, or the text."""
    if isinstance(text, str) and text[:1] in ("{", "["):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


class Correlation:
    """What each value of the recording came from."""

    def __init__(self, roles: Sequence[Role], usable: Callable[[Ref], bool] = lambda _: True) -> None:
        """``usable`` says whether a scenario has what an event gave at a path."""
        self.findings = Findings()
        self._users = {role.user: role for role in roles}
        self._names = {role.username: role for role in roles if role.username}
        self._sources: dict[str, list[tuple[float, Ref]]] = {}
        self._asked: dict[str, float] = {}
        for role in roles:
            for call in role.calls:
                for _, value in _leaves((call.request, call.query, list(call.path))):
                    key = _key(value)
                    self._asked[key] = min(self._asked.get(key, call.at), call.at)
        for role in roles:
            for call in role.calls:
                if call.answered and not call.error:
                    self._give(role, call, call.ended, call.answer, usable)
            for push in role.pushes:
                if push.key != "match_data":
                    self._give(role, push, push.at, push.body, usable)

    def _give(self, role: Role, event: Event, at: float, body: Any, usable: Callable[[Ref], bool]) -> None:
        for path, value in _leaves(body):
            key = _key(value)
            # What a client had said before a server repeated it is the client's own.
            if self._asked.get(key, at) < at and not _repeated(path, value):
                continue
            ref = Ref(role, event, path)
            if _carries(path, value) and usable(ref):
                self._sources.setdefault(key, []).append((at, ref))

    def resolve(self, role: Role, value: Any, at: float, where: str, key: str = "") -> Any:
        """``value`` of a request at ``at``, with a ``Ref`` or ``Own`` for each part that a server gave."""
        if isinstance(value, Mapping):
            return {name: self.resolve(role, one, at, where, name) for name, one in value.items()}
        if isinstance(value, Document):
            return Document(self.resolve(role, value.value, at, where, key))
        if isinstance(value, (list, tuple)):
            return [self.resolve(role, one, at, where, key) for one in value]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return value
        found = self._single(role, value, at)
        if found is None:
            return self._inside(role, value, at, where, key) if isinstance(value, str) else value
        self.findings.found[f"{where}: {key or 'value'} from {_described(found)}"] += 1
        return found

    def _single(self, role: Role, value: Any, at: float) -> Ref | Own | None:
        if value in self._users:
            return Own(self._users[value], "user_id")
        if value in self._names:
            return Own(self._names[value], "username")
        candidates = [(when, ref) for when, ref in self._sources.get(_key(value), ()) if when <= at]
        if not candidates:
            return None

        def rank(item: tuple[float, Ref]) -> tuple[bool, bool, bool, bool, float]:
            when, ref = item
            # What the player is in comes first. What made it comes before what lists it (the player's own list
            # before another one's), and the first one before what repeats it.
            inside = ref.role is role and isinstance(ref.event, TapedCall) and ref.event.name in _JOINS
            listed = any(isinstance(one, int) for one in ref.path)
            return (
                not inside,
                isinstance(ref.event, RecordedPush),
                listed,
                listed and ref.role is not role,
                when,
            )

        return min(candidates, key=rank)[1]

    def _known(
        self, role: Role, text: str, start: int, end: int, at: float
    ) -> Iterator[tuple[int, int, Ref | Own]]:
        """Known values in a piece of a text: all of it, or what begins with an id, as a match's does."""
        whole = self._single(role, text[start:end], at)
        if whole is not None:
            yield start, end, whole
            return
        for match in UUID.finditer(text, start, end):
            for stop in range(end, match.end() - 1, -1):
                found = self._single(role, text[match.start() : stop], at)
                if found is not None:
                    yield match.start(), stop, found
                    break

    def _inside(self, role: Role, text: str, at: float, where: str, key: str) -> Any:
        """A text that has known ids in it, or an id that no answer had."""
        if key == "usernames" and "rpc" not in where:
            return Bystander("username", text)
        pieces: list[Any] = []
        end = 0
        for match in _LONG.finditer(text):
            for start, stop, found in self._known(role, text, match.start(), match.end(), at):
                pieces += [text[end:start], found] if start > end else [found]
                end = stop
                self.findings.found[f"{where}: part of {key or 'value'} from {_described(found)}"] += 1
        if pieces:
            if end < len(text):
                pieces.append(text[end:])
            return Mixed(tuple(pieces))
        if UUID.fullmatch(text):
            if "rpc" not in where and (
                key in _USERS or (not key and routes.names_users(where.partition(" ")[2]))
            ):
                return Bystander("user_id", text)
            self.findings.constant[f"{where}: {key or 'value'}, an id that no answer had"] += 1
        elif _ID_KEY.search(key) and _looks_given(text):
            self.findings.constant[f"{where}: {key}, which no answer had: the game's own"] += 1
        return text


def _key(value: Any) -> str:
    return value if isinstance(value, str) else f"#{value}"


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(one, (*path, name))
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from _leaves(one, (*path, index))
    elif isinstance(value, str):
        inner = parsed(value)
        if inner is not value:
            yield from _leaves(inner, (*path, "json()"))
        else:
            yield path, value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value


def _looks_given(value: Any) -> bool:
    """Whether a value looks made by a server: an id, a token, a large number."""
    if isinstance(value, int):
        return abs(value) >= _SMALLEST
    return bool(UUID.search(value)) or (len(value) >= 16 and any(map(str.isdigit, value)) and " " not in value)


def _repeated(path: Path, value: Any) -> bool:
    """Whether a value that a client had sent before is a server's all the same, such as an id it had before."""
    if isinstance(value, int):
        return _looks_given(value)
    return _looks_given(value) and (bool(UUID.match(value)) or bool(_ID_KEY.search(_name(path))))


def _name(path: Path) -> str:
    return next((one for one in reversed(path) if isinstance(one, str) and one != "json()"), "")


def _carries(path: Path, value: Any) -> bool:
    """Whether a value of an answer is one that a later request may have from it."""
    if isinstance(value, int):
        return abs(value) >= _SMALLEST
    if len(value) < 4 or len(value) > 4096:
        return False
    name = _name(path)
    if name in _SORTED:
        return False
    return (
        _looks_given(value)
        or bool(_ID_KEY.search(name))
        or (len(value) >= 6 and any(map(str.isdigit, value)) and " " not in value and "/" not in value)
    )


def _described(found: Ref | Own) -> str:
    if isinstance(found, Own):
        return f"the {found.role.name}'s {found.what}"
    event = found.event
    name = f"{event.kind} {event.name}" if isinstance(event, TapedCall) else f"the push {event.key}"
    path = ".".join("n" if isinstance(one, int) else one for one in found.path if one != "json()")
    return f"{name} ({path})"
