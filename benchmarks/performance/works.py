"""The works, the contestants, and the limits that this project must keep: three tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SEND_PER_PLAYERS: Final = 4
"""Players of a match: a send has one delivery to each of the others."""
PAYLOAD: Final = 64
"""Bytes of a match state."""
WARM_UP: Final = 1.0
SPAWN_RATE: Final = 250
"""Players that start per second, at the start of each second, as Locust starts them."""


@dataclass(frozen=True, slots=True)
class Work:
    """``players`` work at ``rate`` per second each, or as fast as the answers arrive if it is 0.

    A unit is a call, or a send if it has ``deliveries``. ``base``: the measured units are the players after
    the first ``base`` ones. ``real``: the emulator cannot keep up with it. ``units`` are the figures with the
    divisor that makes the shown unit of a raw one.
    """

    key: str
    title: str
    players: int
    rate: float = 0.0
    deliveries: int = 0
    base: int = 0
    most_rounds: int = 99
    real: bool = False
    units: dict[str, tuple[str, float]] = field(default_factory=lambda: {"cpu_us": ("us CPU", 1.0)})


_IDLE: Final = {"cpu_us": ("ms CPU", 1000.0), "rss_bytes": ("KB RSS", 1000.0)}
_START: Final = {"seconds": ("s", 1.0), "cpu_us": ("s CPU", 1e6), "rss_bytes": ("MB RSS", 1e6)}

WORKS: Final = {
    work.key: work
    for work in (
        Work("A", "100 sockets, 10 round trips/s each: a round trip", 100, 10.0),
        Work("B", "50 sockets, closed loop: a round trip", 50),
        Work("C", "connect with login, 1,000 to 3,000 players: a further player", 3000, base=1000,
             most_rounds=1, units=_IDLE),
        Work("D", "25 matches of 4 players at 10 Hz: a send with 3 deliveries", 100, 10.0, 3),
        Work("E", "20 clients register new accounts, closed loop: a request", 20, most_rounds=2),
        Work("F", "1,500 players at 10 Hz in matches of 4: a send with 3 deliveries", 1500, 10.0, 3,
             most_rounds=1, real=True),
        Work("G", "locust -f locustfile.py --list", 0, units=_START),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contestant:
    """``command`` starts it; ``needs`` is what has to be installed for it, a name of ``installing``."""

    name: str
    what: str
    works: str
    command: tuple[str, ...] = ()
    needs: str = ""
    peer: bool = False
    """True if a user could choose it instead of this project."""


_PYTHON: Final = ("{python}", "-m", "benchmarks.performance.contestants.{module}")
_LOCUST: Final = (
    "{python}", "-m", "locust", "--headless", "--only-summary", "--loglevel", "WARNING", "--stop-timeout", "1",
    "-u", "{players}", "-r", "{spawn_rate}", "--host", "{url}",
    "-f", "benchmarks/performance/contestants/{module}.py",
)  # fmt: skip
_OURS: Final = (
    "--nakama-live", "off", "--nakama-reports", "{scratch}", "--nakama-id-prefix", "{prefix}",
    "--nakama-confirm-target", "{host}", "--nakama-seed", "1",
)  # fmt: skip


def _command(parts: tuple[str, ...], module: str) -> tuple[str, ...]:
    return tuple(part.replace("{module}", module) for part in parts)


OURS: Final = "ours"
CONTESTANTS: Final = {
    contestant.name: contestant
    for contestant in (
        Contestant(OURS, "a Locust run of this project, everything switched on", "ABCDEFG",
                   _command(_LOCUST, "ours") + _OURS),
        Contestant("api", "this project's client without Locust and without an observer", "ABCDE",
                   _command(_PYTHON, "api")),
        Contestant("bare", "watchers of the gevent hub on plain sockets, by hand", "ABCDEF",
                   _command(_PYTHON, "bare")),
        Contestant("websocket-client", "websocket-client under gevent", "ABD",
                   _command(_PYTHON, "websocket_client")),
        Contestant("naive", "a Locust user written by hand: FastHttpUser, websocket-client, an event per call",
                   "ABCDE", _command(_LOCUST, "naive"), peer=True),
        Contestant("nakama-js", "Nakama's JavaScript client in Node, ws as its WebSocket", "ABCDEF",
                   ("{node}", "{node_folder}/nakama_js.mjs"), "node", peer=True),
        Contestant("artillery", "Artillery, its HTTP engine, and a function over ws", "ABCDE",
                   ("{node}", "{node_folder}/artillery.cjs", "{scratch}"), "node", peer=True),
        Contestant("go", "a program over gorilla/websocket", "ABCDEF", ("{go}",), "go", peer=True),
        Contestant("locust", "Locust with an empty user class", "G"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that ``figure`` of ours may be: times that of ``against``, above it if ``above``, or alone."""

    work: str
    most: float
    against: str = ""
    figure: str = "cpu_us"
    above: bool = False


BEST_PEER: Final = "the best peer"
LIMITS: Final = (
    Limit("A", 1.15, "bare"),
    Limit("B", 1.15, "bare"),
    Limit("C", 500.0),
    Limit("C", 14_000.0, figure="rss_bytes"),
    Limit("D", 1.2, "bare"),
    Limit("D", 0.85, BEST_PEER),
    Limit("E", 60.0),
    Limit("G", 0.15, "locust", "seconds", above=True),
)
