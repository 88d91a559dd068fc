"""aiohttp's server with the connection handling of a real Nakama.

It ends connections that are too slow (``socket.read_timeout_ms``, ``socket.idle_timeout_ms``), and checks the
mask of every websocket frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from nakama_bots.emulator.options import Options
from nakama_bots.emulator.server.masking import MaskGuard


class Protocol(web.RequestHandler):
    """One connection."""

    # aiohttp's class has slots.
    __slots__ = ("_read_timeout", "_slow", "mask_guard")

    def __init__(self, server: Server, read_timeout: float, **arguments: Any) -> None:
        super().__init__(server, **arguments)
        self._read_timeout = read_timeout
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Limit the time for the first request's head; later, aiohttp closes the idle connection."""
        super().connection_made(transport)
        self._slow = asyncio.get_running_loop().call_later(self._read_timeout, transport.close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the timeout."""
        self.heard()
        super().connection_lost(exc)

    def heard(self) -> None:
        """Cancel the timeout: a complete head has arrived."""
        if self._slow is not None:
            self._slow.cancel()

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        """See ``web.RequestHandler``: called when a websocket starts."""
        self.mask_guard = MaskGuard(parser)
        super().set_parser(self.mask_guard, data_received_cb)  # type: ignore[arg-type]


class Server(web.Server):
    """Creates a ``Protocol`` for every connection."""

    def __init__(self, handler: Any, options: Options, **arguments: Any) -> None:
        # Larger headers than Nakama accepts, and raw bodies, so that every refusal is sent here.
        arguments |= {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": options.idle_timeout,
            "max_field_size": 2**17,
            "max_line_size": 2**17,
        }
        super().__init__(handler, **arguments)
        self._read_timeout = options.read_timeout
        self._arguments = arguments

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return Protocol(self, self._read_timeout, loop=self._loop, **self._arguments)
