"""A running headless run on a terminal: progress, the last seconds, messages and failures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from nakama_bots.errors import safe_text
from nakama_bots.results.record.health import HealthPart
from nakama_bots.results.show.live import MessagePart, NowPart, Progress, notes, shown
from nakama_bots.results.summary import ErrorPart, TargetPart

_FRAME: Final = 8
"""Lines that are neither messages nor failures."""
_MOST_ERRORS: Final = 4
_BAR: Final = 30


@dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal shows of a run at one moment."""

    scenario: str
    target: TargetPart
    progress: Progress
    now: NowPart
    messages: Sequence[MessagePart]
    errors: Sequence[ErrorPart]
    funnel: Mapping[str, int]
    health: HealthPart

    def render(self, height: int) -> Group:
        """Draw it in at most ``height`` lines."""
        errors = self.errors[:_MOST_ERRORS]
        room = max(1, height - _FRAME - len(errors))
        left = len(self.messages) - room
        rest = [Text(f"and {left} more", "dim")] if left > 0 else []
        table = _messages(self.messages[:room])
        return Group(self._head(), self._progress(), self._now(), table, *rest, *map(_error, errors))

    def _head(self) -> Text:
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append(safe_text(self.scenario), "bold").append(f"  {safe_text(self.target['url'])}")
        if self.target["is_emulator"]:
            head.append("  EMULATOR, not a real Nakama server", "bold red")
        return head

    def _progress(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        bar = []
        if self.progress.length is not None:
            bar = [ProgressBar(self.progress.length, self.progress.elapsed, width=_BAR)]
        grid.add_row(*bar, Text(self.progress.text()))
        return grid

    def _now(self) -> Text:
        now = self.now
        line = Text(f"{now['users']:,.0f} users, {now['sockets']:,.0f} sockets, ", no_wrap=True)
        line.append(f"{now['pending']:,.0f} in flight, {now['trips']:,.0f} round trips/s, ")
        line.append(f"{now['failed']:,} failed", "bold red" if now["failed"] else "")
        for text in notes(now, self.funnel, self.health):
            line.append(f"\n{text}", "bold red" if "TOO SLOW" in text else "dim")
        return line


def _messages(messages: Sequence[MessagePart]) -> Table:
    numbers = [Column(name, justify="right") for name in ("count", "fails", "/s", "p50 ms", "p95 ms", "p99 ms")]
    table = Table(
        Column("", no_wrap=True), Column("last 10 s", no_wrap=True, overflow="ellipsis", ratio=1), *numbers,
        box=None, header_style="dim", padding=(0, 1), pad_edge=False,
    )  # fmt: skip
    for one in messages:
        failures = Text(f"{one['failures']:,}", "bold red" if one["failures"] else "")
        times = [shown(one["p50_ms"]), shown(one["p95_ms"]), shown(one["p99_ms"])]
        name = Text(safe_text(one["name"]))
        table.add_row(one["kind"], name, f"{one['count']:,}", failures, f"{one['rate']:,.1f}", *times)
    return table


def _error(error: ErrorPart) -> Text:
    text = f"{error['count']:,} x {error['kind']} {error['name']}: {error['example']}"
    return Text(safe_text(text), "red", no_wrap=True, overflow="ellipsis")
