"""The server under test, its users, the pushes of their sockets, and a websocket below the client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import websocket
from gevent.event import AsyncResult, Event

from nakama_bots.errors import CallError, RealtimeError, RestError
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.realtime.handlers import DISCONNECT
from nakama_bots.realtime.socket import Socket
from nakama_bots.rest.client import Client, NakamaApi
from nakama_bots.rest.transports.transport import Transport
from nakama_bots.session import Session
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Credentials, Target, Timeouts

# A run on a server with a persistent database must not use names of earlier runs.
RUN = secrets.token_hex(4)
_numbers = itertools.count()

UNKNOWN_ID = "11111111-1111-4111-8111-111111111111"
SYSTEM_USER = "00000000-0000-0000-0000-000000000000"
# Nakama's defaults; with another key on the server a token signed here is refused all the same.
SESSION_KEY, REFRESH_KEY = "defaultencryptionkey", "defaultrefreshencryptionkey"
PUSH_TIMEOUT = 15.0


def unique(word: str) -> str:
    """A name that no other test and no earlier run uses."""
    return f"{word}-{RUN}-{next(_numbers):04d}"


class Like:
    """Equal to every text that a pattern matches in full."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.pattern.fullmatch(other) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"<like {self.pattern.pattern}>"


_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
ID = Like(_UUID % "[1-5]")
SESSION_ID = Like(_UUID % "1")
RELAYED_MATCH_ID = Like(_UUID % "4" + r"\.")
TOKEN = Like(r"[\w-]+\.[\w-]+\.[\w-]+")
SECONDS = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FRACTION = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")


@dataclass(frozen=True)
class Server:
    """The server under test; ``matchmaker_wait``: seconds that a match may take, more than two intervals."""

    settings: Settings
    real: bool
    matchmaker_wait: float
    transport: Transport
    client: Client
    # The missing functions of ``FUNCTIONS``.
    missing: frozenset[str] = frozenset()

    def function(self, name: str) -> str:
        """Return the name if the server has the function; otherwise skip the case."""
        if name in self.missing:
            pytest.skip(f"the server has no function {name!r}: load {FUNCTIONS[name]} into it")
        return name

    @property
    def target(self) -> Target:
        assert self.settings.target is not None
        return self.settings.target

    @property
    def api(self) -> NakamaApi:
        """The low-level API: takes tokens, returns wire objects."""
        return self.client.api_client

    @property
    def timeouts(self) -> Timeouts:
        return self.settings.timeouts

    def other_client(self, *, server_key: str | None = None, clock: Callable[[], float] = time.time) -> Client:
        """A client with another key, or with a clock by which no token ever expires."""
        credentials = Credentials(server_key) if server_key else self.settings.credentials
        return Client(self.target, credentials, transport=self.transport, timeouts=self.timeouts, clock=clock)

    def next_second(self, session: Session) -> None:
        """Wait until the server's clock shows a later second than at the login of ``session``.

        Tokens issued in the second of a full logout survive it.
        """
        device = unique("contract-clock")
        until(lambda: self.client.authenticate_device(device).created_at > session.created_at)

    def new_session(self, username: str | None = None) -> Session:
        return self.client.authenticate_device(unique("contract-device"), username=username or unique("user"))


# Function -> the runtime module that provides it on a real server.
FUNCTIONS = {
    "echo": "nakama_modules/nakama_bots.lua",
    "create_match": "nakama_modules/nakama_bots.lua",
    "contract_boards": "tests/contract/modules/boards.lua",
    "contract_greeter": "tests/contract/modules/greeter.lua",
    "contract_nk": "tests/contract/modules/",
    "contract_queues": "tests/contract/modules/queues.lua",
    "contract_schedules": "tests/contract/modules/schedules.lua",
    "contract_stream_join": "tests/contract/modules/streams.lua",
}


def missing_functions(settings: Settings) -> frozenset[str]:
    """The functions that a server does not have. None is called: the server refuses the request's body."""
    assert settings.target is not None

    def exists(name: str) -> bool:
        key = {"http_key": settings.credentials.http_key or ""}
        url = f"{settings.target.http_url}/v2/rpc/{name}"
        return requests.post(url, params=key, data="{}", timeout=PUSH_TIMEOUT).status_code != 404

    return frozenset(name for name in FUNCTIONS if not exists(name))


def signed(claims: dict[str, Any], key: str = SESSION_KEY) -> str:
    """A token created without the client's and the emulator's code."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = {"alg": "HS256", "typ": "JWT"}
    text = f"{part(json.dumps(head).encode())}.{part(json.dumps(claims).encode())}"
    return f"{text}.{part(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


@contextmanager
def refused(status: int, code: int, message: str) -> Iterator[None]:
    """The REST call is answered with exactly this error."""
    with pytest.raises(RestError) as caught:
        yield
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, code, message)


@contextmanager
def error_reply(code: int, message: str) -> Iterator[None]:
    """The socket request is answered with exactly this error."""
    with pytest.raises(RealtimeError) as caught:
        yield
    assert (caught.value.code, caught.value.message) == (code, message)


def until(check: Callable[[], bool], seconds: float = PUSH_TIMEOUT) -> None:
    """Repeat ``check`` until it is true, for changes that the server publishes with a delay."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "the expected state was not reached"


class Line:
    """A user's connected socket and its pushes, in order, until a test takes them."""

    def __init__(self, server: Server, session: Session, *, status: bool = False) -> None:
        self.server = server
        self.session = session
        self.user_id = session.user_id
        self.username = session.username
        self.received: list[tuple[str, Any]] = []
        self._news = Event()
        self._ended: AsyncResult[CallError] = AsyncResult()
        self.socket = Socket(server.target, timeouts=server.timeouts, network=server.settings.network)
        for key in PUSHES:
            self.socket.tap(key, lambda body, _at, _size, key=key: self._receive(key, body))
        self.socket.on(DISCONNECT, self._end)
        self.socket.connect(session, create_status=status)

    def _receive(self, key: str, body: Any) -> None:
        self.received.append((key, body))
        self._news.set()

    def _end(self, error: CallError) -> None:
        self._ended.set(error)
        self._news.set()

    def take(
        self, key: str, where: Callable[[Any], bool] = lambda _: True, timeout: float = PUSH_TIMEOUT
    ) -> Any:
        """Remove and return the first push of that key, now or within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while True:
            for item in self.received:
                if item[0] == key and where(item[1]):
                    self.received.remove(item)
                    return item[1]
            self._news.clear()
            left = end - time.monotonic()
            if not self.socket.connected or left <= 0 or not self._news.wait(left):
                msg = f"no {key}; received {self.received}; the socket's end: {self.socket.error!r}"
                raise AssertionError(msg)

    def keys(self) -> list[str]:
        """The keys of the pushes that were not taken; a ping makes sure that all have arrived."""
        self.socket.ping_pong()
        return [key for key, _ in self.received]

    def ended(self) -> CallError:
        """How the server ended the connection."""
        return self._ended.get(timeout=PUSH_TIMEOUT)

    def presence(self, session_id: str | Like = SESSION_ID, **more: object) -> dict[str, object]:
        """How others see this user."""
        return {"user_id": self.user_id, "session_id": session_id, "username": self.username, **more}

    def close(self) -> None:
        self.socket.close()


def clean(line: Line) -> None:
    """Close the socket and check that every request ended once and every answer belonged to a request."""
    line.close()
    ledger = line.socket.ledger
    assert ledger.sent == ledger.ended
    assert (ledger.timeout, ledger.late, ledger.unmatched) == (0, 0, 0), ledger


class Raw:
    """A websocket below the client: any text, any frame."""

    def __init__(self, server: Server, token: str, query: str = "") -> None:
        url = f"{server.target.ws_url}?token={token}{query}"
        self._ws = websocket.create_connection(url, timeout=PUSH_TIMEOUT)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._ws.shutdown()

    def send(self, data: bytes | str, opcode: int = websocket.ABNF.OPCODE_TEXT) -> None:
        self._ws.send(data, opcode)

    def send_fragments(self, *parts: str) -> None:
        frames = websocket.ABNF
        for number, part in enumerate(parts):
            opcode = frames.OPCODE_CONT if number else frames.OPCODE_TEXT
            self._ws.send_frame(frames.create_frame(part, opcode, int(number == len(parts) - 1)))

    def send_bytes(self, data: bytes) -> None:
        """Send raw bytes, without a frame."""
        self._ws.sock.sendall(data)

    def receive(self) -> Any:
        opcode, data = self.receive_frame()
        assert opcode == websocket.ABNF.OPCODE_TEXT, (opcode, data)
        return json.loads(data)

    def receive_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; pings stay unanswered, as the server may have reset."""
        frame = self._ws.recv_frame()
        return frame.opcode, bytes(frame.data)

    def received_close(self) -> tuple[int | None, str]:
        """The code and reason of the server's close, which must be the next frame."""
        opcode, data = self.receive_frame()
        if opcode == websocket.ABNF.OPCODE_TEXT and "error" in json.loads(data):
            # The server queues an error first, but its close overtakes it in all but 2 of 120 cases.
            opcode, data = self.receive_frame()
        assert opcode == websocket.ABNF.OPCODE_CLOSE, (opcode, data)
        return (int.from_bytes(data[:2], "big") if data else None), data[2:].decode()
