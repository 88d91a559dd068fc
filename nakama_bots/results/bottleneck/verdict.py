"""Names what breaks first in a run, with its evidence. Pure.

A rule holds in a bin of the run or not. The bottleneck begins at the lowest number of players from which on it
holds in most of the bins; the run had to be there for a while. Of several, the one that begins at the fewest
players is the first to break.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypedDict

from nakama_bots.results.bottleneck.bins import RunBins, Series
from nakama_bots.results.bottleneck.figures import FIGURES, BinFigure
from nakama_bots.results.bottleneck.rules import RULES, BottleneckRule
from nakama_bots.results.bottleneck.sizing import SizePart, sizes

MOST: Final = 0.75
"""Share of the bins from a number of players on in which a rule must hold."""
AT_LEAST: Final = 10.0
"""Seconds in which it must hold."""
_NEAR: Final = 1.1
"""Two bottlenecks that begin within this factor of players begin together: the order of the rules decides."""
NOTHING: Final = "not clear: nothing stands out"


class FoundBottleneck(TypedDict):
    """A rule that held from ``players`` on: the median of its figure there, and before if the run had fewer.

    ``beside`` has other figures at the same time, ready to be shown; ``log`` the server's first line about it.
    """

    name: str
    players: int
    figure: str
    value: float
    before: float | None
    limit: float
    text: str
    beside: list[str]
    log: str
    advice: str
    source: str


class BottleneckPart(TypedDict):
    """What breaks first. ``named`` is "" where nothing stands out; ``found`` has all, the first to break first.

    ``not_measured`` are rules whose figure the run lacks; ``note`` says what else limits the verdict, or "".
    ``sizes`` is what the server needs per player, where the run had enough different numbers of players.
    """

    named: str
    text: str
    most_players: int
    judged: int
    found: list[FoundBottleneck]
    not_measured: list[str]
    note: str
    sizes: list[SizePart]


@dataclass(frozen=True, slots=True)
class _Points:
    """Runs of one target, bin by bin: the players, and each figure by name."""

    players: list[float]
    seconds: list[float]
    figures: Mapping[str, Series]


def bottleneck(
    runs: Sequence[RunBins],
    *,
    first_lines: Mapping[str, str] | None = None,
    generator_slow: bool = False,
    rules: Sequence[BottleneckRule] = RULES,
) -> BottleneckPart:
    """Return the verdict on ``runs``: one run, or the trials of a search.

    ``first_lines`` are the server's first log lines by kind. With ``generator_slow``, figures that the
    generator measures are left out.
    """
    points = _points(runs, client=not generator_slow)
    found = []
    missing: list[str] = []
    measured: set[str] = set()
    for place, rule in enumerate(rules):
        if all(value is None for value in points.figures[rule.figure]):
            missing.append(rule.name)
            continue
        measured.add(rule.name)
        if (begins := _begins(rule, points)) is not None:
            found.append((begins, place, _found(rule, begins, points, (first_lines or {}).get(rule.log, ""))))
    ordered = _in_order(found)
    return {
        "named": ordered[0]["name"] if ordered else "",
        "text": _sentence(ordered[0]) if ordered else f"{NOTHING} among {len(rules) - len(missing)} rules",
        "most_players": round(max(points.players, default=0.0)),
        "judged": len(rules) - len(missing),
        "found": ordered,
        "not_measured": [name for name in dict.fromkeys(missing) if name not in measured],
        "note": _SLOW if generator_slow else "",
        "sizes": sizes(runs),
    }


_SLOW: Final = "the generator was too slow: the times that it measures are left out"


def _points(runs: Sequence[RunBins], *, client: bool) -> _Points:
    series: dict[str, Series] = {name: [] for name in FIGURES}
    players: list[float] = []
    seconds: list[float] = []
    for bins in runs:
        players += bins.players
        seconds += [bins.width] * bins.number
        for name, figure in FIGURES.items():
            hidden = figure.client and not client
            series[name] += [None] * bins.number if hidden else figure.of(bins)
    return _Points(players, seconds, series)


def _begins(rule: BottleneckRule, points: _Points) -> float | None:
    """Return the players from which on ``rule`` holds; None if it does not."""
    values = points.figures[rule.figure]
    known = [
        (players, place)
        for place, (players, value) in enumerate(zip(points.players, values, strict=True))
        if value is not None and players >= 1
    ]
    known.sort()
    holds = {place: _holds(rule, points, place) for _, place in known}
    # From the top down: the lowest number of players from which on it holds in most of the bins, and in half of
    # those with as many: a few bins with few players weigh nothing beside all that come after.
    begins, held, seconds = None, 0, 0.0
    for number, (players, place) in enumerate(reversed(known), 1):
        if holds[place]:
            held += 1
            seconds += points.seconds[place]
            near = [holds[other] for others, other in known if players <= others <= players * _NEAR]
            if held >= MOST * number and seconds >= AT_LEAST and sum(near) >= len(near) / 2:
                begins = players
    if begins is None or not _grows(rule, points, begins):
        return None
    return begins


def _holds(rule: BottleneckRule, points: _Points, place: int) -> bool:
    limits = ((rule.figure, rule.limit), *rule.also)
    values = ((points.figures[name][place], limit) for name, limit in limits)
    return all(value is not None and value >= limit for value, limit in values)


def _grows(rule: BottleneckRule, points: _Points, begins: float) -> bool:
    before = _typical(points, rule.figure, 1.0, begins / 2)
    now = _typical(points, rule.figure, begins)
    return not rule.grows or before is None or now is None or now >= rule.grows * before


def _typical(points: _Points, name: str, low: float, high: float = float("inf")) -> float | None:
    known = [
        value
        for players, value in zip(points.players, points.figures[name], strict=True)
        if value is not None and low <= players < high
    ]
    return median(known) if known else None


def _found(rule: BottleneckRule, begins: float, points: _Points, line: str) -> FoundBottleneck:
    figure = FIGURES[rule.figure]
    value = _typical(points, rule.figure, begins) or 0.0
    before = _typical(points, rule.figure, 1.0, begins * 0.8)
    return {
        "name": rule.name,
        "players": round(begins),
        "figure": rule.figure,
        "value": round(value, 6),
        "before": None if before is None else round(before, 6),
        "limit": rule.limit,
        "text": _text(rule, figure, value, before, begins),
        "beside": [
            f"{FIGURES[name].words} {FIGURES[name].show(value_then)}"
            for name in rule.beside
            if (value_then := _typical(points, name, begins)) is not None
        ],
        "log": line,
        "advice": rule.advice,
        "source": rule.source,
    }


def _text(rule: BottleneckRule, figure: BinFigure, value: float, before: float | None, begins: float) -> str:
    says = rule.says.format(value=figure.show(value))
    since = f"from {begins:,.0f} players on"
    return f"{says} {since}" if before is None else f"{says} {since} (before: {figure.show(before)})"


def _in_order(found: Sequence[tuple[float, int, FoundBottleneck]]) -> list[FoundBottleneck]:
    """Return the first to break first, each name once."""
    left = sorted(found, key=lambda one: one[:2])
    ordered: dict[str, FoundBottleneck] = {}
    while left:
        together = [one for one in left if one[0] <= left[0][0] * _NEAR]
        for one in sorted(together, key=lambda one: one[1]):
            ordered.setdefault(one[2]["name"], one[2])
            left.remove(one)
    return list(ordered.values())


def _sentence(found: FoundBottleneck) -> str:
    evidence = f", while: {', '.join(found['beside'])}" if found["beside"] else ""
    return f"{found['name']}: {found['text']}{evidence}"
