"""One server for all cases: the emulator, or with ``NAKAMA_URL`` a real one.

``NAKAMA_SERVER_KEY``, ``NAKAMA_HTTP_KEY`` and the other settings are read from the environment as well. A real
server needs the functions of ``nakama_modules/``; cases that find them missing are skipped and counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import NotFound
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.session import Session
from nakama_bots.settings.resolve import Settings

from .support import Line, Server, clean

# Nakama's default matchmaker interval is 15 s; a ticket may have to see two of them.
REAL_WAIT = 45.0
EMULATOR_INTERVAL = 0.2
EMULATOR_WAIT = 15.0

_STATE = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STATE] = {}


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test."""
    environment = dict(os.environ)
    emulator = None
    if not environment.get("NAKAMA_URL"):
        # Settings of the environment belong to a server that is not there.
        emulator = EmulatorProcess.start(matchmaker_interval=EMULATOR_INTERVAL)
        environment = {"NAKAMA_URL": emulator.url}
    settings = Settings.resolve({}, environment)
    assert settings.target is not None
    transport = GeventTransport(settings.tls)
    client = Client(settings.target, settings.credentials, transport=transport, timeouts=settings.timeouts)
    kind = "the emulator" if emulator else f"the server at {settings.target.http_url}"
    request.config.stash[_STATE]["target"] = kind
    yield Server(settings, emulator is None, EMULATOR_WAIT if emulator else REAL_WAIT, transport, client)
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
    try:
        server.client.rpc(server.new_session(), "echo", "x")
    except NotFound:
        if not server.real:
            raise
        pytest.skip("the server has no function 'echo': load nakama_modules/nakama_bots.lua into it")
    return "echo"


@pytest.fixture
def session(server: Server) -> Session:
    """A new user."""
    return server.new_session()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., Line]]:
    """Connects new users, or the session that is given; after the test every ledger must balance."""
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    target = config.stash[_STATE].get("target")
    if target is None:
        return
    here = [
        (outcome, report)
        for outcome in ("passed", "failed", "error", "xfailed", "xpassed", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
        if "tests/contract/" in getattr(report, "nodeid", "")
    ]
    counts = {name: sum(1 for outcome, _ in here if outcome == name) for name, _ in here}
    terminalreporter.section("contract")
    text = ", ".join(f"{number} {name}" for name, number in counts.items())
    terminalreporter.line(f"against {target}: {text}, {counts.get('skipped', 0)} skipped in all")
    for outcome, report in here:
        if outcome == "skipped":
            terminalreporter.line(f"skipped {report.nodeid}: {report.longrepr[2]}")
        elif outcome in ("xfailed", "xpassed"):
            terminalreporter.line(f"{outcome} {report.nodeid}: {report.wasxfail}")
