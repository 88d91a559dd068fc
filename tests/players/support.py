"""A recording observer, players, and a scripted Nakama."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event
from realtime.server import Peer, ScriptedServer

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError
from nakama_bots.observer import DELIVERY_FIELDS, FinishedCall
from nakama_bots.players.delivery.exchange import Exchange
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World
from nakama_bots.players.rendezvous import Rendezvous
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

_numbers = itertools.count()
# All players of a process share these, even when each has its own observer.
EXCHANGE = Exchange()
RENDEZVOUS = Rendezvous()


class Recorder:
    """An observer that records everything and lets tests wait for counts."""

    def __init__(self) -> None:
        self.calls: list[FinishedCall] = []
        self.samples: defaultdict[str, list[float]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self._news = Event()

    def call(self, call: FinishedCall) -> None:
        self.calls.append(call)
        self._news.set()

    def sample(self, name: str, seconds: float) -> None:
        self.samples[name].append(seconds)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number
        self._news.set()

    def until(self, name: str, number: int = 1) -> None:
        """Wait until the count is reached; the watchdog ends a wait that hangs."""
        while self.counts[name] < number:
            self._news.clear()
            self._news.wait()

    def named(self, kind: str, name: str) -> list[FinishedCall]:
        return [call for call in self.calls if (call.kind, call.name) == (kind, name)]

    def outcomes(self, kind: str, name: str) -> list[str]:
        return [type(call.error).__name__ if call.error else "ok" for call in self.named(kind, name)]

    def delivery(self, total: str = "delivery") -> dict[str, int]:
        """Return the delivery counts of a kind that are not 0."""
        counts = {name: self.counts[f"{total}_{name}"] for name in DELIVERY_FIELDS}
        return {name: number for name, number in counts.items() if number}

    def ledger(self) -> dict[str, int]:
        return {name: number for name, number in self.counts.items() if name.startswith("ledger.")}


def new_identity() -> Identity:
    return Identity("tests", 1, 0, next(_numbers))


def make_player(
    target: Target, identity: Identity | None = None, recorder: Recorder | None = None
) -> tuple[Player, Recorder]:
    """Return a player that is not yet authenticated, and its own observer."""
    recorder = recorder or Recorder()
    world = World(
        target, Credentials(), Timeouts(), Network(), recorder, exchange=EXCHANGE, rendezvous=RENDEZVOUS
    )
    return Player(world, identity or new_identity()), recorder


def kill(emulator: EmulatorProcess) -> None:
    """Kill the server, without a close frame."""
    os.kill(emulator.pid, signal.SIGKILL)
    while emulator.alive:
        pass  # its port may answer until the process is reaped


def failure(kind: type[CallError], call: Callable[..., object], *arguments: object) -> CallError:
    """Return the error that the call raises. For use in a greenlet, which would print it."""
    with pytest.raises(kind) as caught:
        call(*arguments)
    return caught.value


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


USER_ID = "0a1b2c3d-0000-4000-8000-000000000001"
SESSION_ID = "00000000-0000-1000-8000-000000000001"
_CLAIMS = {"tid": "t", "uid": USER_ID, "usn": "scripted", "exp": 4102444800, "iat": 1}
TOKEN = f"{_part({'alg': 'HS256'})}.{_part(_CLAIMS)}.c2ln"
SELF = {"user_id": USER_ID, "session_id": SESSION_ID, "username": "scripted"}

Rest = Callable[[str, str], tuple[int, dict[str, Any]]]


def rest(method: str, path: str) -> tuple[int, dict[str, Any]]:
    """Answer every login with an existing account, and everything else with success."""
    if "/authenticate/" in path:
        return 200, {"token": TOKEN, "refresh_token": TOKEN}
    return 200, {}


def scripted_nakama(realtime: Callable[[Peer], object], answer: Rest = rest) -> ScriptedServer:
    """``answer`` answers REST; ``realtime`` serves every socket and returns when the client should close."""

    def script(peer: Peer) -> None:
        while True:
            peer.head = b""
            try:
                method, path, _ = peer.read_head().decode().split(" ", 2)
            except EOFError:
                return
            if path.startswith("/ws"):
                peer.upgrade()
                realtime(peer)
                peer.finish()
                return
            peer.read(int(peer.header("Content-Length") or 0))
            status, document = answer(method, path)
            body = json.dumps(document).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            peer.send(f"{head}\r\n\r\n".encode() + body)

    return ScriptedServer(script)


def target_of_url(url: str) -> Target:
    return Target.parse(url)


def target_of(server: ScriptedServer) -> Target:
    return Target("127.0.0.1", server.port)
