"""What breaks first, as lines of text and as the rows of a report's table. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from nakama_bots.results.bottleneck.sizing import SIZED, Sized, SizePart
from nakama_bots.results.bottleneck.verdict import BottleneckPart, FoundBottleneck
from nakama_bots.results.summary import Summary

_INDENT: Final = "  "


def bottleneck_lines(summary: Summary, width: int) -> list[str]:
    """Return the verdict with its evidence; nothing for the run's own emulator where nothing stands out."""
    part = summary.get("bottleneck")
    if part is None or (not part["found"] and not _asked(summary)):
        return []
    lines = wrap(f"what breaks first: {part['text']}", width, subsequent_indent=_INDENT)
    for place, found in enumerate(part["found"]):
        if place:
            lines += wrap(f"also: {found['name']}: {found['text']}", width, subsequent_indent=_INDENT)
        lines += [line for text in _details(found) for line in _wrapped(text, width)]
    for text in [*notes(part), *size_lines(part)]:
        lines += _wrapped(text, width)
    return ["", *lines, ""]


def notes(part: BottleneckPart) -> list[str]:
    """Return what limits the verdict: rules without a figure, and a generator that was too slow."""
    missing = ", ".join(part["not_measured"])
    return [*([f"not measured: {missing}"] if missing else []), *([part["note"]] if part["note"] else [])]


def size_lines(part: BottleneckPart) -> list[str]:
    """Return what the server needs for a thousand players, by a line through the figures of the run."""
    return [_size_line(SIZED[size["figure"]], size) for size in part["sizes"]]


def _size_line(sized: Sized, size: SizePart) -> str:
    needs = f"{sized.show(size['idle'])} and {sized.show(size['per_player'] * 1000)} for 1,000 players"
    return f"{sized.words}: {needs} (from {size['low']:,} to {size['high']:,} players, R2 {size['r2']:.2f})"


def _details(found: FoundBottleneck) -> list[str]:
    line = [f"the server's log: {found['log']}"] if found["log"] else []
    return [*line, f"advice: {found['advice']} ({found['source']})"]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)


def _asked(summary: Summary) -> bool:
    """Whether the run named the server's metrics or its log; an emulator's are read without being asked."""
    settings = summary["settings"]
    return bool(settings.get("metrics") or settings.get("server_log"))
