"""A small game that plays through a recorder, and checks of the written scenario."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from nakama_bots.observer import NullObserver
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.frames import TEXT
from nakama_bots.realtime.socket import Socket
from nakama_bots.record.capture.proxy import RecordingProxy
from nakama_bots.record.capture.scribe import Scribe
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.writing.scenario import made_of
from nakama_bots.record.writing.write import RecordOptions
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target


class Game:
    """A client of a game, unaware of the recorder."""

    def __init__(
        self, url: str, name: str, *, network: Network | None = None, adapter: Adapter = TEXT_ADAPTER
    ) -> None:
        self.target = Target.parse(url)
        self._transport = GeventTransport(network or Network())
        self.client = Client(self.target, Credentials(), transport=self._transport)
        self.socket = Socket(
            self.target, observer=NullObserver(), adapter=adapter, network=network or Network()
        )
        self.name = name
        self.session: Session

    def log_in(self, *, connect: bool = True) -> Game:
        self.session = self.client.authenticate_device(f"device-of-{self.name}", username=self.name)
        if connect:
            self.socket.connect(self.session)
        return self

    def close(self) -> None:
        self.socket.close()
        self._transport.close()


def token(user_id: str, name: str) -> str:
    """A session token."""
    claims = base64.urlsafe_b64encode(json.dumps({"uid": user_id, "usn": name, "exp": 2_000_000_000}).encode())
    return f"eyJhbGciOiJIUzI1NiJ9.{claims.decode().rstrip('=')}.c2lnbmF0dXJl"


class Recorded:
    """A recording of one player, written call by call."""

    def __init__(self, bearer: str = "") -> None:
        bearer = bearer or token("11111111-2222-4333-8444-555555555555", "somebody-recorded")
        self._scribe = Scribe()
        self.tape = self._scribe.tape
        self._bearer = {"authorization": f"Bearer {bearer}"}
        self._socket = self._scribe.socket(f"/ws?token={bearer}", {}, 0.0)
        self._at = 0.0

    def rest(self, method: str, target: str, body: Any = None, answer: Any = None) -> None:
        self._at += 0.01
        response = (200, orjson.dumps({} if answer is None else answer))
        sent = b"" if body is None else json.dumps(body).encode()
        self._scribe.rest(method, target, self._bearer, sent, response, self._at, self._at)

    def message(self, key: str, body: Any, answer: Any = None) -> None:
        self._at += 0.01
        self._socket.outgoing(TEXT, orjson.dumps({"cid": f"{self._at}", key: body}), self._at)
        self._socket.incoming(TEXT, orjson.dumps({"cid": f"{self._at}", **(answer or {})}), self._at)

    def push(self, key: str, body: Any) -> None:
        self._at += 0.01
        self._socket.incoming(TEXT, orjson.dumps({key: body}), self._at)

    def files(self) -> tuple[str, dict[str, Any], str]:
        """The source, the data, and both with the match state as one text."""
        scenario = made_of(self.tape, RecordOptions(Path("mine.py")))
        compile(scenario.source, "mine.py", "exec")
        data = orjson.loads(scenario.data)
        state = [base64.b64decode(row[2]) for rows in data["state"].values() for row in rows]
        everything = scenario.source + scenario.data.decode() + b"\n".join(state).decode("latin-1")
        return scenario.source, data, everything


def recorder(url: str, network: Network | None = None, **options: object) -> RecordingProxy:
    """Start a recording proxy."""
    proxy = RecordingProxy(Target.parse(url), ("127.0.0.1", 0), network=network, **options)  # type: ignore[arg-type]
    proxy.start()
    return proxy


def stopped(proxy: RecordingProxy) -> Tape:
    """Stop a recorder; return its tape."""
    proxy.stop()
    return proxy.kept.tape()


def check_source(path: Path) -> str:
    """Return the source of a written scenario; check that it compiles and is formatted."""
    source = path.read_text()
    compile(source, str(path), "exec")
    command = [sys.executable, "-m", "ruff", "format", "--check", "--no-cache", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=path.parent)
    assert done.returncode == 0, done.stdout + done.stderr + source
    return source
