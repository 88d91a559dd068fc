"""Says on Locust's pages that the target is the emulator: its figures say nothing about a real server."""

from __future__ import annotations

from typing import Final

EMULATOR_BANNER: Final = "The target is an EMULATOR, not a real Nakama server."

_HTML: Final = (
    '<div role="status" style="padding:.6em 1em;background:#b3261e;color:#fff;font:600 1rem sans-serif">'
    f"{EMULATOR_BANNER} Its timings say nothing about a real one.</div>"
)


def inject(page: str) -> str:
    """``page`` with the banner at the top of its body."""
    # The last one: Locust's report holds its whole script in the head, with a "<body" in a string of it.
    start = page.rfind("<body")
    end = page.find(">", start) + 1
    return page[:end] + _HTML + page[end:] if start >= 0 else page
