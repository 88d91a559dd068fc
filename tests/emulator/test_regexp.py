"""Regular expressions whose patterns come from clients."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats.regexp import Pattern, RegexpError, like, regexp


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
        ("a{1", "a{1", True),
        (r"[$^?]+", "^$?", True),
        (r"\Qa+?$\E", "a+?$", True),
        (r"\$\^\?+", "$^??", True),
        ("(?i)a", "A", True),
        (r"\p{Lu}\pL", "Éa", True),
    ],
)
def test_matches(pattern: str, text: str, matches: bool) -> None:
    assert (regexp(pattern).fullmatch(text) is not None) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "*", "a**", "a*?", "^a", "a$", "a{2}?", "a??", "[", "[b-a]", r"\b", r"a\B", r"\A",
     r"a\z", "(?U)a", "(?=a)", "\\", "a{2,1}", "a{1001}", "(a{1000}){1000}"],
)  # fmt: skip
def test_refuses(pattern: str) -> None:
    with pytest.raises(RegexpError):
        regexp(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a%", "Abc\n", True),
        ("a_c", "aBc", True),
        ("a_c", "ac", False),
        (r"a\%", "a%", True),
        (r"a\%", "ab", False),
        (r"a\b", "ab", True),
        (r"a\\", "a\\", True),
        ("a.c(", "a.c(", True),
        ("a.c", "abc", False),
        ("Ä%☃", "ä☃☃", True),
        ("", "", True),
    ],
)
def test_like(pattern: str, text: str, matches: bool) -> None:
    assert (like(pattern).fullmatch(text) is not None) is matches


def seconds(pattern: Pattern, text: str) -> float:
    started = time.process_time()
    for _ in range(20):
        pattern.fullmatch(text)
    return time.process_time() - started


@pytest.mark.parametrize("pattern", ["%a" * 30 + "b", "%a" * 200 + "%b%"])
def test_like_is_linear_in_the_text(pattern: str) -> None:
    compiled = like(pattern)
    assert compiled.fullmatch("a" * 200) is None
    small, large = (min(seconds(compiled, "a" * size) for _ in range(5)) for size in (20_000, 200_000))
    assert large < 50 * small


def test_catastrophic_pattern_does_not_hang() -> None:
    assert not regexp("(a+)+b").fullmatch("a" * 2000)
    assert not regexp("(a|a)*(a|a)*b").fullmatch("a" * 2000)


SAFE = st.text(alphabet="ab.|()*+?[]-d\\", max_size=10)


@given(SAFE, st.text(alphabet="abd.", max_size=6))
def test_agrees_with_python(pattern: str, text: str) -> None:
    try:
        ours = regexp(pattern)
    except RegexpError:
        return
    with contextlib.suppress(re.error, FutureWarning):
        assert (ours.fullmatch(text) is not None) == (re.fullmatch(pattern, text, re.ASCII) is not None)
