"""An emulator in the test's own event loop, on a real port, whose clock follows the recording."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from nakama_bots.emulator.options import Options
from nakama_bots.emulator.server.front import Front
from nakama_bots.emulator.server.incoming import Server
from nakama_bots.emulator.store.core import Core

from .replay import TIMEOUT, Replay, b64url

MODULES = (Path(__file__).parent / "wire_module.py", Path(__file__).parent / "wire_runtime.py")
INSTANT_PLAYER = "<signed_player_info: HMAC-SHA256 with an empty app secret, player_id fbig-1>"
# Bodies that are too large to record, and how they end.
NOTE = re.compile(r"(\d+) characters: (.*?)\.\.\.()", re.DOTALL)
ENDS = {"{": '"}', '"': '"'}
# Nanoseconds for which the recorded server had been up; a tournament of five seconds was over.
UPTIME = 600 * 10**9


def signed_player(player: str, secret: str = "") -> str:
    """The player information of an Instant Game as Facebook signs it."""
    payload = b64url(json.dumps({"algorithm": "HMAC-SHA256", "player_id": player}).encode())
    signature = hmac.digest(secret.encode(), payload.encode(), hashlib.sha256)
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{payload}"


class RunningClock:
    """Unix nanoseconds; every call advances the clock by a microsecond, as no real clock stands still."""

    def __init__(self) -> None:
        self.nanoseconds = 1_800_000_000 * 10**9

    def __call__(self) -> int:
        self.nanoseconds += 1000
        return self.nanoseconds


@asynccontextmanager
async def serving(core: Core) -> AsyncIterator[str]:
    """Serve a core and yield its URL."""
    front = Front(core)
    server = Server(front.handle, core.options)
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        front.stop()
        await server.shutdown(TIMEOUT)
        await runner.cleanup()


def make_server(seed: int, clock: RunningClock, **options: Any) -> Core:
    """A core with runtime modules, as the process would create it."""
    modules = tuple(str(path) for path in MODULES)
    return Core(Options(token_expiry=7200, modules=modules, **options), clock, random.Random(seed))


# (core, values of the placeholders): applies the recorder's manual change of the database.
Touch = Callable[[Core, dict[str, str]], None]


class ClockReplay(Replay):
    """Sets the server's clock to the time of every entry; ``touches``: changes to apply before an entry."""

    def __init__(
        self,
        scenario: dict[str, Any],
        url: str,
        http: aiohttp.ClientSession,
        core: Core,
        clock: RunningClock,
        touches: dict[str, Touch],
    ) -> None:
        super().__init__(scenario, url, http)
        self.core = core
        self.clock = clock
        self.start = clock.nanoseconds
        self.touches = touches

    async def until(self, entry: dict[str, Any]) -> None:
        self.clock.nanoseconds = max(self.clock.nanoseconds, self.start + entry["t_ms"] * 10**6)
        touch = self.touches.get(entry.get("name", ""))
        if touch is not None:
            touch(self.core, self.bound)

    async def do_http(self, entry: dict[str, Any]) -> None:
        request = entry["request"]
        described = NOTE.fullmatch(request.get("raw_body_note", ""))
        if described:
            start, end = described[2].rstrip("x"), described[3] or ENDS[described[2][0]]
            body = start + "x" * (int(described[1]) - len(start) - len(end)) + end
            entry = {**entry, "request": {**request, "raw_body": body}}
        await super().do_http(entry)

    def fill(self, value: Any) -> Any:
        if value == INSTANT_PLAYER:
            return signed_player("fbig-1")
        return "x" * 10_000 if value == "<10000 bytes>" else super().fill(value)


async def replay_inside(
    scenario: dict[str, Any],
    seed: int,
    touches: dict[str, Touch],
    **options: Any,
) -> None:
    """Replay a scenario against a new server; ``Mismatch`` says where it differs."""
    clock = RunningClock()
    core = make_server(seed, clock, **options)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with serving(core) as url, aiohttp.ClientSession(timeout=timeout) as http:
        clock.nanoseconds += UPTIME
        one = ClockReplay(scenario, url, http, core, clock, touches)
        try:
            await one.run()
        finally:
            for websocket in one.sockets.values():
                await websocket.close()
