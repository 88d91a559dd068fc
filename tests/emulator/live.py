"""Replays time-dependent recordings at the recorded pace, against a server whose clock runs as fast."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from .replay import TIMEOUT, Mismatch, Replay

CONTROL = {
    aiohttp.WSMsgType.PING: "ping",
    aiohttp.WSMsgType.PONG: "pong",
}


class LiveReplay(Replay):
    """One scenario at ``speed`` times the pace at which it was recorded."""

    def __init__(self, scenario: dict[str, Any], url: str, http: aiohttp.ClientSession, speed: float) -> None:
        super().__init__(scenario, url, http)
        self.speed = speed
        self.start = asyncio.get_running_loop().time()
        # In a recording with pings and pongs, only the recording answers them.
        self.autoping = not any(entry.get("type") == "ping" for entry in scenario["entries"])

    async def until(self, entry: dict[str, Any]) -> None:
        if entry.get("dir") != "recv":
            due = self.start + entry["t_ms"] / 1000 / self.speed
            late = asyncio.get_running_loop().time() - due
            await asyncio.sleep(-late)
            # Later entries keep their distance, or a busy machine would not leave the server its second.
            self.start += max(0.0, late)

    async def connect(self, url: str, query: Any, headers: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(
            url, params=query, headers=headers, autoping=self.autoping, max_msg_size=0
        )

    async def send_many(self, entry: dict[str, Any]) -> None:
        for _ in range(entry["count"]):
            await self.send_frame(entry)

    async def recv_many(self, entry: dict[str, Any]) -> None:
        for _ in range(entry["count"]):
            frame = await self._next_frame(entry["conn"])
            if entry["key"] not in frame:
                msg = f"got {json.dumps(frame)[:500]}"
                raise Mismatch(msg)

    async def recv_big(self, entry: dict[str, Any]) -> None:
        frame = await self._next_frame(entry["conn"])
        expected = dict(entry["frame"], rpc={"id": entry["frame"]["rpc"]["id"], "payload": "x" * entry["size"]})
        if frame != expected:
            msg = f"got a frame of {len(json.dumps(frame))} characters"
            raise Mismatch(msg)

    async def recv_close(self, entry: dict[str, Any]) -> None:
        if "after" in entry:
            websocket = self.sockets[entry["conn"]]
            message = await websocket.receive()
            while message.type is aiohttp.WSMsgType.TEXT and entry["after"] in json.loads(message.data):
                message = await websocket.receive()
            if message.type is not aiohttp.WSMsgType.CLOSE or message.extra != entry["reason"]:
                msg = f"got {message}"
                raise Mismatch(msg)
            return
        await super().recv_close(entry)

    async def _recv_control(self, entry: dict[str, Any]) -> None:
        message = await self.sockets[entry["conn"]].receive()
        got = (CONTROL.get(message.type), message.data)
        if got != (entry["type"], entry["payload"].encode()):
            msg = f"got {message}"
            raise Mismatch(msg)

    recv_ping = recv_pong = _recv_control

    async def send_ping(self, entry: dict[str, Any]) -> None:
        await self.sockets[entry["conn"]].ping(entry["payload"].encode())

    async def send_pong(self, entry: dict[str, Any]) -> None:
        await self.sockets[entry["conn"]].pong(entry["payload"].encode())


async def live_replay(scenario: dict[str, Any], url: str, speed: float) -> None:
    """Replay a scenario; ``Mismatch`` says where the server differs."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        one = LiveReplay(scenario, url, http, speed)
        try:
            await one.run()
        finally:
            await one.clean_up()
