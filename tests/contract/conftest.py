"""One server for all cases: the emulator, or with ``NAKAMA_URL`` a real one.

``NAKAMA_SERVER_KEY``, ``NAKAMA_HTTP_KEY`` and the other settings are read from the environment as well. A real
server needs the runtime modules of ``support.FUNCTIONS``; cases that lack their module are skipped and counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.session import Session
from nakama_bots.settings.resolve import Settings

from .summary import note
from .support import FUNCTIONS, Line, Server, clean, missing_functions

# Nakama's default matchmaker interval is 15 s; a ticket may need two intervals.
REAL_WAIT = 45.0
EMULATOR_INTERVAL = 0.2
EMULATOR_WAIT = 15.0

# The modules that a real server needs in its runtime path, in addition to nakama_modules/.
MODULES = Path(__file__).parent / "modules"


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test."""
    environment = dict(os.environ)
    emulator = None
    if not environment.get("NAKAMA_URL"):
        # Settings of the environment belong to another server.
        extra = ("--module", str(MODULES))
        emulator = EmulatorProcess.start(matchmaker_interval=EMULATOR_INTERVAL, extra=extra)
        environment = {"NAKAMA_URL": emulator.url}
    settings = Settings.resolve({}, environment)
    assert settings.target is not None
    transport = GeventTransport(settings.network)
    client = Client(settings.target, settings.credentials, transport=transport, timeouts=settings.timeouts)
    kind = "the emulator" if emulator else f"the server at {settings.target.http_url}"
    missing = missing_functions(settings)
    note(request.config, kind, sorted({FUNCTIONS[name] for name in missing}))
    assert not (emulator and missing), missing
    wait = EMULATOR_WAIT if emulator else REAL_WAIT
    yield Server(settings, emulator is None, wait, transport, client, missing)
    transport.close()
    if emulator is not None:
        alive = emulator.alive
        emulator.stop()
        assert alive, "the emulator did not survive the cases"
        assert emulator.exit_code == 0
        assert "Traceback" not in emulator.stderr


@pytest.fixture(scope="session")
def echo(server: Server) -> str:
    """The name of a function that answers with its payload."""
    return server.function("echo")


@pytest.fixture(scope="session")
def greeter(server: Server) -> str:
    """The name of a function that starts a match of modules/greeter.lua."""
    return server.function("contract_greeter")


@pytest.fixture
def session(server: Server) -> Session:
    """A new user."""
    return server.new_session()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., Line]]:
    """Connects new users, or a given session; after the test every ledger must balance."""
    lines: list[Line] = []

    def connect(session: Session | None = None, *, status: bool = False) -> Line:
        lines.append(Line(server, session or server.new_session(), status=status))
        return lines[-1]

    yield connect
    for line in lines:
        clean(line)


@pytest.fixture(autouse=True)
def watchdog(server: Server) -> Iterator[None]:
    """A case that hangs fails instead."""
    with gevent.Timeout(2 * server.matchmaker_wait + 30, AssertionError("the case hangs")):
        yield
