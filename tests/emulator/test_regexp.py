"""Regular expressions whose patterns come from clients."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats.regexp import Regexp, RegexpError


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("", "a", False),
        ("a|b|", "", True),
        (r"\d{2,3}", "123", True),
        (r"\d{2,3}", "1234", False),
        (r"\d{2,}", "12345", True),
        (r"\D\W\S", "a-b", True),
        (r"[^a-c\d]+", "xyz", True),
        (r"[^a-c\d]+", "xy1", False),
        (r"[]a-]+", "a-]", True),
        (r"(?:ab)*c?", "ababc", True),
        (r"a\.b\n\t", "a.b\n\t", True),
        ("(a|ab)(c|bcd)", "abcd", True),
        ("x{0}y", "y", True),
        ("é.", "éß", True),
    ],
)
def test_matches(pattern: str, text: str, matches: bool) -> None:
    assert Regexp(pattern).fullmatch(text) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "*", "a**", "a*?", "^a", "a$", "[", "[b-a]", r"\b", "\\", "a{1", "a{x}", "a{2,1}", "a{1001}",
     "(a{1000}){1000}", "(" * 200 + ")" * 200, "{"],
)  # fmt: skip
def test_refuses(pattern: str) -> None:
    with pytest.raises(RegexpError):
        Regexp(pattern)


def test_a_pattern_made_to_hang_does_not() -> None:
    assert not Regexp("(a+)+b").fullmatch("a" * 2000)
    assert not Regexp("(a|a)*(a|a)*b").fullmatch("a" * 2000)


SAFE = st.text(alphabet="ab.|()*+?[]-d\\", max_size=10)


@given(SAFE, st.text(alphabet="abd.", max_size=6))
def test_it_agrees_with_pythons(pattern: str, text: str) -> None:
    try:
        ours = Regexp(pattern)
    except RegexpError:
        return
    with contextlib.suppress(re.error, FutureWarning):
        assert ours.fullmatch(text) == (re.fullmatch(pattern, text, re.DOTALL | re.ASCII) is not None)
