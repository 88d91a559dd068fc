"""The pytest plugin: the fixture ``nakama``, a fresh emulator for each test.

It is installed with the package; nothing has to be imported::

    @pytest.mark.nakama(modules=["server/game.lua"], load="fixtures/players.json")
    def test_a_game(nakama):
        client = my_client(nakama.host, nakama.port)

Emulators with the same options share a process, which is reset between tests.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError

_MARK: Final = "nakama"
_ACCEPTED: Final = ("modules", "load", "options")
_RESET_TIMEOUT: Final = 10.0
_PROCESSES = pytest.StashKey[dict[tuple[str, ...], EmulatorProcess]]()


class Nakama:
    """The server of a test. ``url``: ``http://127.0.0.1:PORT``, for REST and, with ``ws``, for the socket."""

    def __init__(self, process: EmulatorProcess) -> None:
        self._process = process

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._process.url

    @property
    def host(self) -> str:
        """``127.0.0.1``."""
        return self.url.split("//")[1].split(":")[0]

    @property
    def port(self) -> int:
        """The port."""
        return int(self.url.rsplit(":", 1)[1])

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set the faults in force, as over the control port; without arguments, end all faults."""
        _put(self._process, list(faults))

    def reset(self) -> None:
        """Reset all state: accounts, matches, boards, cached values of modules; closes all sockets."""
        _put(self._process, [{"kind": "restart"}])  # which ends all other faults


def _put(process: EmulatorProcess, faults: list[dict[str, Any]]) -> None:
    content = json.dumps({"faults": faults}).encode()
    request = urllib.request.Request(f"{process.control_url}/faults", content, method="PUT")  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=_RESET_TIMEOUT):  # noqa: S310 - ours
            pass
    except urllib.error.HTTPError as error:
        with error:
            reason = json.loads(error.read()).get("error", error.reason)
        msg = f"invalid faults: {reason}"
        raise ValueError(msg) from None


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(modules=[..], load=.., options=[..]): the server code and the initial state of the fixture "
        "nakama, and further options of nakama-bots emulator; paths are relative to the test's file",
    )
    config.stash[_PROCESSES] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop all emulators."""
    for process in config.stash.get(_PROCESSES, {}).values():
        process.stop()


def _refuse(given: str, accepted: str) -> NoReturn:
    pytest.fail(f"@pytest.mark.{_MARK}: {given} cannot be used; accepted: {accepted}", pytrace=False)


def _arguments(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return the emulator's options from the marks of a test, the closest first."""
    modules: Sequence[Any] = ()
    load: Any = ""
    options: Sequence[Any] = ()
    for mark in request.node.iter_markers(_MARK):
        unknown = [name for name in mark.kwargs if name not in _ACCEPTED]
        if mark.args or unknown:
            given = ", ".join(unknown) or repr(mark.args[0])
            _refuse(given, ", ".join(_ACCEPTED))
        modules = modules or mark.kwargs.get("modules", ())
        load = load or mark.kwargs.get("load", "")
        options = options or mark.kwargs.get("options", ())
    for name, value in (("modules", modules), ("options", options)):
        if isinstance(value, str):
            _refuse(f"{name}={value!r}", "a list")
    folder = Path(request.node.path).parent
    paths = [argument for module in modules for argument in ("--module", str(folder / module))]
    state = ["--load", str(folder / load)] if load else []
    return (*paths, *state, *map(str, options))


def _started(arguments: tuple[str, ...]) -> EmulatorProcess:
    try:
        return EmulatorProcess.start(matchmaker_interval=0.2, extra=("--control-port", "0", *arguments))
    except EmulatorStartError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)


@pytest.fixture
def nakama(request: pytest.FixtureRequest) -> Iterator[Nakama]:
    """Yield an emulator without state of earlier tests; its matchmaker runs five times a second."""
    processes = request.config.stash[_PROCESSES]
    arguments = _arguments(request)
    process = processes.get(arguments)
    if process is None or not process.alive:
        processes[arguments] = process = _started(arguments)
        yield Nakama(process)
        return
    server = Nakama(process)
    server.reset()
    yield server
