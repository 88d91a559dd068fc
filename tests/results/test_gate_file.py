"""The gate file: what it means, and the errors for mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ConfigError
from nakama_bots.results.gate.gate_file import parse_gate, read_gate
from nakama_bots.results.gate.rules import Severity
from nakama_bots.settings.toml_file import TomlFile

ROOT = Path(__file__).parents[2]
GOOD = """\
# A comment
[gate]
warmup = "2 s"
min_samples = 5

[[rule]]
calls = "WS match_join"
expect = [
  "p95 <= 50 ms",   # one
  "fail_ratio <= 1 %",
]

[[rule]]
name = "delivery"
on = "delivery"
expect = "loss < 0.7 %"
severity = "warn"
min_samples = 1
warmup = 0
"""
PIECES = (
    "\n[[rule]]\n", "\n[gate]\n", "\nrule = [1]\n", "\non = [1]\n", "\nname = 1979-05-27\n",
    "\nmin_samples = 1e999\n",
    'expect = [["p95 <= 1 ms"]]\n', '\nexpect = "p95 <= 99999999999999999999999999 ms"\n', "\nrule.x = 1\n",
    "{}", "= {}\n",
    '\ngauges = "cpu"\n', '\nwarmup = "999999999999999999999 h"\n', "\r\n", "\u2028", "[[", '"""\n',
)  # fmt: skip


def test_a_gate_is_parsed() -> None:
    gate = parse_gate(GOOD, "g.toml")
    first, second, third = gate.rules
    assert (gate.file, gate.allow_emulator, gate.abort_after) == ("g.toml", False, 30.0)
    assert (first.name, second.name) == (
        "calls WS match_join: p95 <= 50 ms", "calls WS match_join: fail_ratio <= 1 %",
    )  # fmt: skip
    assert (first.limit, second.limit, third.limit) == (50.0, 0.01, 0.007)
    assert (first.warmup, first.min_samples, first.severity) == (2.0, 5, Severity.FAIL)
    assert (third.name, third.warmup, third.min_samples, third.severity) == ("delivery", 0.0, 1, Severity.WARN)


def test_minimum_samples_of_counts() -> None:
    text = '[gate]\nmin_samples = 9\n[[rule]]\non = "chat"\nexpect = ["sent >= 5", "received >= 5"]\n'
    assert [rule.min_samples for rule in parse_gate(text, "g").rules] == [1, 1]
    assert [rule.min_samples for rule in parse_gate(text + "min_samples = 3\n", "g").rules] == [3, 3]


def test_the_example_is_valid() -> None:
    gate = read_gate(ROOT / "reports/gates/example.toml")
    assert len({rule.name for rule in gate.rules}) == len(gate.rules) > 5


@pytest.mark.parametrize(
    ("old", "new", "where", "accepted"),
    [
        ("p95 <= 50 ms", "p95 <= 50", "line 8: rule 1, expect: 'p95 <= 50'", "for p95 a time with its unit"),
        ("p95 <= 50 ms", "p95 about 50", "line 8: rule 1, expect", '"METRIC RELATION LIMIT"'),
        ("p95 <= 50 ms", "p101 <= 50 ms", "line 8: rule 1, expect: 'p101'", "for call: p50, p99.9 or any"),
        ("p95 <= 50 ms", "p0 <= 50 ms", "line 8: rule 1, expect: 'p0'", "for call: p50"),
        ("loss < 0.7 %", "loss < 0.7 ms", "line 16: rule 2, expect", "for loss a share, such as 1 % or 0.01"),
        ("loss < 0.7 %", "lossy < 1 %", "line 16: rule 2, expect: 'lossy'", "for delivery: latency.p50"),
        ('expect = "loss', 'expected = "loss', "line 16: rule 2, expected", "name, calls, samples, counts"),
        ('on = "delivery"', 'on = "deliveries"', "line 15: rule 2, on: 'deliveries'",
         "ticks, delivery, delivery.party"),
        ('on = "delivery"', 'on = "delivery"\ncalls = "WS *"', "line 13: rule 2: 'calls, on'", "exactly one"),
        ('on = "delivery"\n', "", "line 13: rule 2: 'no subject'", "exactly one of calls"),
        ('expect = "loss < 0.7 %"\n', "", "line 13: rule 2: 'no expect'", "expect ="),
        ('"warn"', '"bad"', "line 17: rule 2, severity: 'bad'", "fail, warn"),
        ("min_samples = 1", "min_samples = 0", "line 18: rule 2, min_samples: 0", "a whole number from 1 to"),
        ("min_samples = 1", "together = 1", "line 18: rule 2, together: 1", "true or false"),
        ("warmup = 0", "warmup = -1", "line 19: rule 2, warmup: -1", "a duration such as 250ms"),
        ("warmup = 0", "warmup = nan", "line 19: rule 2, warmup: nan", "a duration such as 250ms"),
        ('"2 s"', '"2 weeks"', "line 3: [gate], warmup: '2 weeks'", "30s, 2 min or 1h30m"),
        ("warmup =", "wormup =", "line 3: [gate], wormup", "warmup, cooldown, min_samples, allow_emulator"),
        ("[gate]", "[gates]", "line 2: [gates]: 'gates'", "the tables [gate] and [[rule]]"),
        ("# A comment", "rule = 1\n[x]", "line 1: [rule]: 1", "[[rule]]"),
        ('severity = "warn"', 'name = "delivery"', "g.toml", "Cannot overwrite a value (at line 17"),
        ('calls = "WS match_join"', "calls = 3", "line 7: rule 1, calls: 3", "a name or a pattern"),
        ('name = "delivery"', 'name = "calls WS match_join: p95 <= 50 ms"', "rule name", "unique in the file"),
        ('severity = "warn"', "abort_on_fail = 1", "line 17: rule 2, abort_on_fail: 1", "true or false"),
        ('"loss < 0.7 %"', '"lost >= 1"\nabort_on_fail = true', "rule 2, abort_on_fail", "during the run"),
        ('calls = "WS match_join"', 'gauges = "cpu"', "line 8: rule 1, expect: 'p95'", "for gauge: max, min"),
        ('on = "delivery"', 'gauges = "hub_lag"', "rule 2, expect: 'loss'", "for gauge: max, min, mean, last"),
        ('on = "delivery"\nexpect = "loss < 0.7 %"', 'gauges = "hub_lag"\nexpect = "max < 1"', "rule 2, expect",
         "for max a time with its unit"),
        ('on = "delivery"\nexpect = "loss < 0.7 %"', 'gauges = "*"\nexpect = "max < 1"',
         "line 15: rule 2, gauges", "a pattern whose gauges have one unit"),
        ('"loss < 0.7 %"', "[]", "line 16: rule 2, expect: []", '"METRIC RELATION LIMIT"'),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_line_and_key(old: str, new: str, where: str, accepted: str) -> None:
    if "rule = 1" in new:
        text = "rule = 1\n"
    else:
        assert old in GOOD
        text = GOOD.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        parse_gate(text, "g.toml")
    message = str(caught.value)
    assert where in message
    assert accepted in message
    assert "\n" not in message


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.text(max_size=20) | st.sampled_from(PIECES))
def test_any_text_is_a_gate_or_a_one_line_error(at: int, length: int, text: str) -> None:
    try:
        gate = parse_gate(GOOD[:at] + text + GOOD[at + length :], "g.toml")
    except ConfigError:
        return  # nothing else may be raised
    assert all(rule.expectation for rule in gate.rules)


@pytest.mark.parametrize("content", [b"", b"[gate]\n", b"\xff\xfe", b"[[rule"])
def test_files_that_are_not_gates(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"g\.toml.*accepted: a .*TOML file"):
        read_gate(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_gate(tmp_path / "none.toml")


def test_a_secret_in_a_name_is_not_shown() -> None:
    planted = "eyJhbGciOi.eyJ1aWQiOi.c2lnbmF0dXJl"
    gate = parse_gate(GOOD.replace('name = "delivery"', f'name = "token={planted}"'), f"{planted}.toml")
    assert planted not in repr(gate)
    with pytest.raises(ConfigError) as caught:
        parse_gate(GOOD.replace('"warn"', f'"{planted}"'), "g.toml")
    assert planted not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("gate", "warmup"), 3), (("rule", 0), 6), (("rule", 0, "expect"), 8), (("rule", 1, "warmup"), 19),
        (("x",), 1),
    ],
)  # fmt: skip
def test_the_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    assert TomlFile.parse(GOOD, "g.toml", "gate file").line(path) == line
