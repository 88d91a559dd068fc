"""A banner on Locust's pages that says the target is the emulator, not a real server."""

from __future__ import annotations

from typing import Final

EMULATOR_BANNER: Final = "The target is an EMULATOR, not a real Nakama server."

_HTML: Final = (
    '<div role="status" style="padding:.6em 1em;background:#b3261e;color:#fff;font:600 1rem sans-serif">'
    f"{EMULATOR_BANNER} Its timings say nothing about a real server.</div>"
)


def inject(page: str) -> str:
    """Return ``page`` with the banner at the top of its body."""
    # The last match: Locust's report has its script in the head, with "<body" in one of its strings.
    start = page.rfind("<body")
    end = page.find(">", start) + 1
    return page[:end] + _HTML + page[end:] if start >= 0 else page
