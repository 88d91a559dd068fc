"""The interface through which the client core and the bots report events.

The core depends on neither Locust nor histograms: it calls an ``Observer``. ``load`` connects the bridge and
the recorder to it; a plain program needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

from nakama_bots.errors import CallError
from nakama_bots.ledger import LEDGER_COUNTS


class FinishedCall(NamedTuple):
    """A call that has ended, whichever way.

    ``kind`` is ``WS`` (a cid, or ``connect``), ``PUSH`` (a push that answers a cause) or an HTTP method;
    ``name`` a message key or a route template. ``started`` is on ``time.perf_counter``, ``elapsed`` in seconds,
    ``size`` the answer's payload in bytes. ``error`` is None on success. ``waited`` is how long the answer
    waited in this process's kernel before it was read, which is not part of ``elapsed``; None if that is not
    known and ``elapsed`` ends at the read. ``cid`` is that of a message, "" for everything else.
    """

    kind: str
    name: str
    started: float
    elapsed: float
    size: int
    error: CallError | None
    waited: float | None = None
    cid: str = ""


class Observer(Protocol):
    """Receives every finished call exactly once.

    Its methods must not block and must not raise: some run in the event loop.
    """

    def call(self, call: FinishedCall) -> None:
        """One call has finished."""

    def sample(self, name: str, seconds: float) -> None:
        """One measured duration that is not a call, such as ``tick_lateness`` or ``delivery``."""

    def count(self, name: str, number: int = 1) -> None:
        """Something was counted, such as ``ticks_missed``."""


def series(observer: Observer, *names: str) -> Callable[[float], object]:
    """Return a function that samples one duration under each of ``names``, for thousands of them a second.

    An observer may have a quicker way, as its own method ``series``, for valid names and finite numbers.
    """
    own: Callable[..., Callable[[float], object]] | None = getattr(observer, "series", None)
    if own is not None:
        return own(*names)

    def sample(seconds: float) -> None:
        for name in names:
            observer.sample(name, seconds)

    return sample


def tally(observer: Observer, name: str) -> Callable[[int], object]:
    """Return a function that counts under ``name``; as ``series``."""
    own: Callable[[str], Callable[[int], object]] | None = getattr(observer, "tally", None)
    return partial(observer.count, name) if own is None else own(name)


class NullObserver:
    """Ignores everything."""

    def call(self, call: FinishedCall) -> None:
        """Ignore the call."""

    def sample(self, name: str, seconds: float) -> None:
        """Ignore the sample."""

    def count(self, name: str, number: int = 1) -> None:
        """Ignore the count."""


# The names of this package's samples and counts; a scenario may add names.
TICK_LATENESS: Final = "tick_lateness"
DELIVERY_LATENCY: Final = "delivery"

DELIVERY_ENDS: Final = ("received", "missed", "lost", "unknown")
"""How an expected delivery can end; they add up to the expected deliveries."""
DELIVERY_FIELDS: Final = ("expected", *DELIVERY_ENDS, "duplicated", "reordered")
DELIVERY_KINDS: Final = ("match", "party", "chat", "status")


def delivery_total(kind: str) -> str:
    """The sample of all messages of a kind: ``delivery`` is match data. Its counts: that, "_" and a field."""
    return DELIVERY_LATENCY if kind == "match" else f"{DELIVERY_LATENCY}.{kind}"


def delivery_name(kind: str, scenario: str = "") -> str:
    """The sample of a kind of messages and a scenario; its counts are that, a dot and a ``DELIVERY_FIELDS``."""
    return f"{DELIVERY_LATENCY}.{kind}.{scenario or '-'}"


INPUT_TO_ECHO: Final = "input_to_echo"
"""From a player's own message to the server's message that contains it."""
RECONNECT: Final = "reconnect"
"""From the end of a connection until the player has rejoined everything."""
RECONNECTS: Final = "reconnects"
RECONNECTS_FAILED: Final = "reconnects_failed"
MATCH_SENT: Final = "match_sent"
MATCH_RECEIVED: Final = "match_received"
"""Messages of matches; with a dot and the name of an op code, those of that op code."""
BEHAVIOURS_ENDED: Final = "behaviours_ended"
"""Behaviours that could not continue: they raised, stalled, or sent too much."""
EVENTS_DROPPED: Final = "behaviour_events_dropped"
"""States and chat messages that a behaviour was too slow for."""


# A paced send is measured twice, from when it was made and from when it was planned: what a stall delays is
# late by the second measure only ("coordinated omission"). The second sample has the first one's name and this.
CORRECTED: Final = ".corrected"
PACED_PREFIX: Final = "paced."
"""Before the kind and name of a call that was made on a pace; its answer time."""
ARRIVAL_TIME: Final = "paced.arrival"
"""How long an arrival of an open load took that went well."""

ARRIVAL_DELAY: Final = "arrival_delay"
"""How long after its planned time an arrival started."""

TICKS_SENT: Final = "ticks_sent"
TICKS_MISSED: Final = "ticks_missed"
TICKETS_ADDED: Final = "tickets_added"
TICKETS_MATCHED: Final = "tickets_matched"
TICKETS_CANCELLED: Final = "tickets_cancelled"
TICKETS_TIMED_OUT: Final = "tickets_timed_out"
TICKETS_JOINED: Final = "tickets_joined"
"""Tickets whose player came into the match that it had led to."""
MATCH_SIZE_PREFIX: Final = "match_size."
"""Before the number of players that the matchmaker put together; counted by each of them."""
PROVOKED_PREFIX: Final = "provoked."
"""Before the name of a failure that a scenario is meant to provoke."""
MATCHES_JOINED: Final = "matches_joined"
AUTHORITATIVE_JOINED: Final = "authoritative_matches_joined"
MATCHES_PLAYED: Final = "matches_played"
MATCHES_DESERTED: Final = "matches_deserted"
CHAT_SENT: Final = "chat_sent"
CHAT_RECEIVED: Final = "chat_received"

QUEUE_FULL_CLOSES: Final = "sockets_closed_queue_full"
"""Sockets that the server closed because too many messages waited for them."""
SLOW_READERS_CLOSED: Final = "slow_reader_closed"
"""Sockets of players that did not read on purpose, closed by the server."""

# What a scenario knows of a server match that reports on itself, as ``scenarios/big_match.py`` does.
INPUTS_SENT: Final = "match_inputs_sent"
INPUTS_DROPPED: Final = "match_inputs_dropped"
"""Inputs that were sent and that the match has not received."""
SERVER_TICKS: Final = "match_server_ticks"
SERVER_TICKS_DUE: Final = "match_server_ticks_due"
"""Ticks that the match has run, and those that its tick rate asks for in the same time."""

# Arrivals of an open load: planned = started + dropped, started = finished + failed + cut, for each process.
ARRIVALS_PLANNED: Final = "arrivals_planned"
ARRIVALS_STARTED: Final = "arrivals_started"
ARRIVALS_DROPPED: Final = "arrivals_dropped"
ARRIVALS_DROPPED_LATE: Final = "arrivals_dropped_late"
ARRIVALS_DROPPED_FULL: Final = "arrivals_dropped_full"
ARRIVALS_FINISHED: Final = "arrivals_finished"
ARRIVALS_FAILED: Final = "arrivals_failed"
ARRIVALS_CUT: Final = "arrivals_cut"
ARRIVALS_SCHEDULED: Final = "arrivals_scheduled"
"""All that the profile has, counted once at its end by the process that the user started."""

# What went wrong in the generator or in the author's code.
SCENARIO_FAULTS: Final = "scenario_faults"
"""Figures of a scenario that could not be kept."""
HANDLER_FAILURES: Final = "handler_failures"
"""Exceptions of push handlers and taps; of each kind under ``HANDLER_FAILED_PREFIX`` as well."""
HANDLER_FAILED_PREFIX: Final = "handler_failed."
"""Before ``handler`` or ``tap``, the push's key and the exception's class, with dots between."""
USERS_STARTED: Final = "users_started"
USERS_DIED: Final = "users_died"
"""Users whose greenlet an exception ended."""
FOREIGN_REQUESTS: Final = "foreign_requests"
"""Locust request events that other code fired, such as an ``HttpUser``."""
FOREIGN_FAILURES: Final = "foreign_failures"
PURPOSE_PREFIX: Final = "purpose."
"""Before a scenario's name: its users. With a dot and a name of its ``must_do``: how often that was done."""

MESSAGES_STAMPED: Final = "messages_stamped"
"""Messages of sockets whose arrival the kernel stamped, and those that are timed by when they were read."""
MESSAGES_UNSTAMPED: Final = "messages_unstamped"
SHARED_STAMP: Final = "shared_stamp"
"""How much too long the time of an answer may be, as its stamp is that of a later message of the same read."""
STAMPS_TOO_EARLY: Final = "stamps_too_early"
"""How often a call or delivery was timed by the read as its stamp was from before its cause."""
CLOCK_STEPS: Final = "clock_steps"
"""How often the wall clock was set; the messages around it are timed by when they were read."""

SAMPLE_NAMES: Final = frozenset({
    TICK_LATENESS, ARRIVAL_DELAY, ARRIVAL_TIME, ARRIVAL_TIME + CORRECTED, INPUT_TO_ECHO, RECONNECT,
    SHARED_STAMP,
    *(delivery_total(kind) for kind in DELIVERY_KINDS),
    *(delivery_total(kind) + CORRECTED for kind in DELIVERY_KINDS),
})  # fmt: skip
COUNT_NAMES: Final = frozenset({
    TICKS_SENT, TICKS_MISSED, MATCH_SENT, MATCH_RECEIVED, RECONNECTS, RECONNECTS_FAILED, BEHAVIOURS_ENDED,
    EVENTS_DROPPED,
    *(f"{delivery_total(kind)}_{field}" for kind in DELIVERY_KINDS for field in DELIVERY_FIELDS),
    TICKETS_ADDED, TICKETS_MATCHED, TICKETS_CANCELLED, TICKETS_TIMED_OUT,
    TICKETS_JOINED,
    MATCHES_JOINED, MATCHES_PLAYED, ARRIVALS_PLANNED, ARRIVALS_STARTED, ARRIVALS_DROPPED,
    ARRIVALS_DROPPED_LATE, ARRIVALS_DROPPED_FULL, ARRIVALS_FINISHED, ARRIVALS_FAILED, ARRIVALS_CUT,
    ARRIVALS_SCHEDULED,
    AUTHORITATIVE_JOINED, QUEUE_FULL_CLOSES, INPUTS_SENT, INPUTS_DROPPED, SERVER_TICKS, SERVER_TICKS_DUE,
    MATCHES_DESERTED, CHAT_SENT, CHAT_RECEIVED, SCENARIO_FAULTS, HANDLER_FAILURES, USERS_STARTED, USERS_DIED,
    FOREIGN_REQUESTS, FOREIGN_FAILURES, MESSAGES_STAMPED, MESSAGES_UNSTAMPED, STAMPS_TOO_EARLY, CLOCK_STEPS,
}) | LEDGER_COUNTS  # fmt: skip
