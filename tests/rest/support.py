"""Tokens, a scripted transport and a recording observer."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import orjson

from nakama_bots.errors import CallError
from nakama_bots.observer import FinishedCall
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import Response, Transport
from nakama_bots.settings.target import Credentials, Target, Timeouts

NOW = 1_000_000.0
PATIENT = Timeouts(connect=10.0, request=10.0)
Make = Callable[..., Transport]


def token(expires_at: float = NOW + 3600, **claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")

    body = {"tid": "t", "uid": "u-1", "usn": "bot", "exp": int(expires_at), "iat": 1, **claims}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.c2ln"


@dataclass
class Sent:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


Step = Response | BaseException | Callable[[Sent], Response]


def ok(document: object = None, **options: Any) -> Response:
    return Response(200, {}, orjson.dumps({} if document is None else document), **options)


@dataclass
class FakeTransport:
    """Returns the scripted answers in order, then ``{}``."""

    steps: list[Step] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def send(
        self,
        target: Target,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        sent = Sent(method, path, dict(headers), None if body is None else orjson.loads(body))
        self.sent.append(sent)
        step = self.steps.pop(0) if self.steps else ok()
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Response) else step(sent)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def lock(self) -> AbstractContextManager[Any]:
        return threading.Lock()

    def close(self) -> None:
        pass


@dataclass
class Recorder:
    calls: list[tuple[str, str, float, float, int, CallError | None]] = field(default_factory=list)
    counts: list[tuple[str, int]] = field(default_factory=list)

    def call(self, call: FinishedCall) -> None:
        self.calls.append(call[:6])

    def sample(self, name: str, seconds: float) -> None:
        raise AssertionError(name)

    def count(self, name: str, number: int = 1) -> None:
        self.counts.append((name, number))

    def outcomes(self) -> list[tuple[str, str, type | None]]:
        return [(kind, name, error and type(error)) for kind, name, *_, error in self.calls]


class Rig:
    """A client with a scripted transport."""

    def __init__(self, *steps: Step, now: float = NOW) -> None:
        self.now = now
        self.transport = FakeTransport(list(steps))
        self.observer = Recorder()
        self.client = Client(
            Target("game.test"),
            Credentials("server-key-1", "http-key-1"),
            transport=self.transport,
            observer=self.observer,
            clock=lambda: self.now,
        )


def send(
    transport: Transport,
    port: int,
    method: str = "GET",
    body: bytes | None = None,
    *,
    timeouts: Timeouts = PATIENT,
    headers: dict[str, str] | None = None,
    host: str = "127.0.0.1",
    tls: bool = False,
) -> Response:
    return transport.send(Target(host, port, tls), method, "/v2/account?a=%20", headers or {}, body, timeouts)
