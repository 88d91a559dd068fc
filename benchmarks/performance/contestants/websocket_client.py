"""The websocket-client library under gevent: a reading and a sending greenlet per socket, no API, no event."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import base64  # noqa: E402 - gevent patches first
import json  # noqa: E402
import urllib.request  # noqa: E402
from typing import Any, Final  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402
import websocket  # noqa: E402
from gevent.event import AsyncResult, Event  # noqa: E402

from benchmarks.performance.contestants.stage import Stage  # noqa: E402

STAGE: Final = Stage()


def token(number: int) -> str:
    """Log in with the standard library: logins are no work of this contestant."""
    request = urllib.request.Request(
        f"{STAGE.url}/v2/account/authenticate/device?create=true",
        data=json.dumps({"id": STAGE.device_id(number)}).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(f"{STAGE.server_key}:".encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(json.load(response)["token"])


class Peer:
    """A websocket with the greenlet that reads it."""

    def __init__(self, number: int) -> None:
        address = STAGE.url.replace("http", "ws", 1)
        self._socket = websocket.create_connection(f"{address}/ws?token={token(number)}")
        self._waiting: dict[str, AsyncResult[Any]] = {}
        self._cid = 0
        self._inside: set[str] = set()
        self._full = Event()
        gevent.spawn(self._read).link_exception(lambda failed: STAGE.give_up(failed.exception))

    def request(self, key: str, body: dict[str, Any]) -> Any:
        """Send a message and wait for its answer."""
        self._cid += 1
        cid = str(self._cid)
        result: AsyncResult[Any] = AsyncResult()
        self._waiting[cid] = result
        self.write({"cid": cid, key: body})
        return result.get()

    def write(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self._socket.send(orjson.dumps(message).decode())

    def join(self, name: str) -> str:
        """Join a match, wait until it has all its players, and return its id."""
        match = self.request("match_create", {"name": name})["match"]
        self._joined([*match.get("presences", ()), match["self"]])
        self._full.wait()
        return str(match["match_id"])

    def _joined(self, presences: list[dict[str, str]]) -> None:
        self._inside.update(one["session_id"] for one in presences)
        if len(self._inside) == STAGE.group:
            self._full.set()

    def _read(self) -> None:
        while True:
            message = orjson.loads(self._socket.recv())
            result = self._waiting.pop(message.get("cid"), None)
            if result is not None:
                result.set(message)
            elif "match_data" in message:
                STAGE.received += 1
            elif "match_presence_event" in message:
                self._joined(message["match_presence_event"].get("joins", []))


def play(number: int) -> None:
    """Do the work of one player."""
    peer = Peer(number)
    if STAGE.work == "D":
        STAGE.play_match(number, peer.join(STAGE.match_name(number)), peer.write)
    else:
        STAGE.play_pings(number, lambda: peer.request("ping", {}))


if __name__ == "__main__":
    STAGE.play(play)
