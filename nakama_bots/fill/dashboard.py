"""Shows a fleet every second: a JSON line on stdout, a table on a terminal, or a line per change elsewhere."""

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
from nakama_bots.fill.view import in_words, line, promise_text

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
