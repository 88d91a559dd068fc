"""The public names, and that only importing the Locust plugin patches the standard library."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import bound_client
import pytest

import nakama_bots
from nakama_bots import errors
from nakama_bots.errors import CallError

ROOT = Path(__file__).parents[1]

UNPATCHED = (
    "nakama_bots",
    "nakama_bots.settings.resolve",
    "nakama_bots.session",
    "nakama_bots.rest.client",
    "nakama_bots.rest.transports.transport",
    "nakama_bots.realtime.socket",
    "nakama_bots.players.player",
    "nakama_bots.players.acts.match",
    "nakama_bots.players.acts.matchmaking",
    "nakama_bots.players.acts.chat",
    "nakama_bots.results.record.recorder",
    "nakama_bots.results.summary",
    "nakama_bots.results.run_folder",
    "nakama_bots.emulator.server.process",
    "nakama_bots.cli.main",
)
PATCHED = ("socket", "ssl", "threading", "time", "subprocess", "select", "os", "signal", "queue")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# What scenarios, behaviours and programs are written with, and the classes of Nakama's clients.
NAMES = (
    "Behaviour", "BehaviourError", "ChatMessage", "Client", "DefaultSocket", "Match", "NakamaApi", "NakamaRpc",
    "NakamaUser", "Party", "Player", "Seat", "Session", "Socket", "State", "Ticket", "WebSocketAdapter",
    "WebSocketAdapterText", "between", "constant", "exact", "json_field", "keyed", "stamped", "tag", "task",
)  # fmt: skip


def test_the_front_door() -> None:
    assert set(NAMES) <= set(dir(nakama_bots))
    calls = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, CallError)
    }
    assert calls <= set(dir(nakama_bots))
    assert nakama_bots.__version__ == version("nakama_bots")
    found = python(
        "import sys, nakama_bots\n"
        "assert 'gevent' not in sys.modules and 'locust' not in sys.modules\n"
        "nakama_bots.NakamaUser\n"
        "print(all(getattr(nakama_bots, name) for name in dir(nakama_bots)))"
    )
    assert found == "True"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        nakama_bots.Nothing  # noqa: B018


def test_a_behaviour_needs_no_locust() -> None:
    python(
        "import sys\nfrom nakama_bots import Behaviour, Seat, State\n"
        "assert 'locust' not in sys.modules\nfrom gevent import monkey\n"
        f"assert not any(map(monkey.is_module_patched, {PATCHED!r}))"
    )


def test_a_warning_for_a_user_class_imported_after_ssl() -> None:
    with_warning = (
        "import ssl, warnings, nakama_bots\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    nakama_bots.NakamaUser\n"
        "print(any('Import it first' in str(one.message) for one in caught))"
    )
    assert python(with_warning) == "True"
    assert python("import os; os.environ['LOCUST_SKIP_MONKEY_PATCH'] = '1'\n" + with_warning) == "False"


def test_the_bound_client_is_current() -> None:
    pytest.importorskip("ruff")
    assert bound_client.made() == bound_client.FILE.read_text(), "run: python tests/bound_client.py"


def test_load_has_the_user_class() -> None:
    names = python("import nakama_bots.load as load; print(load.NakamaUser.__name__, load.task.__name__)")
    assert names == "NakamaUser task"


def test_listing_the_scenarios_imports_no_part_of_a_run() -> None:
    """What a run records, judges, shows and writes is imported when Locust sets a run up."""
    refused = (
        "nakama_bots.results", "nakama_bots.load.run", "nakama_bots.load.web", "nakama_bots.load.figures",
        "nakama_bots.load.conductor", "nakama_bots.load.capacity", "nakama_bots.emulator", "nakama_bots.ops",
        "nakama_bots.record", "faker", "msgspec", "hdrh", "google.protobuf", "prometheus_client",
        "opentelemetry", "rich", "aiohttp", "xml",
    )  # fmt: skip
    found = python(
        "import sys, locustfile\n"
        f"refused = {refused!r}\n"
        "allowed = {'nakama_bots.load.figures', 'nakama_bots.load.figures.locust_stats'}\n"
        "print(sorted(name for name in sys.modules if name not in allowed\n"
        "             and any(name == one or name.startswith(one + '.') for one in refused)))"
    )
    assert found == "[]"


def test_a_worker_imports_nothing_of_the_master() -> None:
    found = python(
        "import sys, nakama_bots.load.run\n"
        "print(sorted(name for name in sys.modules if name.startswith((\n"
        "    'nakama_bots.load.conductor', 'nakama_bots.load.ending', 'nakama_bots.load.web',\n"
        "    'nakama_bots.results.gate', 'nakama_bots.results.show', 'nakama_bots.results.compare'))))"
    )
    assert found == "[]"


def test_what_only_some_runs_need_is_not_imported() -> None:
    python(
        "import sys, nakama_bots.load.conductor\n"
        "assert not {'prometheus_client', 'nakama_bots.load.export.line_writer'} & set(sys.modules)"
    )


@pytest.mark.parametrize("module", UNPATCHED)
def test_importing_it_patches_nothing(module: str) -> None:
    python(
        f"import sys, {module}\n"
        "assert 'locust' not in sys.modules\n"
        "from gevent import monkey\n"
        f"assert not any(map(monkey.is_module_patched, {PATCHED!r}))"
    )


def test_load_is_what_patches() -> None:
    python("import nakama_bots.load\nfrom gevent import monkey\nassert monkey.is_module_patched('socket')")
