"""A small game that plays through a recorder, and what the tests ask of the result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nakama_bots.observer import NullObserver
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.socket import Socket
from nakama_bots.record.capture.proxy import RecordingProxy
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.session import tape_of
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target


class Game:
    """A client of a game, which knows nothing of the recorder."""

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


def recorder(url: str, network: Network | None = None, **options: object) -> RecordingProxy:
    """A proxy that listens."""
    proxy = RecordingProxy(Target.parse(url), ("127.0.0.1", 0), network=network, **options)  # type: ignore[arg-type]
    proxy.start()
    return proxy


def stopped(proxy: RecordingProxy) -> Tape:
    """What a recorder has, after its end."""
    proxy.stop()
    return tape_of(proxy.kept)


def check_source(path: Path) -> str:
    """The source of a written scenario, which compiles and is formatted."""
    source = path.read_text()
    compile(source, str(path), "exec")
    command = [sys.executable, "-m", "ruff", "format", "--check", "--no-cache", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=path.parent)
    assert done.returncode == 0, done.stdout + done.stderr + source
    return source
