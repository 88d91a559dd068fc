"""Shows a fleet: as JSON lines, as a table on a terminal, as a line per change elsewhere, and as metrics."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Final

import gevent
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from nakama_bots.errors import safe_text
from nakama_bots.fill.fleet import Fleet
from nakama_bots.fill.promise import Promise

_EVERY: Final = 1.0
_MOST_PROBLEMS: Final = 6
_FRAME: Final = 7
"""Lines of the table that show neither lobbies nor problems."""


def show(fleet: Fleet, log: Callable[[str], None], *, json_lines: bool) -> None:
    """Show ``fleet`` until this greenlet is killed. Without a terminal, ``log`` is called per change."""
    if json_lines:
        while True:
            try:
                print(json.dumps(line(fleet, time.time())), flush=True)  # noqa: T201
            except BrokenPipeError:
                # The reader has closed it; the interpreter would try to flush again at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                fleet.stop()
                return
            gevent.sleep(_EVERY)
    console = Console()
    before = ""
    while not console.is_terminal:
        text = in_words(fleet)
        if text != before:
            log(text)
            before = text
        gevent.sleep(_EVERY)
    # No separate thread: it would draw while the hub changes the data.
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_table(fleet, console.height), refresh=True)
            gevent.sleep(_EVERY)


def _table(fleet: Fleet, height: int) -> Group:
    """Build the table with the totals first: a small terminal cuts off the last lobbies."""
    numbers = [Column(name, justify="right") for name in ("human", "bot", "other bot", "free")]
    table = Table(Column("lobby", no_wrap=True, overflow="ellipsis"), *numbers)
    problems = list(fleet.problems.counts.items())[-_MOST_PROBLEMS:]
    promise = [] if fleet.promise is None else [Text(promise_text(fleet.promise), no_wrap=True)]
    room = max(1, height - len(problems) - len(promise) - _FRAME)
    for one in fleet.lobbies[:room]:
        free = "?" if one.free is None else str(one.free)
        humans = "?" if one.guessed else str(one.humans)
        table.add_row(Text(safe_text(one.lobby_id)), humans, str(len(one.bots)), str(one.others), free)
    head = Text(in_words(fleet), no_wrap=True)
    more = len(fleet.lobbies) - room
    errors = [Text(f"{number} x {text}", "yellow", no_wrap=True) for text, number in problems]
    rest = [Text(f"and {more} more")] if more > 0 else []
    return Group(head, table, *rest, *promise, *errors)


def seats(fleet: Fleet) -> dict[str, int]:
    """The seats of all lobbies by kind of user; free seats only where the capacity is known."""
    return {
        "human": sum(one.humans for one in fleet.lobbies if not one.guessed),
        "bot": sum(len(one.bots) for one in fleet.lobbies),
        "other_bot": sum(one.others for one in fleet.lobbies),
        "free": sum(one.free or 0 for one in fleet.lobbies),
    }


def line(fleet: Fleet, now: float) -> dict[str, object]:
    """One line of ``--json-lines``: ``now`` (Unix seconds), lobbies, bots by state, counts of problems.

    ``humans`` and ``free`` of a lobby are null while unknown, as is what was not measured of ``promise``, in
    seconds, which stands there with ``--wait-at-most`` only.
    """
    lobbies = [
        {
            "id": one.lobby_id,
            "humans": None if one.guessed else one.humans,
            "bots": len(one.bots),
            "others": one.others,
            "free": one.free,
        }
        for one in fleet.lobbies
    ]
    found = {"time": now, "lobbies": lobbies, "bots": fleet.states(), "problems": fleet.problems.counts}
    promise = fleet.promise
    if promise is None:
        return found
    return {
        **found,
        "promise": {
            "wait_at_most_s": promise.seconds,
            "tickets": promise.tickets,
            "interval_s": None if promise.interval is None else round(promise.interval, 3),
            "longest_s": None if promise.longest is None else round(promise.longest, 3),
            "kept": promise.kept,
        },
    }


def metrics(fleet: Fleet) -> str:
    """Return the text format of Prometheus, written here: six gauges are not worth a client library.

    Ids of lobbies are not labels: lobbies come and go, and each would remain a series.
    """
    rows = ["# TYPE nakama_bots_fill_lobbies gauge", f"nakama_bots_fill_lobbies {len(fleet.lobbies)}"]
    rows.append("# TYPE nakama_bots_fill_seats gauge")
    rows += [f'nakama_bots_fill_seats{{by="{by}"}} {number}' for by, number in seats(fleet).items()]
    rows.append("# TYPE nakama_bots_fill_bots gauge")
    rows += [f'nakama_bots_fill_bots{{state="{state}"}} {n}' for state, n in sorted(fleet.states().items())]
    rows.append("# TYPE nakama_bots_fill_problems_total counter")
    rows.append(f"nakama_bots_fill_problems_total {fleet.problems.counts.total()}")
    return "\n".join(rows) + "\n"


def in_words(fleet: Fleet) -> str:
    """Return lobbies, seats and bots in one line."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(fleet.states().items()))
    taken = ", ".join(f"{number} {by.replace('_', ' ')}" for by, number in seats(fleet).items())
    return f"{len(fleet.lobbies)} lobbies; seats: {taken}; bots: {states or 'none'}"


def promise_text(promise: Promise) -> str:
    """Return the promise and what was measured for it in one line."""
    if promise.interval is None or promise.longest is None:
        state = "the matchmaker is being measured"
    else:
        interval, longest = round(promise.interval, 3), round(promise.longest, 3)
        state = f"matchmaker every {interval:g} s, tickets search for {longest:g} s"
        state += "" if promise.kept else "; cannot be kept"
    return f"humans wait at most {promise.seconds:g} s: {promise.tickets} tickets ({state})"
