"""A part of the terminal that is drawn again and again, with the log above it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live

_LOGGERS = ("", "locust", "locust.stats_logger")


class TerminalView:
    """Idempotent to ``open`` and ``close``; ``show`` draws what ``render`` returns for a height in lines."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._redirected: list[tuple[logging.StreamHandler, object]] = []  # type: ignore[type-arg]

    def open(self) -> None:
        """Start drawing at the end of the terminal, below what is logged."""
        if self._live is not None:
            return
        before = (sys.stdout, sys.stderr)
        # No separate thread: it would draw while the hub changes the data.
        self._live = Live(console=Console(), auto_refresh=False, transient=True)
        self._live.start()
        # Handlers keep the stream that they were created with; Live redirects only the names in sys.
        for handler in {handler for name in _LOGGERS for handler in logging.getLogger(name).handlers}:
            if isinstance(handler, logging.StreamHandler) and handler.stream in before:
                stream = handler.setStream(sys.stderr)
                self._redirected.append((handler, stream))

    def show(self, render: Callable[[int], RenderableType]) -> None:
        if self._live is not None:
            self._live.update(render(self._live.console.height - 1), refresh=True)

    def close(self) -> None:
        live, self._live = self._live, None
        for handler, stream in self._redirected:
            handler.setStream(stream)
        self._redirected.clear()
        if live is not None:
            live.stop()
