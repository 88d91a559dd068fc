"""The gate file: TOML, fully checked before any load; an error names line and key and what is accepted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError, without_secrets
from nakama_bots.results.gate.metrics import FAMILIES, PARTS, PATTERNED, MetricFamily, Unit
from nakama_bots.results.gate.rules import RELATIONS, Gate, Rule, Severity
from nakama_bots.results.record.gauges import unit_of
from nakama_bots.settings.toml_file import KeyPath, TomlFile
from nakama_bots.settings.values import UNITS, Kind, choice, duration, one_of, whole

SETTING: Final = "gate file"

_EXPECTATION: Final = re.compile(
    rf"\s*([a-z_0-9.]+)\s*({'|'.join(RELATIONS)})\s*([-+]?[0-9][0-9_,]*(?:\.[0-9]+)?)\s*(\S*)\s*"
)
_EXPECTATION_FORM: Final = '"METRIC RELATION LIMIT", such as "p95 <= 50 ms" or "fail_ratio < 1 %"'
# By the unit of a measured value: the units of a limit with their factors, and what is accepted.
_LIMITS: Final[dict[str, tuple[Mapping[str, Decimal], str]]] = {
    "ms": (
        {name: seconds * 1000 for name, seconds in UNITS.items()},
        "a time with its unit, such as 50 ms (us, ms, s, m or min, h)",
    ),
    "s": (UNITS, "a time with its unit, such as 50 ms (us, ms, s, m or min, h)"),
    "ratio": ({"%": Decimal("0.01"), "": Decimal(1)}, "a share, such as 1 % or 0.01"),
    "cores": ({"%": Decimal("0.01"), "": Decimal(1)}, "a share of one core, such as 90 % or 0.9"),
    "/s": (
        {f"/{name}": 1 / UNITS[name] for name in ("s", "m", "min", "h")},
        "a rate with its unit, such as 20 /s (/s, /min, /h)",
    ),
    "bytes": (
        {"B": Decimal(1), "kB": Decimal(10) ** 3, "MB": Decimal(10) ** 6, "GB": Decimal(10) ** 9},
        "a size with its unit, such as 500 MB (B, kB, MB, GB)",
    ),
    "": ({"": Decimal(1)}, "a number without a unit, such as 100"),
}


def read_gate(path: Path, *, allow_emulator: bool = False) -> Gate:
    """Read the gate from a file. Raises ``ConfigError``, which names the first mistake.

    ``allow_emulator`` allows the emulator as the target, whatever the file says.
    """
    file = TomlFile.read(path, SETTING)
    gate = _Reader(replace(file, name=without_secrets(path.name))).gate()
    return replace(gate, allow_emulator=True) if allow_emulator else gate


def parse_gate(text: str, file: str) -> Gate:
    """Parse the gate in ``text``; ``file`` is its name in errors."""
    return _Reader(TomlFile.parse(text, file, SETTING)).gate()


class _Reader:
    """Reads the tables of one file."""

    def __init__(self, file: TomlFile) -> None:
        self._file = file

    def _refused(self, path: KeyPath, value: object, accepted: str) -> ConfigError:
        table = f"rule {path[1] + 1}" if len(path) > 1 and isinstance(path[1], int) else f"[{path[0]}]"
        keys = [step for step in path[1:] if isinstance(step, str)]
        return self._file.refused(path, ", ".join([table, *keys]), value, accepted)

    def gate(self) -> Gate:
        """Return the gate of the file."""
        document = self._file.content
        for key, value in document.items():
            if key not in ("gate", "rule"):
                raise self._refused((key,), key, "the tables [gate] and [[rule]]")
            wanted: type = dict if key == "gate" else list
            if not isinstance(value, wanted):
                raise self._refused(
                    (key,), value, f"a table that starts with {'[gate]' if wanted is dict else '[[rule]]'}"
                )
        top: Any = document.get("gate", {})
        rules: Any = document.get("rule", [])
        if not rules:
            raise ConfigError(self._file.name, "no rule", "a TOML file with at least one [[rule]]")
        settings = self._table(top, ("gate",), _GATE_KEYS)
        read: list[Rule] = []
        for index, rule in enumerate(rules):
            read += self._rules(rule, ("rule", index), settings)
        self._unique(read)
        own = {key: settings[key] for key in ("allow_emulator", "abort_after") if key in settings}
        return Gate(self._file.name, tuple(read), **own)

    def _table(self, table: object, path: KeyPath, keys: Mapping[str, Kind]) -> dict[str, Any]:
        if not isinstance(table, dict):
            raise self._refused(path, table, "a table")
        values = {}
        for name, value in table.items():
            if name not in keys:
                raise self._refused((*path, name), name, one_of(keys, name))
            try:
                values[name] = keys[name].read(value)
            except ValueError:
                raise self._refused((*path, name), value, keys[name].accepted) from None
        return values

    def _rules(self, table: object, path: KeyPath, settings: dict[str, Any]) -> list[Rule]:
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

    def _rule(self, expectation: str, path: KeyPath, values: dict[str, Any], settings: dict[str, Any]) -> Rule:
        key = next(key for key in (*PATTERNED, "on") if key in values)
        family, pattern = (values["on"], "*") if key == "on" else (key, values[key])
        metric, relation, limit = self._expectation(expectation, (*path, "expect"), FAMILIES[family], pattern)
        name = heading = values.get("name", family if key == "on" else f"{family} {pattern}")
        if "name" not in values or len(values["expect"]) > 1:
            name += f": {' '.join(expectation.split())}"
        given = {key: value for key, value in (settings | values).items() if key in _OF_A_RULE}
        rule = Rule(name, heading, family, metric, relation, limit, pattern, **given)
        # A count is complete by itself: only the rule can require more samples.
        counts = rule.measure.unit is Unit.COUNT
        return replace(rule, min_samples=values.get("min_samples", 1)) if counts else rule

    def _check_abort(self, rule: Rule, path: KeyPath) -> None:
        """Refuse ``abort_on_fail`` for a rule that only the end of a run can decide."""
        late = rule.subjects.whole_run or (rule.measure.grows and rule.relation in (">", ">=", "=="))
        if rule.abort_on_fail and late:
            accepted = "a rule that can be judged during the run: no lower limit of a count, and not the ledger"
            raise self._refused((*path, "abort_on_fail"), rule.expectation, accepted)

    def _expectation(
        self, text: str, path: KeyPath, family: MetricFamily, pattern: str
    ) -> tuple[str, str, float]:
        found = _EXPECTATION.fullmatch(text)
        if found is None:
            raise self._refused(path, text, _EXPECTATION_FORM)
        name, relation, number, unit = found.groups()
        metric = family.metric(name)
        if metric is None:
            raise self._refused(path, name, f"for {family.noun}: {family.metric_names()}")
        own = unit_of(pattern) if metric.unit is Unit.GAUGE else metric.unit.value
        if own is None:
            raise self._refused((*path[:-1], "gauges"), pattern, "a pattern whose gauges have one unit")
        factors, form = _LIMITS[own]
        if unit not in factors:
            raise self._refused(path, text, f"for {name} {form}")
        # Decimal: 0.7 % must be exactly the float 0.007.
        return name, relation, float(Decimal(re.sub("[_,]", "", number)) * factors[unit])

    def _unique(self, rules: Sequence[Rule]) -> None:
        seen: set[str] = set()
        for rule in rules:
            if rule.name in seen:
                raise ConfigError(
                    f"{self._file.name}: rule name", rule.name, "a name that is unique in the file"
                )
            seen.add(rule.name)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return without_secrets(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _expectations(value: object) -> list[str]:
    values: list[object] = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    if not texts or len(texts) != len(values):
        raise ValueError
    return texts


_DURATION: Final = duration()
_SOME: Final = whole(1, 10**12)
_BOOLEAN: Final = Kind(_boolean, "true or false")
_PATTERN: Final = Kind(_name, 'a name or a pattern with * and ?, such as "WS match_*"')
_OF_A_RULE: Final = ("severity", "min_samples", "together", "abort_on_fail", "warmup", "cooldown")
"""Keys of a rule, or of the gate for all rules, that are fields of ``Rule``."""
_GATE_KEYS: Final[dict[str, Kind]] = {
    "warmup": _DURATION,
    "cooldown": _DURATION,
    "min_samples": _SOME,
    "allow_emulator": _BOOLEAN,
    "abort_after": _DURATION,
}
_RULE_KEYS: Final[dict[str, Kind]] = {
    "name": Kind(_name, "a non-empty text"),
    **dict.fromkeys(PATTERNED, _PATTERN),
    "on": choice(*PARTS),
    "expect": Kind(_expectations, f"{_EXPECTATION_FORM}, or a list of them"),
    "severity": Kind(lambda value: Severity(str(value)), ", ".join(Severity)),
    "min_samples": _SOME,
    "together": _BOOLEAN,
    "abort_on_fail": _BOOLEAN,
    "warmup": _DURATION,
    "cooldown": _DURATION,
}  # fmt: skip
