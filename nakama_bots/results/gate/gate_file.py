"""The gate file: TOML, checked whole before any load; an error names line and key and says what is accepted."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError, without_secrets
from nakama_bots.results.gate.metrics import FAMILIES, PARTS, PATTERNED, Family, Unit
from nakama_bots.results.gate.rules import RELATIONS, Gate, Rule, Severity
from nakama_bots.results.record.gauges import unit_of

SETTING: Final = "gate file"

KeyPath = tuple[str | int, ...]
"""Keys and indices from the root."""

_EXPECTATION: Final = re.compile(
    rf"\s*([a-z_0-9.]+)\s*({'|'.join(RELATIONS)})\s*([-+]?[0-9][0-9_,]*(?:\.[0-9]+)?)\s*(\S*)\s*"
)
_EXPECTATION_FORM: Final = '"METRIC RELATION LIMIT", such as "p95 <= 50 ms" or "fail_ratio < 1 %"'
_SECONDS: Final[dict[str, Decimal]] = {
    "us": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
}
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h)\s*")
_DURATION_FORM: Final = 'a duration of 0 or more, such as "10 s", "2 min" or a number of seconds'

# What may stand behind a limit, and what it is times to become the metric's own unit.
_UNITS: Final[dict[Unit, dict[str, Decimal]]] = {
    Unit.TIME: {name: seconds * 1000 for name, seconds in _SECONDS.items()},
    Unit.RATIO: {"%": Decimal("0.01"), "": Decimal(1)},
    Unit.RATE: {"/s": Decimal(1), "/min": Decimal(1) / 60},
    Unit.COUNT: {"": Decimal(1)},
}
_LIMIT_FORMS: Final[dict[Unit, str]] = {
    Unit.TIME: "a time with its unit, such as 50 ms (us, ms, s, min, h)",
    Unit.RATIO: "a share, such as 1 % or 0.01",
    Unit.RATE: "a rate with its unit, such as 20 /s (/s, /min)",
    Unit.COUNT: "a number without a unit, such as 100",
}


_GAUGE_UNITS: Final[dict[str, dict[str, Decimal]]] = {
    "": {"": Decimal(1)},
    "s": _SECONDS,
    "cores": {"%": Decimal("0.01"), "": Decimal(1)},
    "bytes": {"B": Decimal(1), "kB": Decimal(10) ** 3, "MB": Decimal(10) ** 6, "GB": Decimal(10) ** 9},
}
_GAUGE_FORMS: Final[dict[str, str]] = {
    "": _LIMIT_FORMS[Unit.COUNT],
    "s": _LIMIT_FORMS[Unit.TIME],
    "cores": "a share of one core, such as 90 % or 0.9",
    "bytes": "a size with its unit, such as 500 MB (B, kB, MB, GB)",
}


@dataclass(frozen=True, slots=True)
class _Key:
    read: Callable[[object], Any]
    accepted: str


def read_gate(path: Path, *, allow_emulator: bool = False) -> Gate:
    """The gate in that file; ``ConfigError`` names the first thing that is wrong with it.

    ``allow_emulator`` lets the emulator count, whatever the file says.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(SETTING, without_secrets(str(path)), f"a readable TOML file ({reason})") from None
    gate = parse_gate(text, path.name)
    return replace(gate, allow_emulator=True) if allow_emulator else gate


def parse_gate(text: str, file: str) -> Gate:
    """The gate in ``text``; ``file`` is what errors call it."""
    file = without_secrets(file)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(SETTING, file, f"a TOML file ({error})") from None
    return _Reader(text, file).gate(document)


def line_of(text: str, path: KeyPath) -> int:
    """The line on which the key at ``path`` is written; 1 for what nothing in ``text`` made.

    Found by what the TOML parser makes of ever more lines: it keeps no positions. The first lines in which the
    key exists end with its value; a value of several lines begins behind the last ones that were whole.
    """
    lines = text.split("\n")  # and at nothing else that Python takes for the end of a line
    whole = 0
    for number in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("\n".join(lines[:number]) + "\n")
        except tomllib.TOMLDecodeError:
            continue
        try:
            for step in path:
                found = found[step]
        except (KeyError, IndexError, TypeError):
            whole = number
        else:
            return whole + 1
    return 1


class _Reader:
    """Reads one file's tables."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def _refused(self, path: KeyPath, value: object, accepted: str) -> ConfigError:
        table = f"rule {path[1] + 1}" if len(path) > 1 and isinstance(path[1], int) else f"[{path[0]}]"
        keys = [step for step in path[1:] if isinstance(step, str)]
        where = f"{self._file} line {line_of(self._text, path)}: {', '.join([table, *keys])}"
        shown = without_secrets(value) if isinstance(value, str) else value
        return ConfigError(where, shown, accepted)

    def gate(self, document: Mapping[str, object]) -> Gate:
        for key, value in document.items():
            if key not in ("gate", "rule"):
                raise self._refused((key,), key, "the tables [gate] and [[rule]]")
            wanted: type = dict if key == "gate" else list
            if not isinstance(value, wanted):
                raise self._refused(
                    (key,), value, f"a table that begins with {'[gate]' if wanted is dict else '[[rule]]'}"
                )
        top: Any = document.get("gate", {})
        rules: Any = document.get("rule", [])
        if not rules:
            raise ConfigError(self._file, "no rule", "a TOML file with at least one [[rule]]")
        settings = self._table(top, ("gate",), _GATE_KEYS)
        read: list[Rule] = []
        for index, rule in enumerate(rules):
            read += self._rules(rule, ("rule", index), settings)
        self._unique(read)
        return Gate(
            self._file, tuple(read), settings.get("allow_emulator", False), settings.get("abort_after", 30.0)
        )

    def _table(self, table: object, path: KeyPath, keys: Mapping[str, _Key]) -> dict[str, Any]:
        if not isinstance(table, dict):
            raise self._refused(path, table, "a table")
        values = {}
        for name, value in table.items():
            if name not in keys:
                raise self._refused((*path, name), name, ", ".join(keys))
            try:
                values[name] = keys[name].read(value)
            except ValueError:
                raise self._refused((*path, name), value, keys[name].accepted) from None
        return values

    def _rules(self, table: object, path: KeyPath, settings: Mapping[str, Any]) -> list[Rule]:
        values = self._table(table, path, _RULE_KEYS)
        subjects = [key for key in (*PATTERNED, "on") if key in values]
        if len(subjects) != 1:
            accepted = f"exactly one of {', '.join(PATTERNED)} (a name pattern) and on ({', '.join(PARTS)})"
            raise self._refused(path, ", ".join(subjects) or "no subject", accepted)
        if "expect" not in values:
            raise self._refused(path, "no expect", f"expect = {_EXPECTATION_FORM}, or a list of them")
        rules = [self._rule(expectation, path, values, settings) for expectation in values["expect"]]
        for rule in rules:
            self._check_abort(rule, path)
        return rules

    def _rule(
        self, expectation: str, path: KeyPath, values: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Rule:
        key = next(key for key in (*PATTERNED, "on") if key in values)
        family, pattern = (values["on"], "*") if key == "on" else (key, values[key])
        metric, relation, limit = self._expectation(expectation, (*path, "expect"), FAMILIES[family], pattern)
        name = values.get("name", family if key == "on" else f"{family} {pattern}")
        if "name" not in values or len(values["expect"]) > 1:
            name += f": {' '.join(expectation.split())}"
        rule = Rule(
            name,
            family,
            metric,
            relation,
            limit,
            pattern,
            severity=values.get("severity", Severity.FAIL),
            together=values.get("together", False),
            abort_on_fail=values.get("abort_on_fail", False),
            warmup=values.get("warmup", settings.get("warmup", 0.0)),
            cooldown=values.get("cooldown", settings.get("cooldown", 0.0)),
        )
        # A number that was counted is whole by itself: only the rule can ask for more.
        least = 1 if rule.measure.unit is Unit.COUNT else settings.get("min_samples", 1)
        return replace(rule, min_samples=values.get("min_samples", least))

    def _check_abort(self, rule: Rule, path: KeyPath) -> None:
        """What only the end of a run can tell must not end it."""
        if not rule.abort_on_fail:
            return
        early = rule.measure.grows and rule.relation in (">", ">=", "==")
        if early or rule.subjects.whole_run:
            accepted = (
                "a rule that can be judged before the run's end: no lower limit of a count, and not the ledger"
            )
            raise self._refused((*path, "abort_on_fail"), rule.expectation, accepted)

    def _expectation(self, text: str, path: KeyPath, family: Family, pattern: str) -> tuple[str, str, float]:
        found = _EXPECTATION.fullmatch(text)
        if found is None:
            raise self._refused(path, text, _EXPECTATION_FORM)
        name, relation, number, unit = found.groups()
        metric = family.metric(name)
        if metric is None:
            raise self._refused(path, name, f"for {family.noun}: {family.metric_names()}")
        if metric.unit is Unit.GAUGE:
            own = unit_of(pattern)
            if own is None:
                raise self._refused((*path[:-1], "gauges"), pattern, "a pattern whose gauges have one unit")
            factors, form = _GAUGE_UNITS[own], _GAUGE_FORMS[own]
        else:
            factors, form = _UNITS[metric.unit], _LIMIT_FORMS[metric.unit]
        if unit not in factors:
            raise self._refused(path, text, f"for {name} {form}")
        try:
            # Decimal: 0.7 % has to be 0.007, not a neighbour of it.
            return name, relation, float(Decimal(re.sub("[_,]", "", number)) * factors[unit])
        except InvalidOperation:
            raise self._refused(path, text, form) from None

    def _unique(self, rules: Sequence[Rule]) -> None:
        seen: set[str] = set()
        for rule in rules:
            if rule.name in seen:
                raise ConfigError(f"{self._file}: rule name", rule.name, "a name that no other rule has")
            seen.add(rule.name)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return without_secrets(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError
    return value


def _duration(value: object) -> float:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if found is None:
            raise ValueError
        return float(Decimal(found[1]) * _SECONDS[found[2]])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError
    return float(value)


def _expectations(value: object) -> list[str]:
    values: list[object] = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    if not texts or len(texts) != len(values):
        raise ValueError
    return texts


def _part(value: object) -> str:
    if not isinstance(value, str) or value not in PARTS:
        raise ValueError
    return value


_PATTERN: Final = _Key(_name, 'a name or a pattern with * and ?, such as "WS match_*"')
_GATE_KEYS: Final[dict[str, _Key]] = {
    "warmup": _Key(_duration, _DURATION_FORM),
    "cooldown": _Key(_duration, _DURATION_FORM),
    "min_samples": _Key(_whole, "a whole number of 1 or more"),
    "allow_emulator": _Key(_boolean, "true or false"),
    "abort_after": _Key(_duration, _DURATION_FORM),
}
_RULE_KEYS: Final[dict[str, _Key]] = {
    "name": _Key(_name, "a non-empty text"),
    **dict.fromkeys(PATTERNED, _PATTERN),
    "on": _Key(_part, ", ".join(PARTS)),
    "expect": _Key(_expectations, f"{_EXPECTATION_FORM}, or a list of them"),
    "severity": _Key(lambda value: Severity(str(value)), ", ".join(Severity)),
    "min_samples": _GATE_KEYS["min_samples"],
    "together": _Key(_boolean, "true or false"),
    "abort_on_fail": _Key(_boolean, "true or false"),
    "warmup": _GATE_KEYS["warmup"],
    "cooldown": _GATE_KEYS["cooldown"],
}  # fmt: skip
