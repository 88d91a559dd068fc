"""Reads JSON as Go's protobuf JSON mapping does, and writes the few formats that Nakama needs of it.

A message is read by a ``Schema``: one parser per field, snake_case and lowerCamelCase names, null as absent,
numbers also in strings (https://protobuf.dev/programming-guides/json/).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

import orjson

from nakama_bots.emulator.formats.go_syntax import END, syntax_error

JsonObject: TypeAlias = dict[str, object]
Parser: TypeAlias = Callable[[object], object]


class Malformed(ValueError):
    """The input cannot be read; the message approximates that of Go's parser."""


class Fields(dict[str, object]):
    """A parsed message with only the given fields. The accessors return protobuf's defaults."""

    __slots__ = ()

    def text(self, name: str, default: str = "") -> str:
        """Return a string field."""
        return cast("str", self.get(name, default))

    def optional_text(self, name: str) -> str | None:
        """Return a string wrapper, None if absent."""
        return cast("str | None", self.get(name))

    def integer(self, name: str, default: int = 0) -> int:
        """Return an integer field."""
        return cast("int", self.get(name, default))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean field, or a boolean wrapper with the ``default`` if absent."""
        return cast("bool", self.get(name, default))

    def texts(self, name: str) -> list[str]:
        """Return a repeated string field."""
        return cast("list[str]", self.get(name, []))

    def messages(self, name: str) -> list[Fields]:
        """Return a repeated message field."""
        return cast("list[Fields]", self.get(name, []))

    def message(self, name: str) -> Fields:
        """Return a message field; without any fields if absent."""
        return cast("Fields", self.get(name, Fields()))

    def text_map(self, name: str) -> dict[str, str]:
        """Return a map from string to string."""
        return cast("dict[str, str]", self.get(name, {}))

    def number_map(self, name: str) -> dict[str, float]:
        """Return a map from string to double."""
        return cast("dict[str, float]", self.get(name, {}))


def _invalid(kind: str, value: object) -> Malformed:
    shown = json.dumps(value, default=str)[:100]
    return Malformed(f"proto:\u00a0(line 1:1): invalid value for {kind} field value: {shown}")


def text(value: object) -> str:
    """A string."""
    if type(value) is str:
        return value
    raise _invalid("string", value)


def flag(value: object) -> bool:
    """Parse a boolean; no other type counts as one."""
    if type(value) is bool:
        return value
    raise _invalid("bool", value)


_INTEGER = re.compile(r"-?(0|[1-9]\d{0,30})")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")


def _integer(kind: str, bits: int) -> Callable[[object], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def parse(value: object) -> int:
        number: int | None = None
        if type(value) is int:
            number = value
        elif (type(value) is float and value.is_integer()) or (
            type(value) is str and _INTEGER.fullmatch(value)
        ):
            number = int(value)
        elif type(value) is str and _NUMBER.fullmatch(value) and float(value).is_integer():
            number = int(float(value))
        if number is None or not low <= number <= high:
            raise _invalid(kind, value)
        return number

    return parse


int32 = _integer("int32", 32)
int64 = _integer("int64", 64)
_SPECIAL_DOUBLES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def double(value: object) -> float:
    """Parse a double, a number or text."""
    if type(value) in (int, float) and math.isfinite(cast("float", value)):
        return float(cast("float", value))
    if type(value) is str:
        if value in _SPECIAL_DOUBLES:
            return _SPECIAL_DOUBLES[value]
        if _NUMBER.fullmatch(value):
            return float(value)
    raise _invalid("double", value)


def data(value: object) -> str:
    """Parse bytes: base64 in either alphabet, padded or not; returned in the standard one with padding."""
    content = text(value)
    if "-" in content or "_" in content:
        content = content.replace("-", "+").replace("_", "/")
    content += "=" * (-len(content) % 4)
    try:
        return base64.b64encode(base64.b64decode(content, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise _invalid("bytes", value) from None


def repeated(parse: Parser) -> Parser:
    """Return a parser of a list, whose elements ``parse`` reads."""

    def parse_list(value: object) -> object:
        if type(value) is not list:
            raise _invalid("repeated", value)
        return [parse(item) for item in value]

    return parse_list


def mapping(parse: Parser) -> Parser:
    """Return a parser of a map with string keys, whose values ``parse`` reads."""

    def parse_map(value: object) -> object:
        if type(value) is not dict:
            raise _invalid("map", value) if not isinstance(value, _Repeated) else _duplicate("map key", value)
        return {key: parse(item) for key, item in value.items()}

    return parse_map


def camel(name: str) -> str:
    """Return the lowerCamelCase of a snake_case name."""
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


class Schema:
    """The fields of a message. ``strict``: an unknown field is an error (on the socket; REST ignores it)."""

    __slots__ = ("_names", "_oneofs", "_strict")

    def __init__(
        self, fields: Mapping[str, Parser], *, strict: bool = False, oneofs: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self._names = {alias: (name, parse) for name, parse in fields.items() for alias in (name, camel(name))}
        self._oneofs = tuple(oneofs)
        self._strict = strict

    def __call__(self, value: object) -> Fields:
        """Parse a message. ``Malformed``."""
        if not isinstance(value, dict):
            msg = f"proto:\u00a0syntax error (line 1:1): unexpected token {json.dumps(value, default=str)[:1]}"
            raise Malformed(msg)
        if isinstance(value, _Repeated) and not value.twice.isdisjoint(self._names):
            raise _duplicate("field", value)
        fields = Fields()
        for key, item in value.items():
            row = self._names.get(key)
            if row is None:
                if self._strict:
                    msg = f"proto:\u00a0(line 1:1): unknown field {json.dumps(key)}"
                    raise Malformed(msg)
                continue
            if item is None:
                continue
            name, parse = row
            if name in fields:
                msg = f"proto:\u00a0(line 1:1): duplicate field {json.dumps(key)}"
                raise Malformed(msg)
            fields[name] = parse(item)
        for group in self._oneofs:
            if sum(name in fields for name in group) > 1:
                msg = f"proto:\u00a0(line 1:1): error parsing oneof of {', '.join(group)}"
                raise Malformed(msg)
        return fields


class _Repeated(dict[str, object]):
    """An object with duplicate keys: an error only where they are read."""

    __slots__ = ("twice",)
    twice: set[str]


def _duplicate(kind: str, value: _Repeated) -> Malformed:
    return Malformed(f"proto:\u00a0(line 1:1): duplicate {kind} {json.dumps(sorted(value.twice)[0])}")


def loads(content: bytes) -> object:
    """Parse ``content`` as JSON, with only orjson in all but rare cases. ``Malformed``."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Malformed(_syntax_error(content)) from None
    # Every key has one colon: any more are in strings, or a key is duplicated.
    if content.count(b":") != _count_keys(value):
        return _first(content.decode())
    return cast("object", value)


def loads_first(content: bytes) -> object:
    """Parse the first JSON value in ``content``, as Go's decoder reads a body: the rest is ignored.

    Blank content is an empty object. ``Malformed``.
    """
    try:
        return loads(content)
    except Malformed as fault:
        try:
            text = content.decode().lstrip(_BLANK)
            return _first(text) if text else {}
        except ValueError:
            raise fault from None


_BLANK: Final = " \t\r\n"


def _count_keys(value: object) -> int:
    number = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is dict:
            number += len(item)
            pending.extend(item.values())
        elif type(item) is list:
            pending.extend(item)
    return number


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated_ = _Repeated(members)
    names = [name for name, _ in pairs]
    repeated_.twice = {name for name in members if names.count(name) > 1}
    return repeated_


# The digits of a number that fits into a double; a longer one counts as infinite.
_LONGEST_INTEGER: Final = 300


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


def _refuse(constant: str) -> object:
    raise ValueError(constant)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members, parse_int=_whole, parse_constant=_refuse)


def _first(text: str) -> object:
    try:
        value: object = _DECODER.raw_decode(text.lstrip(_BLANK))[0]
    except RecursionError:
        msg = "proto:\u00a0syntax error (line 1:1): exceeded max recursion depth"
        raise Malformed(msg) from None
    return value


def _syntax_error(content: bytes) -> str:
    try:
        content.decode()
        reason = syntax_error(content)
    except UnicodeDecodeError:
        reason = ""
    if reason == END:
        return "unexpected EOF"
    return reason or "proto:\u00a0syntax error (line 1:1): invalid UTF-8 or nesting"


def timestamp(nanoseconds: int) -> str:
    """Format a time as RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits, as protobuf writes it."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    if not fraction:
        return start + "Z"
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{start}.{digits}Z"


def jsonb(document: str) -> str:
    """Rewrite ``document`` as PostgreSQL returns it from JSONB: with spaces, keys by length then bytes."""
    try:
        return _jsonb(json.loads(document, parse_float=Decimal, parse_int=Decimal))
    except (RecursionError, ArithmeticError):
        return document  # too deep for this interpreter, or a number that PostgreSQL would have refused


# PostgreSQL refuses numbers with more digits than this, before and after the point together.
_LONGEST_NUMBER: Final = 147_455


def _jsonb(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_jsonb(key)}: {_jsonb(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jsonb, value)) + "]"
    if isinstance(value, Decimal):
        value = abs(value) if value.is_zero() else value  # PostgreSQL has no negative zero
        return f"{value:f}" if abs(value.adjusted()) <= _LONGEST_NUMBER else str(value)
    return json.dumps(value, ensure_ascii=False)
