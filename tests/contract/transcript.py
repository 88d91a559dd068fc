"""The transcript of a session against a server: steps without values that differ between runs.

A value that the server generates (an id, a token, a time, a cursor) is bound to a placeholder named after
the step in which it first appears, so that a difference in one step does not move the names in the next.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS = re.compile(_UUID, re.IGNORECASE)
_LITERAL_IDS = {"00000000-0000-0000-0000-000000000000", "11111111-1111-4111-8111-111111111111"}
# An id in any of its forms, then a node.
_ANY = r"\{?[0-9a-fA-F-]{32,36}\}?"
_NODE = re.compile(rf"({_ANY})\.(?!{_ANY})[\w-]+")
_JWT = re.compile(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")
_TIME = re.compile(r"(?:20[2-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+")
_PARSER = re.compile(r"proto: (?:syntax error )?\(line .*", re.DOTALL)
_PLAIN = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
_DIRECT = re.compile(r"4\.(<[^<>]*>)\.(<[^<>]*>)\.")
_CURSORS = {"cursor", "next_cursor", "prev_cursor", "cacheable_cursor"}
# By the recordings, these lists have no order.
_UNORDERED = {"users", "presences", "devices", "joins", "leaves"}

Step = dict[str, Any]


class Names:
    """The placeholders of one run."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._ids: dict[str, str] = {}

    def normalise(self, value: Any, step: str, unordered: Iterable[str] = ()) -> Any:
        """``value`` without anything that differs between runs."""
        masked = self._mask(value)
        ordered = self._sort(masked, _UNORDERED | set(unordered))
        return self._direct(self._bind(ordered, step))

    def _mask(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._mask(part, name) for name, part in value.items()}
        if isinstance(value, list):
            if key == "query":
                return [[name, self._mask(text, name)] for name, text in value]
            return [self._mask(part, key) for part in value]
        if isinstance(value, str):
            return self._mask_text(value, key)
        if type(value) in (int, float) and 1_500_000_000 < value < 3_000_000_000:
            return "<unix>"
        return value

    def _mask_text(self, text: str, key: str) -> Any:
        if key in _CURSORS and text not in ("", "nonsense"):
            return "<cursor>"
        if key == "http_key" and text != "wrong":
            return "<http key>"
        if key == "data":
            text = self._decoded(text)
        if _JWT.fullmatch(text):
            body = text.split(".")[1]
            return {"jwt": self._mask(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))}
        text = text.replace(self._tag, "RUN").replace("\N{NO-BREAK SPACE}", " ").replace("proto:  ", "proto: ")
        # The position in an error of Go's parser is unstable on purpose, and so are some of its words.
        # First, as it may be long, and the later patterns would take seconds.
        text = _PARSER.sub("proto: <what the parser says>", text)
        text = _TIME.sub(lambda found: "<time:frac>" if found[1] else "<time>", text)
        text = _ADDRESS.sub("<addr>", _NODE.sub(r"\1.<node>", text))
        text = _PLAIN.sub(lambda found: self._plain(found[0]), text)
        return _IDS.sub(lambda found: self._ids.get(found[0].lower(), found[0]), text)

    def _decoded(self, text: str) -> str:
        """Decode match data that contains this run's names; all other data stays as it is."""
        try:
            content = base64.b64decode(text).decode()
        except ValueError:
            return text
        return content if self._tag in content else text

    def _plain(self, digits: str) -> str:
        """An id without hyphens gets the same name as with them; other digits stay."""
        name = self._ids.get(str(uuid.UUID(digits)))
        return digits if name is None else f"{name} without hyphens"

    def _sort(self, value: Any, unordered: set[str], key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._sort(part, unordered, name) for name, part in value.items()}
        if isinstance(value, list):
            parts = [self._sort(part, unordered, key) for part in value]
            return sorted(parts, key=_faceless) if key in unordered else parts
        return value

    def _bind(self, value: Any, step: str) -> Any:
        if isinstance(value, dict):
            return {name: self._bind(value[name], step) for name in sorted(value)}
        if isinstance(value, list):
            return [self._bind(part, step) for part in value]
        if isinstance(value, str):
            return _IDS.sub(lambda found: self._name(found[0], step), value)
        return value

    def _name(self, identifier: str, step: str) -> str:
        if identifier in _LITERAL_IDS:
            return identifier
        if identifier not in self._ids:
            # The version digit stays: session ids are of version 1, named matches of version 5.
            prefix = f"<{step}:v{identifier[14]}#"
            number = sum(name.startswith(prefix) for name in self._ids.values()) + 1
            self._ids[identifier] = f"{prefix}{number}>"
        return self._ids[identifier]

    def _direct(self, value: Any) -> Any:
        """The two users of a direct channel are ordered by their random ids."""
        if isinstance(value, dict):
            out = {name: self._direct(part) for name, part in value.items()}
            if "user_id_one" in out and "user_id_two" in out:
                out["user_id_one"], out["user_id_two"] = sorted((out["user_id_one"], out["user_id_two"]))
            return out
        if isinstance(value, list):
            return [self._direct(part) for part in value]
        if isinstance(value, str):
            return _DIRECT.sub(lambda found: "4.{}.{}.".format(*sorted(found.groups())), value)
        return value


def _faceless(value: Any) -> str:
    return _IDS.sub("<?>", json.dumps(value, sort_keys=True))


@dataclass(frozen=True)
class Difference:
    """One place in one step where two transcripts differ."""

    step: str
    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.step} at {self.path}: expected {self.expected}, got {self.got}"


def compare(expected: Sequence[Step], got: Sequence[Step]) -> list[Difference]:
    """Return every difference, step by step."""
    theirs = {step["step"]: step for step in got}
    known = {step["step"] for step in expected}
    found: list[Difference] = []
    for step in expected:
        other = theirs.get(step["step"])
        if other is None:
            found.append(Difference(step["step"], "", "the step", "nothing"))
        else:
            found += [Difference(step["step"], *one) for one in _differences(step, other, "")]
    found += [Difference(name, "", "nothing", "the step") for name in theirs if name not in known]
    return found


def _differences(expected: Any, got: Any, path: str) -> list[tuple[str, str, str]]:
    if isinstance(expected, dict) and isinstance(got, dict):
        return [
            one
            for key in sorted({*expected, *got})
            for one in _differences(
                expected.get(key, _ABSENT), got.get(key, _ABSENT), f"{path}.{key}".lstrip(".")
            )
        ]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [
            one
            for index, pair in enumerate(zip(expected, got, strict=True))
            for one in _differences(*pair, f"{path}.{index}")
        ]
    # True is not 1 in JSON.
    if type(expected) is type(got) and expected == got:
        return []
    return [(path, _shown(expected), _shown(got))]


class _Absent:
    """The value of a missing key."""


_ABSENT = _Absent()


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, sort_keys=True)
