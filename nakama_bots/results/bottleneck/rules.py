"""The rules by which a bottleneck is named: a figure, its limit, words, advice, and what it rests on.

Order matters: of two rules that hold from the same number of players on, the first names the bottleneck, so a
specific cause comes before the busy CPU that it leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nakama_bots.results.server import log

_CONFIGURATION: Final = "https://heroiclabs.com/docs/nakama/getting-started/configuration/"
_METRICS: Final = "https://heroiclabs.com/docs/nakama/getting-started/metrics/"
_AUTHORITATIVE: Final = "https://heroiclabs.com/docs/nakama/concepts/multiplayer/authoritative/"
_RELAYED: Final = "https://heroiclabs.com/docs/nakama/concepts/multiplayer/relayed/"
_MATCHMAKER: Final = "https://heroiclabs.com/docs/nakama/concepts/multiplayer/matchmaker/"
_POOL: Final = "https://pkg.go.dev/database/sql#DBStats"
_CLOUD: Final = "https://heroiclabs.com/docs/heroic-cloud/operations/dashboard-metrics-logs/"
_GC: Final = "https://go.dev/doc/gc-guide"
_FILES: Final = "https://man7.org/linux/man-pages/man2/getrlimit.2.html"
_POSTGRES: Final = "https://www.postgresql.org/docs/current/monitoring-stats.html"


@dataclass(frozen=True, slots=True)
class BottleneckRule:
    """``name`` is the bottleneck if ``figure`` is ``limit`` or more.

    ``also`` are lower limits of other figures that must hold at the same time. ``grows``: the figure must be
    this many times as high as at half of the players or fewer, where the run had such a time; 0 for any.
    ``says`` describes it with ``{value}``; ``beside`` are figures that are quoted with it, ``log`` the kind of
    the server's log lines that prove it.
    """

    name: str
    figure: str
    limit: float
    says: str
    advice: str
    source: str
    beside: tuple[str, ...] = ()
    also: tuple[tuple[str, float], ...] = ()
    grows: float = 0.0
    log: str = ""


_NO_LIMIT: Final = 1e-9
"""For what must not happen at all."""

RULES: Final[tuple[BottleneckRule, ...]] = (
    BottleneckRule(
        "the database pool", "db_waiting", 0.5,
        "{value} calls waited for a connection at any time",
        "raise database.max_open_conns as far as PostgreSQL allows it, or make fewer and shorter queries",
        _POOL, ("db_wait", "db_connections", "db_connections_max", "cpu"),
    ),
    BottleneckRule(
        "locks in the database", "locks", 2.0, "{value} queries waited for locks of others",
        "find what writes the same rows: one leaderboard record, wallet or storage object for many players",
        _POSTGRES, ("cpu",),
    ),
    BottleneckRule(
        "PostgreSQL's connections", "postgres_connections", 0.9, "{value} of max_connections were in use",
        "raise max_connections, or lower database.max_open_conns of each node", _POSTGRES,
    ),
    BottleneckRule(
        "the pool of Lua runtimes", "lua_calls", 1.5,
        "{value} calls of functions and hooks ran for each runtime",
        "raise runtime.lua_max_count, or make the functions shorter (a function in Go needs no runtime)",
        _CONFIGURATION, ("lua_runtimes", "rpc", "before_hook", "cpu"),
    ),
    BottleneckRule(
        "the pool of JavaScript runtimes", "javascript_calls", 1.5,
        "{value} calls of functions and hooks ran for each runtime",
        "raise runtime.js_max_count, or make the functions shorter (a function in Go needs no runtime)",
        _CONFIGURATION, ("javascript_runtimes", "rpc", "before_hook", "cpu"),
    ),
    BottleneckRule(
        "before hooks", "before_share", 0.5, "{value} of the time of requests was spent in before hooks",
        "shorten the hook: every request waits for it", _METRICS, ("before_hook", "request"),
        also=(("before_hook", 0.05),),
    ),
    BottleneckRule(
        "a match's input queue", "inputs_dropped", 0.01, "{value} of the inputs never came to the match",
        "raise match.input_queue_size or the tick rate, send less often, or split the match",
        _CONFIGURATION, ("tick_drift", "match_delivery", "cpu"), log=log.INPUT_QUEUE,
    ),
    BottleneckRule(
        "a match's input queue", "input_queue_lines", _NO_LIMIT, "{value} log lines a second of dropped inputs",
        "raise match.input_queue_size or the tick rate, send less often, or split the match",
        _CONFIGURATION, ("tick_drift", "match_delivery", "cpu"), log=log.INPUT_QUEUE,
    ),
    BottleneckRule(
        "the match loop", "call_queue_lines", _NO_LIMIT,
        "{value} log lines a second of matches closed because their loop was too slow",
        "make the match loop faster than its tick, or lower the tick rate",
        _CONFIGURATION, ("match_delivery", "cpu"), log=log.CALL_QUEUE,
    ),
    BottleneckRule(
        "a match's join queue", "join_queue_lines", _NO_LIMIT, "{value} log lines a second of refused joins",
        "raise match.join_attempt_queue_size, or let players join more slowly",
        _CONFIGURATION, ("match_delivery",), log=log.JOIN_QUEUE,
    ),
    BottleneckRule(
        "the match loop", "tick_drift", 0.1, "{value} of the ticks did not happen in time",
        "make the loop faster than its tick, lower the tick rate, or split the match: a match is one goroutine",
        _AUTHORITATIVE, ("match_delivery", "cpu", "host_cpu"),
    ),
    BottleneckRule(
        "the match loop", "match_delivery", 0.25, "half of the match data took {value} or more to the others",
        "make the loop faster than its tick, lower the tick rate, or split the match: a match is one goroutine",
        _AUTHORITATIVE, ("cpu", "host_cpu", "request"), grows=2.0,
    ),
    BottleneckRule(
        "outgoing queues", "closed_queues", _NO_LIMIT,
        "{value} sockets a second were closed because they did not take their messages fast enough",
        "send less to each player, raise socket.outgoing_queue_size, or look for clients with slow networks",
        _CONFIGURATION, ("match_delivery", "relay_delivery", "cpu"), log=log.OUTGOING_QUEUE,
    ),
    BottleneckRule(
        "the relay of match data", "relay_delivery", 0.25, "half of the match data took {value} or more",
        "send less often or to fewer: a relayed match with n players makes n * (n - 1) messages a tick",
        _RELAYED, ("cpu", "host_cpu"), grows=2.0,
    ),
    BottleneckRule(
        "the matchmaker's runs", "matchmaker_busy", 0.5, "the matchmaker ran for {value} of the time",
        "use simpler queries and fewer properties, lower matchmaker.max_tickets, or a longer interval_sec",
        _MATCHMAKER, ("matchmaker_run", "matchmaker_tickets", "waiting", "cpu"),
    ),
    BottleneckRule(
        "the matchmaker's interval", "waiting", 0.4, "{value} of the players waited for a match",
        "lower matchmaker.interval_sec (a run takes little time), and matchmaker.max_intervals",
        _MATCHMAKER, ("wait_for_match", "matchmaker_interval", "matchmaker_run", "cpu"),
        also=(("wait_for_match", 4.0),),
    ),
    BottleneckRule(
        "presence events", "presence_wait", 0.1, "an event waited {value} to be processed",
        "let fewer players share a match, channel or status feed, or raise tracker.event_queue_size",
        _METRICS, ("cpu",),
    ),
    BottleneckRule(
        "presence events", "presence_lines", _NO_LIMIT, "{value} log lines a second of a full queue",
        "let fewer players share a match, channel or status feed, or raise tracker.event_queue_size",
        _CONFIGURATION, ("presence_wait", "cpu"), log=log.PRESENCE_QUEUE,
    ),
    BottleneckRule(
        "runtime events", "dropped_events", _NO_LIMIT, "{value} events a second were dropped",
        "raise runtime.event_queue_size or event_queue_workers, or make the handlers faster", _CONFIGURATION,
    ),
    BottleneckRule(
        "storage conflicts", "storage_rejects", 1.0, "{value} writes a second were refused",
        "let players write objects of their own, or retry with the version that was read", _METRICS,
    ),
    BottleneckRule(
        "open files", "open_files", 0.9, "{value} of the open files that the process may have were in use",
        "raise the limit of the service (LimitNOFILE, ulimit -n): each socket is one file", _FILES,
    ),
    BottleneckRule(
        "the machine's memory", "host_memory", 0.95, "{value} of the memory was in use",
        "give the machine more memory, or look for a game module that keeps what it should drop", _METRICS,
    ),
    BottleneckRule(
        "garbage collection", "gc", 0.05, "the process was paused for {value} of the time",
        "raise GOGC or GOMEMLIMIT if there is memory, and allocate less in modules", _GC, ("cpu",),
        also=(("cpu", 0.5),),
    ),
    BottleneckRule(
        "the server's CPU", "cpu", 0.85, "it was at {value} of its processors",
        "more processors or nodes; a CPU profile says what they are used for",
        _CLOUD, ("host_cpu", "request"),
    ),
)  # fmt: skip
