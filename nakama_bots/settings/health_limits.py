"""Limits beyond which a load generator is too slow, as a user writes them: ``cpu=0.95,hub_lag=0.1``."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from nakama_bots.errors import ConfigError

_MOST: Final = 1e6


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """Limits for the figures of a process per second, 0 for no limit, and how many seconds may exceed them.

    ``cpu`` in cores, ``loop_busy`` a share of the time, the other figures in seconds. A run is invalid if a
    figure of one process exceeded its limit in ``share`` of its seconds with users, and for at least
    ``seconds``. The defaults are based on measurements: docs/live.md.
    """

    cpu: float = 0.9
    loop_busy: float = 0.9
    hub_lag: float = 0.025
    receive_wait: float = 0.025
    tick_lateness: float = 0.05
    share: float = 0.2
    seconds: float = 4.0


NAMES: Final = tuple(field.name for field in fields(HealthLimits))
ACCEPTED: Final = f"NAME=NUMBER with commas between, of {', '.join(NAMES)}; share is at most 1"


def parse(text: str, *, name: str = "health_limits") -> HealthLimits:
    """Return the defaults overridden by ``text``. Raises ``ConfigError`` for what cannot be used."""
    given: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        key, _, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if key not in NAMES or key in given or not 0 <= value < _MOST or (key == "share" and value > 1):
            raise ConfigError(name, part.strip(), ACCEPTED)
        given[key] = value
    return replace(HealthLimits(), **given)
