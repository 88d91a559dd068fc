"""The figures that the rules judge: each is a value for every bin of a run, from its time line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nakama_bots import observer
from nakama_bots.results.bottleneck.bins import RunBins, Series
from nakama_bots.results.server import log

_SPELL: Final = 15.0
"""Seconds over which events that come in spells are spread: closed sockets, dropped messages."""
_TICKS: Final = 10.0
"""The same for the inputs and ticks of server matches."""
_MATCHED: Final = 30.0
"""The same for waiting in the matchmaker: two of Nakama's default intervals."""


def number(value: float) -> str:
    """Format a number with one decimal if it is small."""
    return f"{value:,.1f}" if abs(value) < 10 else f"{value:,.0f}"


def share(value: float) -> str:
    """Format a share."""
    return f"{value * 100:.0f} %"


def seconds(value: float) -> str:
    """Format a duration: milliseconds below a second."""
    return f"{value * 1e3:,.0f} ms" if value < 1 else f"{value:,.1f} s"


@dataclass(frozen=True, slots=True)
class BinFigure:
    """``of`` returns its value for each bin, ``show`` formats one; ``words`` are how it is quoted as evidence.

    ``client``: a time that the generator measures, which proves nothing if the generator was too slow. Counts
    and waits of many seconds still do.
    """

    words: str
    show: Callable[[float], str]
    of: Callable[[RunBins], Series]
    client: bool = False


def _ratio(above: Series, below: Series) -> Series:
    return [None if one is None or not other else one / other for one, other in zip(above, below, strict=True)]


def _sum(*rows: Series) -> Series:
    """Add what is known; None where nothing is."""
    found: Series = []
    for values in zip(*rows, strict=True):
        known = [value for value in values if value is not None]
        found.append(sum(known) if known else None)
    return found


def _level(name: str) -> Callable[[RunBins], Series]:
    return lambda bins: bins.level(name)


def _rate(name: str) -> Callable[[RunBins], Series]:
    return lambda bins: bins.rate(name)


def _of_levels(above: str, below: str) -> Callable[[RunBins], Series]:
    return lambda bins: _ratio(bins.level(above), bins.level(below))


def _of_rates(above: str, below: str) -> Callable[[RunBins], Series]:
    return lambda bins: _ratio(bins.rate(above), bins.rate(below))


def _logged(kind: str) -> Callable[[RunBins], Series]:
    def of(bins: RunBins) -> Series:
        per_second: Series = [None if lines is None else lines / bins.width for lines in bins.logged(kind)]
        return bins.smooth(per_second, _SPELL)

    return of


def _per_runtime(runtimes: str) -> Callable[[RunBins], Series]:
    """Calls of functions and hooks that run at once (Little's law: their seconds per second), per runtime."""

    def of(bins: RunBins) -> Series:
        # Before the server's first report the gauge is 0: not known.
        known: Series = [value or None for value in bins.level(runtimes)]
        calls = _sum(*(bins.rate(f"{name}_seconds") for name in ("rpc", "before_hook", "after_hook")))
        return _ratio(calls, known)

    return of


def _closed_queues(bins: RunBins) -> Series:
    """Sockets closed with a full queue, per second: as the players saw it, or else the server's log."""
    rows = [bins.count(name) for name in (observer.QUEUE_FULL_CLOSES, observer.SLOW_READERS_CLOSED)]
    closed = [max(values) for values in zip(*rows, strict=True)]
    if not any(closed):
        closed = [value or 0.0 for value in bins.logged(log.OUTGOING_QUEUE)]
    return bins.smooth([number / bins.width for number in closed], _SPELL)


def _waiting(bins: RunBins) -> Series:
    """Share of the players that wait in the matchmaker."""
    ends = (observer.TICKETS_MATCHED, observer.TICKETS_CANCELLED, observer.TICKETS_TIMED_OUT)
    waiting, found = 0.0, []
    rows = [bins.count(name) for name in (observer.TICKETS_ADDED, *ends)]
    if not any(rows[0]):
        return [None] * bins.number
    for place, (added, *ended) in enumerate(zip(*rows, strict=True)):
        before, waiting = waiting, max(0.0, waiting + added - sum(ended))
        players = bins.players[place]
        found.append((before + waiting) / 2 / players if players else None)
    return bins.smooth([None if value is None else min(1.0, value) for value in found], _MATCHED)


def _wait_for_match(bins: RunBins) -> Series:
    """Seconds in the matchmaker, by Little's law: waiting players by matched players per second."""
    waiting = _waiting(bins)
    matched = bins.smooth([value / bins.width for value in bins.count(observer.TICKETS_MATCHED)], _MATCHED)
    players = [value or None for value in bins.players]
    return [
        None if part is None or number is None or not done else part * number / done
        for part, number, done in zip(waiting, players, matched, strict=True)
    ]


def _interval(bins: RunBins) -> Series:
    """Seconds between two runs of the matchmaker, over the last two minutes."""
    runs = bins.smooth(bins.rate("matchmaker_runs"), 120.0)
    return [1 / value if value else None for value in runs]


def _delivery(*, authoritative: bool) -> Callable[[RunBins], Series]:
    """Median seconds from a player's match data to the others, in one kind of match."""

    def of(bins: RunBins) -> Series:
        if any(bins.count(observer.AUTHORITATIVE_JOINED)) is not authoritative:
            return [None] * bins.number
        return [delivered.percentile(50.0) for delivered in bins.delivery]

    return of


def _of_counts(above: str, below: str) -> Callable[[RunBins], Series]:
    def of(bins: RunBins) -> Series:
        return _ratio(bins.smooth(bins.count(above), _TICKS), bins.smooth(bins.count(below), _TICKS))

    return of


def _drift(bins: RunBins) -> Series:
    """Share of the ticks that a server match should have run and has not."""
    ran = _of_counts(observer.SERVER_TICKS, observer.SERVER_TICKS_DUE)(bins)
    return [None if value is None else max(0.0, 1 - value) for value in ran]


FIGURES: Final[Mapping[str, BinFigure]] = {
    "db_waiting": BinFigure("calls waiting for a database connection", number, _rate("db_wait_seconds")),
    "db_wait": BinFigure("wait for a connection", seconds, _of_rates("db_wait_seconds", "db_waits")),
    "db_connections": BinFigure("database connections in use", number, _level("db_connections")),
    "db_connections_max": BinFigure("database connections allowed", number, _level("db_connections_max")),
    "lua_calls": BinFigure("Lua calls per runtime", number, _per_runtime("lua_runtimes")),
    "lua_runtimes": BinFigure("Lua runtimes", number, _level("lua_runtimes")),
    "javascript_calls": BinFigure("JavaScript calls per runtime", number, _per_runtime("javascript_runtimes")),
    "javascript_runtimes": BinFigure("JavaScript runtimes", number, _level("javascript_runtimes")),
    "rpc": BinFigure("mean RPC", seconds, _of_rates("rpc_seconds", "rpcs")),
    "before_hook": BinFigure("mean before hook", seconds, _of_rates("before_hook_seconds", "before_hooks")),
    "before_share": BinFigure(
        "request time in before hooks", share, _of_rates("before_hook_seconds", "request_seconds")
    ),
    "request": BinFigure("mean request", seconds, _of_rates("request_seconds", "timed_requests")),
    "cpu": BinFigure("the server's CPU", share, _of_levels("cpu", "processors")),
    "gc": BinFigure("time paused for garbage collection", share, _rate("gc_seconds")),
    "open_files": BinFigure("open files of those allowed", share, _of_levels("open_files", "open_files_max")),
    "host_memory": BinFigure("memory of the machine", share, _level("host_memory")),
    "host_cpu": BinFigure("CPU of the machine", share, _level("host_cpu")),
    "matchmaker_busy": BinFigure("time in the matchmaker's runs", share, _rate("matchmaker_seconds")),
    "matchmaker_run": BinFigure(
        "mean run of the matchmaker", seconds, _of_rates("matchmaker_seconds", "matchmaker_runs")
    ),
    "matchmaker_interval": BinFigure("between two runs", seconds, _interval),
    "matchmaker_tickets": BinFigure("tickets in the matchmaker", number, _level("matchmaker_tickets")),
    "waiting": BinFigure("players waiting for a match", share, _waiting),
    "wait_for_match": BinFigure("wait for a match", seconds, _wait_for_match),
    "match_delivery": BinFigure(
        "median delivery through the match", seconds, _delivery(authoritative=True), client=True
    ),
    "relay_delivery": BinFigure(
        "median delivery through the relay", seconds, _delivery(authoritative=False), client=True
    ),
    "tick_drift": BinFigure("ticks behind the rate", share, _drift),
    "inputs_dropped": BinFigure(
        "inputs dropped", share, _of_counts(observer.INPUTS_DROPPED, observer.INPUTS_SENT)
    ),
    "input_queue_lines": BinFigure("lines of dropped inputs a second", number, _logged(log.INPUT_QUEUE)),
    "call_queue_lines": BinFigure("lines of a full call queue a second", number, _logged(log.CALL_QUEUE)),
    "join_queue_lines": BinFigure("lines of a full join queue a second", number, _logged(log.JOIN_QUEUE)),
    "presence_lines": BinFigure("lines of a full presence queue a second", number, _logged(log.PRESENCE_QUEUE)),
    "closed_queues": BinFigure("sockets closed a second", number, _closed_queues),
    "presence_wait": BinFigure(
        "mean wait of a presence event", seconds, _of_rates("presence_wait_seconds", "presence_events")
    ),
    "dropped_events": BinFigure("runtime events dropped a second", number, _rate("dropped_events")),
    "storage_rejects": BinFigure("storage writes refused a second", number, _rate("storage_rejects")),
    "locks": BinFigure("queries waiting for locks", number, _level("postgres_waiting_for_locks")),
    "postgres_connections": BinFigure(
        "connections of those PostgreSQL allows",
        share,
        _of_levels("postgres_connections", "postgres_connections_max"),
    ),
}
