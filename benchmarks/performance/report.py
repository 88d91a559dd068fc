"""Medians, ratios within each round, and whether the limits are kept."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

from benchmarks.performance.growing import MOST, Step, held
from benchmarks.performance.running import Outcome
from benchmarks.performance.works import BEST_PEER, CONTESTANTS, LIMITS, OURS, WORKS, Limit

Raw = Mapping[str, Mapping[str, Sequence[Outcome]]]
"""The outcomes by work and contestant, one per round."""
TIMES: Final = 1.8
"""The least players of two processes, as a multiple of those of one."""


class Judged(TypedDict):
    """A limit and what was measured; ``value`` None: not measured. ``least``: the value must be at least it."""

    work: str
    what: str
    limit: float
    least: bool
    value: float | None


def figure(outcome: Outcome, name: str) -> float | None:
    """Return a figure of one round, None if it was not measured."""
    return outcome.get("figures", {}).get(name)


def middle(outcomes: Sequence[Outcome], name: str) -> float | None:
    """Return the median of a figure, None if it was never measured."""
    values = [value for outcome in outcomes if (value := figure(outcome, name)) is not None]
    return statistics.median(values) if values else None


def judged(raw: Raw, limit: Limit) -> Judged:
    """Return the median over the rounds of what ``limit`` is about."""
    outcomes = raw.get(limit.work, {})
    values = []
    for number, ours in enumerate(outcomes.get(OURS, ())):
        own, other = figure(ours, limit.figure), _against(outcomes, limit, number)
        if own is not None and other is not None:
            values.append(own - other if limit.above else own / other)
    label, divisor = WORKS[limit.work].units[limit.figure]
    if limit.against:
        divisor = divisor if limit.above else 1.0
        what = f"{OURS} {'above' if limit.above else '/'} {limit.against}{f', {label}' if limit.above else ''}"
    else:
        what = f"{OURS}, {label}"
    value = statistics.median(values) / divisor if values else None
    return {"work": limit.work, "what": what, "limit": limit.most / divisor, "least": False, "value": value}


def _against(outcomes: Mapping[str, Sequence[Outcome]], limit: Limit, number: int) -> float | None:
    """Return the same round's figure of what ``limit`` compares with."""
    if not limit.against:
        return 1.0
    names = [limit.against]
    if limit.against == BEST_PEER:
        names = [name for name in outcomes if CONTESTANTS[name].peer]
    found = [
        value
        for name in names
        if number < len(outcomes.get(name, ()))
        and (value := figure(outcomes[name][number], limit.figure)) is not None
    ]
    return min(found, default=None)


def all_judged(raw: Raw, grown: Mapping[int, Sequence[Step]], cores: int) -> list[Judged]:
    """Return the limits of the works that were asked for; ``grown`` has the steps by number of processes."""
    limits = [judged(raw, limit) for limit in LIMITS if limit.work in raw]
    if "F" in raw:
        one, two = held(grown.get(1, ())), held(grown.get(2, ()))
        limits.append({"work": "F", "what": "ours, players", "limit": MOST[1], "least": True, "value": one})
        # Two processes and a server need a core each, and so does whatever else the machine does.
        times = two / one if one and two is not None and cores > len(MOST) + 1 else None
        what = "ours, --processes 2 / one"
        limits.append({"work": "F", "what": what, "limit": TIMES, "least": True, "value": times})
    return limits


def failed(limit: Judged) -> bool:
    """True if the limit was measured, and is not kept."""
    value = limit["value"]
    return value is not None and (value < limit["limit"] if limit["least"] else value > limit["limit"])


def ratios(raw: Raw) -> dict[str, dict[str, float]]:
    """Return, by work, ours over each other contestant: the median of the rounds' ratios."""
    found: dict[str, dict[str, float]] = {}
    for work, outcomes in raw.items():
        name = next(iter(WORKS[work].units))
        for other in outcomes:
            value = judged(raw, Limit(work, 0.0, other, name))["value"]
            if other != OURS and value is not None:
                found.setdefault(work, {})[other] = round(value, 3)
    return found
