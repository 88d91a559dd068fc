"""Load over time: stages, steps, spike, soak, an open model of arrivals, and a search. Pure.

On the command line a profile is ``MODEL:item,item``, in a TOML file it is a ``[load]`` table of the same names:

    stages:50/30s,50/2m,0/30s                           users / over how long, linearly from the stage before
    steps:from=10,to=50,by=10,each=1m
    spike:base=20,peak=200,before=1m,rise=5s,hold=30s,fall=5s,after=1m
    soak:users=100,ramp=2m,for=8h
    open:rate=200,for=30s,arrivals=poisson              arrivals a second, each runs a scenario once
    open:50/10s,200/1m,max_in_flight=500
    search:from=50,to=5000,trial=60s                    trials at loads that a capacity search chooses
    search:from=5,to=400,trial=60s,of=arrivals          the same in arrivals a second

A duration is ``250ms``, ``30s``, ``2 min``, ``1h30m`` or a number of seconds. A stage of ``0s`` is a jump.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, count, pairwise
from math import sqrt
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError
from nakama_bots.settings.toml_file import KeyPath, TomlFile
from nakama_bots.settings.values import Kind, choice, duration, number, one_of, plain, whole

TABLE: Final = "load"
PROFILE_FLAG: Final = "--nakama-profile"

OPEN: Final = "open"
POISSON: Final = "poisson"
CONSTANT: Final = "constant"
SEARCH: Final = "search"
PLAYERS: Final = "players"
ARRIVALS: Final = "arrivals"

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

    def ahead(self, elapsed: float, seconds: float) -> float:
        """The value ``seconds`` later, or before the next jump or the end if that is earlier; 0 after it."""
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
class SearchLoad:
    """Trials at loads from ``low`` to ``high``, in players or arrivals a second (``of``); times in seconds.

    ``warmup`` 0: the gate's, or a quarter of the trial. The search ends when its interval is ``width`` of the
    capacity, after ``trials`` trials, or when another would end after ``max_time``.
    """

    low: int
    high: int
    of: str
    trial: float
    warmup: float
    settle: float
    trials: int
    width: float
    max_time: float


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """A checked load profile; ``text`` is how the command line has it. ``open`` None: users, not arrivals.

    ``search``: the load is that of the trial; ``curve`` is the most that there may be.
    """

    model: str
    curve: Curve
    open: OpenLoad | None
    text: str
    search: SearchLoad | None = None

    @classmethod
    def parse(cls, text: str) -> LoadProfile:
        """A profile as on the command line; ``ConfigError`` names the item that is wrong."""
        model, colon, rest = text.strip().partition(":")
        try:
            return _build(_known(model), _items(rest) if colon else {})
        except _StepRefused as error:
            shown = text if error.value is None else str(error.value)
            named = error.path and error.path[0] not in (_MODEL, error.value)
            accepted = f"{_named(error.path)}: {error.accepted}" if named else error.accepted
            raise ConfigError(TABLE, shown, accepted) from None

    @classmethod
    def read(cls, path: Path) -> LoadProfile:
        """The ``[load]`` table of a TOML file; ``ConfigError`` names the line and key that are wrong."""
        file = TomlFile.read(path, PROFILE_FLAG)
        given = dict(file.table(TABLE, PROFILE_FLAG))
        try:
            return _build(_known(given.pop(_MODEL, None)), given)
        except _StepRefused as error:
            missing = error.value is None
            place = (TABLE,) if missing else (TABLE, *error.path)
            value = "nothing" if missing else error.value
            raise file.refused(place, _named(error.path), value, error.accepted) from None

    @property
    def most_users(self) -> int:
        """How many users there may be at once."""
        return self.open.max_in_flight if self.open is not None else round(self.curve.peak)

    def of_trial(self, rate: float, warmup: float) -> LoadProfile:
        """The open model of a trial of a search: ``rate`` arrivals a second, after a ramp of ``warmup``."""
        assert self.open is not None
        assert self.search is not None
        bounds = (f"{key}={row.write(getattr(self.open, key))}" for key, row in _BOUNDS.items())
        stages = f"{plain(rate)}/{plain(warmup)}s,{plain(rate)}/{plain(self.search.trial - warmup)}s"
        return LoadProfile.parse(f"{OPEN}:{stages},{','.join(bounds)}")

    def arrival_times(self, seed: int) -> Iterator[float]:
        """Seconds from the start to each arrival, ascending; the same for the same ``seed``."""
        if self.open is None:
            return iter(())
        poisson = self.open.arrivals == POISSON
        return self.curve.times(_unit_poisson(seed) if poisson else count(0.0))


def _unit_poisson(seed: int) -> Iterator[float]:
    """A Poisson process of rate 1; the curve's area as its clock makes it one of the curve's rate."""
    draw = random.Random(f"arrivals-{seed}").expovariate
    return accumulate(draw(1.0) for _ in count())


class _StepRefused(ValueError):
    """What is at ``path`` in the profile cannot have ``value``, None where it is missing."""

    def __init__(self, path: KeyPath, value: object, accepted: str) -> None:
        super().__init__(path)
        self.path = path
        self.value = value
        self.accepted = accepted


def _named(path: KeyPath) -> str:
    """As a person counts: ``stages[2].over`` is in the second stage."""
    parts = (f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(parts).removeprefix(".")


@dataclass(frozen=True, slots=True)
class _Key:
    """``default`` None: it is required. ``unit`` follows a number in the text of a profile."""

    kind: Kind
    default: Any = None
    unit: str = ""

    def write(self, value: Any) -> str:
        """``value`` as on the command line."""
        return value if isinstance(value, str) else plain(value) + self.unit


@dataclass(frozen=True, slots=True)
class _Model:
    """``make`` makes the stages from the ``keys``; with ``takes_stages`` they may be given instead."""

    keys: Mapping[str, _Key]
    make: Callable[[Mapping[str, Any]], list[Stage]] | None
    takes_stages: bool = False
    target: str = "users"


_USERS: Final = whole()
_SOME_USERS: Final = whole(1)
_RATE: Final = number(of="arrivals a second")
_SOME_RATE: Final = number(above=0, of="arrivals a second")
_SPAN: Final = duration()


def _span(default: float) -> _Key:
    return _Key(_SPAN, default, "s")


_SOME_SPAN: Final = _Key(duration(above=0), None, "s")

_MODEL: Final = "model"
_STAGES: Final = "stages"
_OVER: Final = "over"


def _make_steps(given: Mapping[str, Any]) -> list[Stage]:
    first, last, by = given["from"], given["to"], given["by"]
    if abs(last - first) / by > _MOST_STEPS:
        raise _StepRefused(("by",), by, f"a number that makes no more than {_MOST_STEPS} steps")
    levels = [*range(first, last, by if last >= first else -by), last]
    return [stage for users in levels for stage in (Stage(users, 0.0), Stage(users, given["each"]))]


def _make_spike(given: Mapping[str, Any]) -> list[Stage]:
    base, peak = given["base"], given["peak"]
    return [
        Stage(base, 0.0), Stage(base, given["before"]), Stage(peak, given["rise"]), Stage(peak, given["hold"]),
        Stage(base, given["fall"]), Stage(base, given["after"]),
    ]  # fmt: skip


def _make_search(given: Mapping[str, Any]) -> list[Stage]:
    if given["from"] > given["to"]:
        raise _StepRefused(("from",), given["from"], f"a load up to that of to ({given['to']})")
    if given["trial"] <= given["warmup"]:
        accepted = f"a trial longer than its warm-up ({plain(given['warmup'])} s)"
        raise _StepRefused(("trial",), f"{plain(given['trial'])}s", accepted)
    if given["max_time"] < given["trial"]:
        accepted = f"at least one trial ({plain(given['trial'])} s)"
        raise _StepRefused(("max_time",), f"{plain(given['max_time'])}s", accepted)
    return [Stage(given["to"], 0.0), Stage(given["to"], given["max_time"])]


def _make_ramp(given: Mapping[str, Any]) -> list[Stage]:
    target = given["rate"] if "rate" in given else given["users"]
    return [Stage(target, given["ramp"]), Stage(target, given["for"])]


_BOUNDS: Final[Mapping[str, _Key]] = {
    "arrivals": _Key(choice(POISSON, CONSTANT), POISSON),
    "max_in_flight": _Key(_SOME_USERS, 1000),
    "max_start_delay": replace(_SOME_SPAN, default=0.25),
    "drain": _span(10.0),
}

MODELS: Final[Mapping[str, _Model]] = {
    "stages": _Model({}, None, takes_stages=True),
    "steps": _Model(
        {"from": _Key(_USERS), "to": _Key(_USERS), "by": _Key(_SOME_USERS), "each": _SOME_SPAN},
        _make_steps,
    ),
    "spike": _Model(
        {"base": _Key(_USERS), "peak": _Key(_SOME_USERS), "before": _span(0.0), "rise": _span(0.0),
         "hold": _SOME_SPAN, "fall": _span(0.0), "after": _span(0.0)},
        _make_spike,
    ),
    "soak": _Model({"users": _Key(_SOME_USERS), "ramp": _span(0.0), "for": _SOME_SPAN}, _make_ramp),
    OPEN: _Model(
        {"rate": _Key(_SOME_RATE), "ramp": _span(0.0), "for": _SOME_SPAN, **_BOUNDS},
        _make_ramp,
        takes_stages=True,
        target="rate",
    ),
    SEARCH: _Model(
        {"from": _Key(_SOME_USERS), "to": _Key(_SOME_USERS), "of": _Key(choice(PLAYERS, ARRIVALS), PLAYERS),
         "trial": replace(_SOME_SPAN, default=60.0), "warmup": _span(0.0), "settle": _span(30.0),
         "trials": _Key(_SOME_USERS, 12), "width": _Key(number(above=0, high=1), 0.1),
         "max_time": replace(_SOME_SPAN, default=3600.0), **_BOUNDS},
        _make_search,
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
            raise _StepRefused((), item, "items TARGET/DURATION or name=value, each name once")
        given[key] = value.strip()
    return given


def _known(name: object) -> str:
    if not isinstance(name, str) or name not in MODELS:
        raise _StepRefused((_MODEL,), name, f"one of {one_of(MODELS, name)}")
    return name


def _build(name: str, given: Mapping[str, Any]) -> LoadProfile:
    model = MODELS[name]
    staged = model.takes_stages and (_STAGES in given or model.make is None)
    needed = _keys(name, staged=staged, given=given)
    accepted = ", ".join([*needed, *([_STAGES] if model.takes_stages else [])])
    for key in given:
        if key not in needed and not (staged and key == _STAGES):
            raise _StepRefused(
                (key,), key, f"for {name}: {accepted}" + (" (TARGET/DURATION)" if staged else "")
            )
    values = {
        key: _value((key,), given[key], row.kind) if key in given else row.default
        for key, row in needed.items()
    }
    missing = [key for key, value in values.items() if value is None]
    if missing:
        raise _StepRefused((missing[0],), None, f"{needed[missing[0]].kind.accepted}; {name} needs it")
    stages = _stages(given.get(_STAGES), model) if staged or model.make is None else model.make(values)
    curve = Curve(tuple(stages))
    if not curve.seconds or not curve.peak:
        raise _StepRefused(
            (_STAGES if staged else _MODEL,), name, f"a profile with some {model.target} for some time"
        )
    items = [
        *(f"{plain(stage.target)}/{plain(stage.seconds)}s" for stage in (stages if staged else ())),
        *(f"{key}={needed[key].write(value)}" for key, value in values.items()),
    ]
    opened = OpenLoad(**{key: values.pop(key) for key in _BOUNDS}) if _BOUNDS.keys() <= values.keys() else None
    search = None
    if name == SEARCH:
        search = SearchLoad(values.pop("from"), values.pop("to"), **values)
    return LoadProfile(name, curve, opened, f"{name}:{','.join(items)}", search)


def _keys(name: str, *, staged: bool, given: Mapping[str, Any]) -> Mapping[str, _Key]:
    """Return the keys that a profile accepts; those of arrivals only where it has arrivals."""
    if staged:
        return _BOUNDS if name == OPEN else {}
    keys = MODELS[name].keys
    if name == SEARCH and given.get("of", PLAYERS) == PLAYERS:
        return {key: row for key, row in keys.items() if key not in _BOUNDS}
    return keys


def _value(path: KeyPath, value: object, kind: Kind) -> Any:
    try:
        return kind.read(value)
    except ValueError:
        raise _StepRefused(path, value, kind.accepted) from None


def _stages(given: object, model: _Model) -> list[Stage]:
    """Stages from pairs (command line) or from tables (TOML)."""
    target = model.target
    form = f'{{{target} = 50, {_OVER} = "30s"}}'
    if not isinstance(given, list) or not given:
        raise _StepRefused((_STAGES,), given, f"stages such as 50/30s, in TOML [{form}]")
    kind = _RATE if target == "rate" else _USERS
    stages = []
    for index, row in enumerate(given):
        pair = row if isinstance(row, tuple) else None
        if pair is None:
            if not isinstance(row, dict) or set(row) != {target, _OVER}:
                raise _StepRefused((_STAGES, index), row, form)
            pair = row[target], row[_OVER]
        level = _value((_STAGES, index, target), pair[0], kind)
        stages.append(Stage(level, _value((_STAGES, index, _OVER), pair[1], _SPAN)))
    return stages
