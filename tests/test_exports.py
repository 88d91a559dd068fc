"""The public names, and that importing what is no Locust plugin patches nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nakama_bots

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


def test_the_package_has_its_version_and_nothing_else() -> None:
    public = {name for name in vars(nakama_bots) if not name.startswith("_")}
    modules = {name for name in public if f"nakama_bots.{name}" in sys.modules}
    assert public - modules == set()
    assert nakama_bots.__version__.count(".") == 2


def test_load_has_the_user_class() -> None:
    told = python("import nakama_bots.load as load; print(load.__all__, load.NakamaUser.__name__)")
    assert told == "['NakamaUser'] NakamaUser"


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
