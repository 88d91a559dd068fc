"""JSON read and written as Go's protobuf mapping does."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats import tokens
from nakama_bots.emulator.formats.protojson import (
    Malformed,
    Schema,
    data,
    double,
    flag,
    int32,
    int64,
    jsonb,
    loads,
    loads_first,
    mapping,
    text,
    timestamp,
)


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5), (2.0, 2), ("7", 7), ("-3", -3), ("1e3", 1000), (2**31 - 1, 2**31 - 1)]
)
def test_integers(value: object, number: int) -> None:
    assert int32(value) == int64(value) == number


@pytest.mark.parametrize(
    "value", [1.5, "1.5", "abc", "", " 1", "01", True, None, [], 2**31, "2147483648", 1e300]
)
def test_bad_int32(value: object) -> None:
    with pytest.raises(Malformed):
        int32(value)


@pytest.mark.parametrize(("value", "number"), [(1, 1.0), ("2.5e1", 25.0), ("-Infinity", -math.inf)])
def test_doubles(value: object, number: float) -> None:
    assert double(value) == number
    assert math.isnan(double("NaN"))


@pytest.mark.parametrize("value", [True, "ten", None, []])
def test_bad_double(value: object) -> None:
    with pytest.raises(Malformed):
        double(value)


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_bad_bool(value: object) -> None:
    with pytest.raises(Malformed):
        flag(value)


@pytest.mark.parametrize(("value", "content"), [("YQ==", "YQ=="), ("YQ", "YQ=="), ("-_-_", "+/+/"), ("", "")])
def test_base64_in_both_alphabets(value: str, content: str) -> None:
    assert data(value) == content


@pytest.mark.parametrize("value", ["Y", "Y Q=", "Ä", 5])
def test_bad_base64(value: object) -> None:
    with pytest.raises(Malformed):
        data(value)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":null,"a":1}',
        b'{"m":{"x":"1","x":"2"}}',
        b'{"n":{"b":":","b":":"}}',
    ],
)
def test_duplicate_key(content: bytes) -> None:
    schema = Schema({"a": int32, "m": mapping(text), "n": Schema({"b": text})})
    with pytest.raises(Malformed, match="duplicate"):
        schema(loads(content))


def test_duplicate_unknown_key() -> None:
    content = b'{"x":1,"x":2,"y":{"z":1,"z":2},"a":3}'
    assert Schema({"a": int32})(loads(content)) == {"a": 3}
    with pytest.raises(Malformed, match="unknown"):
        Schema({"a": int32}, strict=True)(loads(content))


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a":1} x', {"a": 1}),
        (b'{"a":1}{"a":2}', {"a": 1}),
        (b'{"a":1}}', {"a": 1}),
        (b" \n ", {}),
        (b"", {}),
        (b'{"a":1}\x00', {"a": 1}),
        (b'{"a":1e999}', {"a": math.inf}),
        (b'{"a":1' + b"0" * 100_000 + b"}", {"a": math.inf}),
    ],
)
def test_first_value_of_a_body(content: bytes, value: object) -> None:
    assert loads_first(content) == value


@pytest.mark.parametrize(
    "content", [b"{", b"NaN", b"[1,]", b'{"a":"\xff"}', b"x", b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_body_without_a_first_value(content: bytes) -> None:
    with pytest.raises(Malformed):
        loads_first(content)


@pytest.mark.parametrize("parse", [int32, int64, double])
def test_number_with_too_many_digits(parse: Callable[[object], object]) -> None:
    with pytest.raises(Malformed):
        parse(loads_first(b"9" * 100_000))


@pytest.mark.parametrize("content", [b'{"a":"x:y"}', b'{"a":{"a":1}}', b'[{"a":1},{"a":1}]', b'{":":":"}'])
def test_colons_in_strings(content: bytes) -> None:
    loads(content)


def test_deep_nesting() -> None:
    deep = b'{"a:":' * 900 + b"1" + b"}" * 900
    with pytest.raises(Malformed):
        loads(b"[" * 100000)
    try:
        loads(deep)
    except Malformed as error:
        assert "depth" in str(error)  # noqa: PT017 - how deep is the interpreter's business


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"a":', "unexpected EOF"),
        (b'{"a', "unexpected EOF"),
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"\xff", "invalid UTF-8"),
    ],
)
def test_bad_json(content: bytes, text: str) -> None:
    with pytest.raises(Malformed, match=text):
        loads(content)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.500Z"),
        (1_000_001_000, "1970-01-01T00:00:01.000001Z"),
        (1_000_000_001, "1970-01-01T00:00:01.000000001Z"),
    ],
)
def test_timestamps(nanoseconds: int, text: str) -> None:
    assert timestamp(nanoseconds) == text


@pytest.mark.parametrize(
    ("document", "stored"),
    [
        ('{"n":1}', '{"n": 1}'),
        ('{"bb":1,"a":[true,null,"ä"],"b":1.50}', '{"a": [true, null, "ä"], "b": 1.50, "bb": 1}'),
        ('{"a":1,"a":2}', '{"a": 2}'),
        ("{}", "{}"),
        ('{"n":1e2,"m":-12345678901234567890}', '{"m": -12345678901234567890, "n": 100}'),
        ('{"n":1e999999999}', '{"n": 1E+999999999}'),
        ('{"n":' + "[" * 2000 + "]" * 2000 + "}", '{"n":' + "[" * 2000 + "]" * 2000 + "}"),
    ],
)
def test_documents_are_normalised_as_by_the_database(document: str, stored: str) -> None:
    assert jsonb(document) == stored


@given(st.text(st.characters(), max_size=60))
def test_bad_tokens(text: str) -> None:
    assert tokens.verify(text, "key", 0.0) is None


def test_tokens() -> None:
    token = tokens.sign({"uid": "x", "exp": 100}, "key")
    assert tokens.verify(token, "key", 99.9) == {"uid": "x", "exp": 100}
    assert tokens.verify(token, "key", 100.0) is None
    assert tokens.verify(token, "other", 0.0) is None
    assert tokens.verify(tokens.sign({"uid": "x"}, "key"), "key", 0.0) is None
    assert tokens.SessionClaims.verify(tokens.sign({"exp": 100}, "key"), "key", 0.0) is None
