"""How much load there is at which moment: stages, steps, spike, soak, and arrivals that wait for nobody. Pure.

On the command line a profile is ``MODEL:item,item``, in a TOML file it is a ``[load]`` table of the same names:

    stages:50/30s,50/2m,0/30s                           users / over how long, linearly from the stage before
    steps:from=10,to=50,by=10,each=1m
    spike:base=20,peak=200,before=1m,rise=5s,hold=30s,fall=5s,after=1m
    soak:users=100,ramp=2m,for=8h
    open:rate=200,for=30s,arrivals=poisson              arrivals a second, each runs a scenario once
    open:50/10s,200/1m,max_in_flight=500

A duration is ``250ms``, ``30s``, ``1h30m`` or a number of seconds. A stage of ``0s`` is a jump.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError

TABLE: Final = "load"
PROFILE_FLAG: Final = "--nakama-profile"

OPEN: Final = "open"
POISSON: Final = "poisson"
CONSTANT: Final = "constant"

_LIMIT: Final = 1e6
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_STAGE: Final = re.compile(r"([^/=]+)/([^/=]+)")
_MOST_STEPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Stage:
    """From the target before to this one in ``seconds``, linearly; at once when it has none."""

    target: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Line:
    """A stage that takes time, with where it begins: ``start`` seconds, ``area`` under the curve until then."""

    start: float
    seconds: float
    first: float
    last: float
    area: float

    def at(self, elapsed: float) -> float:
        return self.first + (self.last - self.first) * (elapsed - self.start) / self.seconds

    @property
    def end(self) -> float:
        return self.start + self.seconds

    def time_of(self, area: float) -> float:
        """When the area under the curve reaches ``area``, which lies within this line."""
        wanted = area - self.area
        if wanted <= 0:
            return self.start
        slope = (self.last - self.first) / self.seconds
        root = sqrt(max(0.0, self.first**2 + 2 * slope * wanted))
        # The form of the quadratic's root that loses no digits when the slope is small.
        return min(self.end, self.start + 2 * wanted / (self.first + root))


class Curve:
    """A target over time, linear piece by piece, from 0 on; after a jump it is the new value."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._lines: list[_Line] = []
        start = value = area = 0.0
        for stage in stages:
            if stage.seconds > 0:
                self._lines.append(_Line(start, stage.seconds, value, stage.target, area))
                start += stage.seconds
                area += (value + stage.target) / 2 * stage.seconds
            value = stage.target
        self.seconds = start
        self.area = area
        self.peak = max((max(line.first, line.last) for line in self._lines), default=0.0)
        lines = self._lines
        self.jumps = [line.start for before, line in pairwise(lines) if before.last != line.first]

    def at(self, elapsed: float) -> float:
        """The value at ``elapsed`` seconds; 0 after the end."""
        line = self._line(elapsed)
        return line.at(elapsed) if line is not None else 0.0

    def ahead(self, elapsed: float, seconds: float) -> float:
        """The value ``seconds`` later, or before the next jump or the end when that comes first."""
        until = min(elapsed + seconds, self.next_edge(elapsed))
        line = next((line for line in self._lines if elapsed < line.end and until <= line.end), None)
        return line.at(until) if line is not None else 0.0

    def next_edge(self, elapsed: float) -> float:
        """When the next jump or the end is."""
        return next((edge for edge in (*self.jumps, self.seconds) if edge > elapsed), self.seconds)

    def times(self, areas: Iterator[float]) -> Iterator[float]:
        """When the area under the curve goes beyond each of the ascending ``areas``, as far as it does."""
        lines = [(line, line.area + (line.first + line.last) / 2 * line.seconds) for line in self._lines]
        index = 0
        for area in areas:
            while index < len(lines) and area >= lines[index][1]:
                index += 1
            if index == len(lines):
                return
            yield lines[index][0].time_of(area)

    def _line(self, elapsed: float) -> _Line | None:
        return next((line for line in self._lines if elapsed < line.end), None)


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """How an open model's arrivals are spaced, and what bounds them; seconds.

    An arrival that finds ``max_in_flight`` others, or would start ``max_start_delay`` late, is dropped.
    At the end those in flight have ``drain`` to finish.
    """

    arrivals: str
    max_in_flight: int
    max_start_delay: float
    drain: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked load profile; ``text`` is how the command line has it. ``open`` None: users, not arrivals."""

    model: str
    curve: Curve
    open: OpenLoad | None
    text: str

    @classmethod
    def parse(cls, text: str) -> Profile:
        """A profile as on the command line; ``ConfigError`` names the item that is wrong."""
        model, colon, rest = text.strip().partition(":")
        try:
            return _build(_known(model), _items(rest) if colon else {})
        except _Refused as error:
            shown = text if error.value is None else str(error.value)
            named = error.key and error.key not in (_MODEL, error.value)
            accepted = f"{error.key}: {error.accepted}" if named else error.accepted
            raise ConfigError(TABLE, shown, accepted) from None

    @classmethod
    def read(cls, path: Path) -> Profile:
        """The ``[load]`` table of a TOML file; ``ConfigError`` names the line and key that are wrong."""
        try:
            text = path.read_text(encoding="utf-8")
            table = tomllib.loads(text).get(TABLE)
        except OSError as error:
            raise ConfigError(PROFILE_FLAG, str(path), f"a readable TOML file ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(PROFILE_FLAG, str(path), f"a TOML file ({error})") from None
        if not isinstance(table, dict):
            raise ConfigError(PROFILE_FLAG, str(path), f"a TOML file with a [{TABLE}] table")
        given = dict(table)
        try:
            return _build(_known(given.pop(_MODEL, None)), given)
        except _Refused as error:
            where = _line_of(text, error.key)
            place = f"{path}, line {where}" if where else f"{path}: [{TABLE}]"
            name = f"{place}: {error.key}" if error.key else place
            value = "nothing" if error.value is None else error.value
            raise ConfigError(name, value, error.accepted) from None

    @property
    def most_users(self) -> int:
        """How many users there may be at once."""
        return self.open.max_in_flight if self.open is not None else round(self.curve.peak)

    def users(self, elapsed: float) -> int:
        """Users at ``elapsed`` seconds."""
        return round(self.curve.at(elapsed))

    def arrival_times(self, seed: int) -> Iterator[float]:
        """Seconds from the start to each arrival, ascending; the same for the same ``seed``."""
        if self.open is None:
            return iter(())
        poisson = self.open.arrivals == POISSON
        return self.curve.times(_unit_poisson(seed) if poisson else _unit_grid())


def _unit_grid() -> Iterator[float]:
    number = 0
    while True:
        yield float(number)
        number += 1


def _unit_poisson(seed: int) -> Iterator[float]:
    """A Poisson process of rate 1; the curve's area as its clock makes it one of the curve's rate."""
    draw = random.Random(f"arrivals-{seed}").expovariate
    total = 0.0
    while True:
        total += draw(1.0)
        yield total


class _Refused(ValueError):
    """``key`` cannot have ``value``; the caller knows where it stands."""

    def __init__(self, key: str, value: object, accepted: str) -> None:
        super().__init__(key)
        self.key = key
        self.value = value
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class _Kind:
    """A sort of value: how it is read (``ValueError`` when it cannot be), accepted, and written."""

    read: Callable[[Any], Any]
    accepted: str
    write: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class _Key:
    """``default`` None: it has to be given."""

    kind: _Kind
    default: Any = None


@dataclass(frozen=True, slots=True)
class _Model:
    """``make`` makes the stages from the ``keys``; with ``takes_stages`` they may be given instead."""

    keys: Mapping[str, _Key]
    make: Callable[[Mapping[str, Any]], list[Stage]] | None
    takes_stages: bool = False
    target: str = "users"


def _within(number: float, low: float, high: float) -> float:
    if isinstance(number, bool) or not low <= number <= high:  # False for NaN as well
        raise ValueError
    return number


def _whole(low: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, float | bool):
            raise ValueError
        return int(_within(int(value), low, _LIMIT))

    return read


def _number(value: Any) -> float:
    return _within(float(value), 0.0, _LIMIT)


def _above_zero(value: Any) -> float:
    number = _number(value)
    if not number:
        raise ValueError
    return number


def _seconds(value: Any) -> float:
    if isinstance(value, str) and _DURATION.fullmatch(value):
        value = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    return _number(value)


def _some_seconds(value: Any) -> float:
    seconds = _seconds(value)
    if not seconds:
        raise ValueError
    return seconds


def _spacing(value: Any) -> str:
    if value not in (POISSON, CONSTANT):
        raise ValueError
    return str(value)


def _plain(number: float) -> str:
    return f"{number:.12g}"


def _write_seconds(seconds: float) -> str:
    return f"{seconds:.12g}s"


_USERS: Final = _Kind(_whole(0), "a whole number from 0 to 1000000")
_SOME_USERS: Final = _Kind(_whole(1), "a whole number from 1 to 1000000")
_RATE: Final = _Kind(_number, "a number a second from 0 to 1000000", _plain)
_SOME_RATE: Final = _Kind(_above_zero, "a number a second above 0, up to 1000000", _plain)
_SPAN: Final = _Kind(_seconds, "a duration such as 250ms, 30s or 1h30m, from 0s to 1000000s", _write_seconds)
_SOME_SPAN: Final = _Kind(_some_seconds, "a duration above 0 such as 250ms, 30s or 1h30m", _write_seconds)
_SPACING: Final = _Kind(_spacing, f"{POISSON} or {CONSTANT}")

_MODEL: Final = "model"
_STAGES: Final = "stages"
_OVER: Final = "over"


def _make_steps(given: Mapping[str, Any]) -> list[Stage]:
    first, last, by = given["from"], given["to"], given["by"]
    if abs(last - first) / by > _MOST_STEPS:
        raise _Refused("by", by, f"a number that makes no more than {_MOST_STEPS} steps")
    levels = [*range(first, last, by if last >= first else -by), last]
    return [stage for users in levels for stage in (Stage(users, 0.0), Stage(users, given["each"]))]


def _make_spike(given: Mapping[str, Any]) -> list[Stage]:
    base, peak = given["base"], given["peak"]
    return [
        Stage(base, 0.0), Stage(base, given["before"]), Stage(peak, given["rise"]), Stage(peak, given["hold"]),
        Stage(base, given["fall"]), Stage(base, given["after"]),
    ]  # fmt: skip


def _make_soak(given: Mapping[str, Any]) -> list[Stage]:
    return [Stage(given["users"], given["ramp"]), Stage(given["users"], given["for"])]


def _make_open(given: Mapping[str, Any]) -> list[Stage]:
    return [Stage(given["rate"], given["ramp"]), Stage(given["rate"], given["for"])]


_BOUNDS: Final[Mapping[str, _Key]] = {
    "arrivals": _Key(_SPACING, POISSON),
    "max_in_flight": _Key(_SOME_USERS, 1000),
    "max_start_delay": _Key(_SOME_SPAN, 0.25),
    "drain": _Key(_SPAN, 10.0),
}

MODELS: Final[Mapping[str, _Model]] = {
    "stages": _Model({}, None, takes_stages=True),
    "steps": _Model(
        {"from": _Key(_USERS), "to": _Key(_USERS), "by": _Key(_SOME_USERS), "each": _Key(_SOME_SPAN)},
        _make_steps,
    ),
    "spike": _Model(
        {"base": _Key(_USERS), "peak": _Key(_SOME_USERS), "before": _Key(_SPAN, 0.0), "rise": _Key(_SPAN, 0.0),
         "hold": _Key(_SOME_SPAN), "fall": _Key(_SPAN, 0.0), "after": _Key(_SPAN, 0.0)},
        _make_spike,
    ),
    "soak": _Model({"users": _Key(_SOME_USERS), "ramp": _Key(_SPAN, 0.0), "for": _Key(_SOME_SPAN)}, _make_soak),
    OPEN: _Model(
        {"rate": _Key(_SOME_RATE), "ramp": _Key(_SPAN, 0.0), "for": _Key(_SOME_SPAN), **_BOUNDS},
        _make_open,
        takes_stages=True,
        target="rate",
    ),
}  # fmt: skip


def _items(text: str) -> dict[str, Any]:
    """The items of the command line's form, as the TOML table would have them."""
    given: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        stage = _STAGE.fullmatch(item)
        if stage is not None:
            given.setdefault(_STAGES, []).append(stage.groups())
            continue
        name, equals, value = item.partition("=")
        key = name.strip().replace("-", "_")
        if not equals or key in given or key == _STAGES:
            raise _Refused("", item, "items TARGET/DURATION or name=value, each name once")
        given[key] = value.strip()
    return given


def _known(name: object) -> str:
    if not isinstance(name, str) or name not in MODELS:
        raise _Refused(_MODEL, name, f"one of {', '.join(MODELS)}")
    return name


def _build(name: str, given: Mapping[str, Any]) -> Profile:
    model = MODELS[name]
    staged = model.takes_stages and (_STAGES in given or model.make is None)
    needed = _BOUNDS if staged and name == OPEN else {} if staged else model.keys
    accepted = ", ".join([*needed, *([_STAGES] if model.takes_stages else [])])
    for key in given:
        if key not in needed and not (staged and key == _STAGES):
            raise _Refused(key, key, f"for {name}: {accepted}" + (" (TARGET/DURATION)" if staged else ""))
    values = {
        key: _value(key, given[key], row.kind) if key in given else row.default for key, row in needed.items()
    }
    missing = [key for key, value in values.items() if value is None]
    if missing:
        raise _Refused(missing[0], None, f"{needed[missing[0]].kind.accepted}; {name} needs it")
    stages = _stages(given.get(_STAGES), model) if staged or model.make is None else model.make(values)
    curve = Curve(tuple(stages))
    if not curve.seconds or not curve.peak:
        raise _Refused(_STAGES if staged else _MODEL, name, f"a profile with some {model.target} for some time")
    items = [
        *(f"{_plain(stage.target)}/{_write_seconds(stage.seconds)}" for stage in (stages if staged else ())),
        *(f"{key}={needed[key].kind.write(value)}" for key, value in values.items()),
    ]
    bounds = {key: values[key] for key in _BOUNDS} if name == OPEN else None
    return Profile(name, curve, OpenLoad(**bounds) if bounds else None, f"{name}:{','.join(items)}")


def _value(key: str, value: object, kind: _Kind) -> Any:
    try:
        return kind.read(value)
    except (ValueError, TypeError, OverflowError):
        raise _Refused(key, value, kind.accepted) from None


def _stages(given: object, model: _Model) -> list[Stage]:
    """Stages from pairs (command line) or from tables (TOML)."""
    target = model.target
    if not isinstance(given, list) or not given:
        raise _Refused(_STAGES, given, f'stages such as 50/30s, in TOML [{{{target} = 50, {_OVER} = "30s"}}]')
    kind = _RATE if target == "rate" else _USERS
    stages = []
    for number, row in enumerate(given, 1):
        pair = row if isinstance(row, tuple) else None
        if pair is None:
            if not isinstance(row, dict) or set(row) != {target, _OVER}:
                raise _Refused(f"{_STAGES}[{number}]", row, f'{{{target} = 50, {_OVER} = "30s"}}')
            pair = row[target], row[_OVER]
        level = _value(f"{_STAGES}[{number}].{target}", pair[0], kind)
        stages.append(Stage(level, _value(f"{_STAGES}[{number}].{_OVER}", pair[1], _SPAN)))
    return stages


def _line_of(text: str, key: str) -> int:
    """The line in the ``[load]`` table that sets ``key``, or 0."""
    name, inside = re.escape(re.split(r"[\[.]", key)[0]), False
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header is not None:
            inside = header[1] == TABLE
            if header[1] == f"{TABLE}.{key.split('[', maxsplit=1)[0]}":
                return number
        elif inside and re.match(rf"""\s*["']?{name}["']?\s*=""", line):
            return number
    return 0
