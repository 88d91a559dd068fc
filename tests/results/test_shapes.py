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


def test_what_fits_passes():
    check(GOOD, Outer, "it")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "it.name: str is expected, not int"),
        ({"flag": 1}, "it.flag: bool is expected, not int"),
        ({"rows": {}}, "it.rows: a list is expected, not dict"),
        ({"rows": [[]]}, "it.rows[0]: an object with text keys is expected, not list"),
        ({"rows": [{"number": 1}]}, "it.rows[0]: 'ratio' is missing"),
        ({"rows": [{"number": True, "ratio": 1.0}]}, "it.rows[0].number: int is expected, not bool"),
        ({"rows": [{"number": 1, "ratio": "1"}]}, "it.rows[0].ratio: float or null is expected, not str"),
        ({"raw": [1, 2.0]}, "it.raw[1]: int is expected, not float"),
        ({"by_name": {1: 1.0}}, "it.by_name: an object with text keys is expected, not dict"),
        ({"by_name": {"a": None}}, "it.by_name.a: float is expected, not NoneType"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ShapeError) as raised:
        check({**GOOD, **change}, Outer, "it")
    assert str(raised.value) == message


def test_a_missing_key_is_named():
    with pytest.raises(ShapeError, match="it: 'name' is missing"):
        check({}, Outer, "it")
