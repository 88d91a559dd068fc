"""Kinds of values: one grammar for numbers, durations and names, wherever they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ConfigError
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.settings.load_profile import LoadProfile
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.table import Setting
from nakama_bots.settings.values import UNITS, Kind, choice, duration, number, one_of, seconds, whole


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (30, 30.0), (0, 0.0), (2.5, 2.5), ("30", 30.0), ("250ms", 0.25), ("250 ms", 0.25), ("2m", 120.0),
        ("2 min", 120.0), ("2min", 120.0), ("1h30m", 5400.0), ("1 h 30 min", 5400.0), ("0.7ms", 0.0007),
        (" 10 s ", 10.0), ("5us", 5e-6), ("1.5h", 5400.0),
    ],
)  # fmt: skip
def test_durations(written: object, expected: float) -> None:
    assert seconds(written) == expected


@pytest.mark.parametrize(
    "written", ["", "x", "2 weeks", "2 mins", "-1", -1, "nan", "inf", True, None, "1h x", [], "m"]
)
def test_bad_durations(written: object) -> None:
    with pytest.raises(ConfigError, match=r"^x: .*a duration such as"):
        Setting("x", duration(), 0.0, "help").read("x", written)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(list(UNITS))), min_size=1, max_size=4),
    st.sampled_from(["", " "]),
)
def test_parts_of_a_duration_add_up(parts: list[tuple[int, str]], space: str) -> None:
    written = space.join(f"{count}{space}{unit}" for count, unit in parts)
    assert seconds(written) == float(sum(count * UNITS[unit] for count, unit in parts))


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_input_is_a_valid_value_or_a_value_error(written: object) -> None:
    for kind in (duration(above=0), number(low=-1, high=1), whole(1, 9), choice("a", "b")):
        try:
            value = kind.read(written)
        except ValueError:
            continue
        assert value in ("a", "b") or -1 <= value <= 10**6


def test_both_notations_are_accepted_everywhere(tmp_path: Path) -> None:
    """A setting, a load profile and a gate file."""
    file = tmp_path / "bots.toml"
    for written in ("2m", "2 min", "120"):
        assert Settings.resolve({"match_seconds": written}, {}).match_seconds == 120.0
        assert Settings.resolve({}, {"NAKAMA_MATCH_SECONDS": written}).match_seconds == 120.0
        file.write_text(f'[nakama]\nmatch_seconds = "{written}"\n')
        assert Settings.resolve({}, {}, file).match_seconds == 120.0
        assert LoadProfile.parse(f"soak:users=1,for={written}").curve.seconds == 120.0
        gate = parse_gate(
            f'[gate]\nwarmup = "{written}"\n[[rule]]\non = "ledger"\nexpect = "unanswered == 0"\n', "g"
        )
        assert gate.rules[0].warmup == 120.0


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [
        (whole(0, 2**32 - 1), "a whole number from 0 to 4294967295"),
        (
            number(above=0, high=10_000, of="requests a second"),
            "a number of requests a second above 0, at most 10000",
        ),
        (number(low=0.01, high=1), "a number from 0.01 to 1"),
        (choice("a", "b", "c"), "a, b or c"),
        (
            duration(high=60),
            "a duration such as 250ms, 30s, 2 min or 1h30m, or a number of seconds, from 0 to 60 s",
        ),
    ],
)
def test_a_kind_says_what_it_accepts(kind: Kind, accepted: str) -> None:
    assert kind.accepted == accepted


def test_a_misspelled_name_is_suggested() -> None:
    assert one_of(["seed", "reports"], "sed") == "seed, reports; did you mean seed?"
    assert one_of(["seed", "reports"], "zzz") == "seed, reports"
