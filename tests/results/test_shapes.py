from __future__ import annotations

from typing import TypedDict

import pytest

from nakama_bots.results.shapes import ShapeError, check


class Inner(TypedDict):
    number: int
    ratio: float | None


class Outer(TypedDict):
    name: str
    flag: bool
    rows: list[Inner]
    raw: list[int]
    by_name: dict[str, float]


GOOD = {
    "name": "x",
    "flag": True,
    "rows": [{"number": 1, "ratio": None}, {"number": 2, "ratio": 0.5}, {"number": 3, "ratio": 2}],
    "raw": [1, 2],
    "by_name": {"a": 1.0, "b": 2},
    "of a later version": object(),
}


def test_matching_values_pass():
    check(GOOD, Outer, "it")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "it.name: Expected str, got int"),
        ({"flag": 1}, "it.flag: Expected bool, got int"),
        ({"rows": {}}, "it.rows: Expected array, got object"),
        ({"rows": [[]]}, "it.rows[0]: Expected object, got array"),
        ({"rows": [{"number": 1}]}, "it.rows[0]: Object missing required field ratio"),
        ({"rows": [{"number": True, "ratio": 1.0}]}, "it.rows[0].number: Expected int, got bool"),
        ({"rows": [{"number": 1, "ratio": "1"}]}, "it.rows[0].ratio: Expected float | null, got str"),
        ({"raw": [1, 2.5]}, "it.raw[1]: Expected int, got float"),
        ({"by_name": {1: 1.0}}, "key in it.by_name: Expected str, got int"),
        ({"by_name": {"a": None}}, "it.by_name[...]: Expected float, got null"),
    ],
)
def test_mismatches_are_named(change, message):
    with pytest.raises(ShapeError) as raised:
        check({**GOOD, **change}, Outer, "it")
    assert str(raised.value) == message


def test_a_missing_key_is_named():
    with pytest.raises(ShapeError, match="it: Object missing required field"):
        check({}, Outer, "it")
