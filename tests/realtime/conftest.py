"""Fixtures of the socket tests. ``TOKEN`` must never appear in an error."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator

import gevent
import pytest

from nakama_bots.errors import CallError
from nakama_bots.observer import FinishedCall
from nakama_bots.realtime.handlers import FAILURES
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Target, Timeouts

from .server import ScriptedServer


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKEN = f"{_part({'alg': 'HS256'})}.{_part({'uid': 'u1', 'usn': 'one', 'exp': 4102444800})}.c2lnbmF0dXJl"


class Calls:
    """An observer that records everything."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, str, CallError | None]] = []
        self.counts = Counter[str]()
        self.samples: defaultdict[str, list[float]] = defaultdict(list)
        self.times: defaultdict[str, list[tuple[float, float | None]]] = defaultdict(list)

    def call(self, call: FinishedCall) -> None:
        assert call.elapsed >= 0
        self.recorded.append((call.kind, call.name, call.error))
        self.times[call.name].append((call.elapsed, call.waited))

    def sample(self, name: str, seconds: float) -> None:
        self.samples[name].append(seconds)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    def outcomes(self, name: str) -> list[str]:
        return [type(error).__name__ if error else "ok" for _, key, error in self.recorded if key == name]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Fails a test that hangs."""
    with gevent.Timeout(15, AssertionError("the test hangs")):
        yield


@pytest.fixture(autouse=True)
def failures() -> None:
    """Resets the log limits: each test sees the first line of each kind."""
    FAILURES.reset()


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def session() -> Session:
    return Session(TOKEN)


class Open:
    """Connects sockets to a scripted server. ``check`` closes them and checks their ledgers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._sockets: list[Socket] = []

    def unconnected(self, server: ScriptedServer, tls: Tls | None = None, **timeouts: float) -> Socket:
        target = Target("127.0.0.1" if tls is None else "localhost", server.port, ssl=tls is not None)
        socket = Socket(
            target, timeouts=Timeouts(**timeouts), network=Network(tls or Tls()), observer=self._calls
        )
        self._sockets.append(socket)
        return socket

    def __call__(self, server: ScriptedServer, tls: Tls | None = None, **timeouts: float) -> Socket:
        socket = self.unconnected(server, tls, **timeouts)
        socket.connect(Session(TOKEN))
        return socket

    def check(self) -> None:
        for socket in self._sockets:
            socket.close()
            assert socket.pending == 0
            assert socket.ledger.sent == socket.ledger.ended, socket.ledger


@pytest.fixture
def open_socket(calls: Calls) -> Iterator[Open]:
    opener = Open(calls)
    yield opener
    opener.check()
