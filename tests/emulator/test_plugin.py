"""The pytest plugin, in a nested pytest run; state files, the request log, and reloaded modules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nested import nested_pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.runtime import loader
from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError
from nakama_bots.emulator.store import state
from nakama_bots.errors import ConfigError
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.settings.target import Credentials, Target

from .support import Clock, make_core

INNER = """
import time, urllib.request, json
import pytest

def call(nakama, name, payload=""):
    url = f"{nakama.url}/v2/rpc/{name}?http_key=defaulthttpkey&unwrap"
    request = urllib.request.Request(url, payload.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()

@pytest.mark.parametrize("number", range(6))
@pytest.mark.nakama(modules=["game.lua"], load="players.json")
def test_new_each_time(nakama, number):
    assert nakama.host == "127.0.0.1"
    assert nakama.url.endswith(str(nakama.port))
    assert call(nakama, "count") == "1"
    assert call(nakama, "count") == "2"
    assert json.loads(call(nakama, "who")) == ["alice"]

def test_reset_is_quick():
    from nakama_bots.emulator.pytest_plugin import Nakama
    from nakama_bots.emulator.server.process import EmulatorProcess
    started = time.perf_counter()
    process = EmulatorProcess.start(extra=("--control-port", "0"))
    took, times = time.perf_counter() - started, []
    nakama = Nakama(process)
    for _ in range(20):
        started = time.perf_counter()
        nakama.reset()
        times.append(time.perf_counter() - started)
    process.stop()
    print("RESET", min(times) / took)

@pytest.mark.nakama(options=["--seed", 1])
def test_faults(nakama):
    nakama.faults({"kind": "error", "on": "*", "code": 14, "message": "gone"})
    with pytest.raises(Exception, match="503"):
        call(nakama, "echo")
    nakama.faults()
    assert call(nakama, "echo", "x") == "x"
    with pytest.raises(ValueError, match="invalid faults"):
        nakama.faults({"kind": "nonsense"})
"""
GAME = """
local nk = require("nakama")
local count = 0
nk.register_rpc(function() count = count + 1 return tostring(count) end, "count")
nk.register_rpc(function()
  local names = {}
  for _, user in ipairs(nk.users_get_username({ "alice", "bob" })) do names[#names + 1] = user.username end
  return nk.json_encode(names)
end, "who")
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text)


def inner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nested_pytest(folder, "-s", *arguments, cwd=folder)


def test_the_fixture(tmp_path: Path) -> None:
    write(tmp_path, test_inner_py=INNER, game_lua=GAME, players_json='{"accounts": [{"username": "alice"}]}')
    done = inner(tmp_path)
    assert "8 passed" in done.stdout, done.stdout + done.stderr
    # A reset takes 20 ms where a start takes half a second, or less.
    assert float(done.stdout.split("RESET ")[1].split()[0]) < 0.04
    assert "nakama(modules" in inner(tmp_path, "--markers").stdout


def test_bad_mark(tmp_path: Path) -> None:
    marks = ("module='x'", "modules='game.lua'", "modules=['game.lua']")
    tests = (f"@pytest.mark.nakama({mark})\ndef test_{i}(nakama): pass\n" for i, mark in enumerate(marks))
    write(tmp_path, test_inner_py="import pytest\n" + "".join(tests))
    done = inner(tmp_path)
    assert "module cannot be used; accepted: modules, load, options" in done.stdout
    assert "modules='game.lua' cannot be used; accepted: a list" in done.stdout
    assert f"--module: '{tmp_path / 'game.lua'}' cannot be used" in done.stdout
    assert "def start(" not in done.stdout, "a traceback for a missing file"


@contextmanager
def connected(emulator: EmulatorProcess) -> Iterator[Client]:
    transport = GeventTransport()
    yield Client(Target.parse(emulator.url), Credentials(), transport=transport)
    transport.close()


def call(url: str, name: str, payload: str = "") -> str:
    request = urllib.request.Request(
        f"{url}/v2/rpc/{name}?http_key=defaulthttpkey&unwrap", payload.encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_saved_state_is_loaded(tmp_path: Path) -> None:
    file, again = tmp_path / "state.json", tmp_path / "again.json"
    modules = str(Path(__file__).parents[1] / "contract" / "modules")
    with (
        EmulatorProcess.start(extra=("--save", str(file), "--module", modules)) as emulator,
        connected(emulator) as client,
    ):
        alice, bob = (client.authenticate_device(f"device-of-{one}", username=one) for one in ("alice", "bob"))
        steps: list[tuple[str, list[Any]]] = [
            ("storage_write", [[{"collection": "c", "key": "k", "user_id": alice.user_id, "value": {"n": 1}}]]),
            ("wallet_update", [alice.user_id, {"coins": 3}, {}, True]),
            ("friends_add", [alice.user_id, "alice", [bob.user_id]]),
            ("group_create", [alice.user_id, "a group", None, None, None, None, True]),
            ("leaderboard_create", ["board", False, "asc", "best", "0 0 * * *", {"a": 1}, True]),
            ("leaderboard_record_write", ["board", alice.user_id, "alice", 5]),
            ("tournament_create", ["cup", False, "desc", "best", 3600]),
            ("notification_send", [alice.user_id, "subject", {"a": 1}, 1, "", True]),
            ("channel_message_send", ["2...room", {"t": "hi"}, alice.user_id, "alice", True]),
        ]
        for name, args in steps:
            answer = client.rpc(alice, "contract_nk", {"name": name, "args": args, "count": len(args)})[
                "payload"
            ]
            assert "failed" not in answer, answer
    assert emulator.exit_code == 0
    with (
        EmulatorProcess.start(extra=("--load", str(file), "--save", str(again))) as emulator,
        connected(emulator) as client,
    ):
        same = client.authenticate_device("device-of-alice", create=False)
        assert (same.user_id, same.created) == (alice.user_id, False)
        assert client.get_account(same)["wallet"] == {"coins": 3}
    saved = json.loads(file.read_text())
    assert set(saved) == {
        "accounts", "friends", "groups", "storage", "leaderboards", "records", "notifications", "messages",
        "ledger",
    }  # fmt: skip
    assert json.loads(again.read_text()) == saved


def test_handwritten_state(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    user = "00000000-0000-4000-8000-000000000001"
    rows = {
        "accounts": [
            {
                "id": user,
                "username": "hand",
                "identities": [["device", "device-by-hand"]],
                "wallet": {"a": 1},
            }
        ],
        "storage": [{"collection": "c", "key": "k", "user_id": user, "value": {"n": 1}}],
        "leaderboards": [{"id": "board"}],
        "records": [{"leaderboard_id": "board", "owner_id": user, "score": 7}],
    }
    file.write_text(json.dumps(rows))
    core = make_core(Clock())
    state.load(core, file)
    account = core.accounts.identified("device", "device-by-hand")
    assert account is not None
    assert (account.id, account.wallet) == (user, '{"a":1}')
    page = core.leaderboards.page(core.leaderboards.get("board"), 10, "", [])
    assert [(record.score, rank) for record, rank in page.records] == [(7, 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "unexpected end"),
        ("[]", "no object"),
        ('{"acounts": []}', "'acounts' is not one of accounts"),
        ('{"accounts": [{}]}', "accounts, row 1: TypeError"),
        ('{"storage": [{"collection": "c"}]}', "storage, row 1: KeyError: 'key'"),
    ],
)
def test_bad_state(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        state.load(make_core(Clock()), file)


def test_missing_state() -> None:
    with pytest.raises(EmulatorStartError, match=r"--load: '/no/such\.json' cannot be used"):
        EmulatorProcess.start(extra=("--load", "/no/such.json"))


def test_requests_are_logged_without_secrets(tmp_path: Path) -> None:
    with EmulatorProcess.start(extra=("--log", "requests")) as emulator, connected(emulator) as client:
        session = client.authenticate_device("device-that-is-logged")
        client.get_account(session)
        assert call(emulator.url, "echo", "secret payload") == "secret payload"
    output = emulator.stderr
    assert "INFO: POST /v2/account/authenticate/device 200 " in output
    assert "INFO: GET /v2/account 200 " in output
    assert session.user_id in output
    for secret in (session.token, "secret payload", "defaulthttpkey", "device-that-is-logged"):
        assert secret not in output


def until(url: str, name: str, wanted: str) -> None:
    end = time.monotonic() + 30
    while call(url, name) != wanted:
        assert time.monotonic() < end, f"{name} never returned {wanted}"


def test_modules_are_reloaded(tmp_path: Path) -> None:
    path = tmp_path / "game.lua"

    def say(word: str) -> None:
        text = f'require("nakama").register_rpc(function() return "{word}" end, "word")'
        beside = tmp_path / "game.part"
        beside.write_text(text)
        beside.replace(path)

    say("one")
    with EmulatorProcess.start(extra=("--module", str(path), "--reload")) as emulator:
        assert call(emulator.url, "word") == "one"
        say("two")
        until(emulator.url, "word", "two")
        path.write_text("x = ")
        say_later = path.with_name("later.lua")
        say_later.write_text("-- another file of the folder")
        assert call(emulator.url, "word") == "two"
        say("three")
        until(emulator.url, "word", "three")
    assert emulator.exit_code == 0
    assert "modules reloaded" in emulator.stderr


def test_failed_reload_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "game.lua"
    path.write_text('require("nakama").register_rpc(function() return "kept" end, "word")')
    core = make_core(Clock())
    loader.load(core, [str(path)], handlers.MESSAGES)
    functions = core.functions
    path.write_text("x = ")
    with pytest.raises(ConfigError):
        loader.reload(core, [str(path)], handlers.MESSAGES)
    assert core.functions is functions


ROOT = Path(__file__).parents[2]
# Distributions whose module has a different name.
IMPORTED = {"hdrhistogram": "hdrh", "websocket-client": "websocket", "prometheus-client": "prometheus_client"}


def named(line: str) -> str:
    """The name of a requirement, "" for a comment."""
    found = re.match(r"[A-Za-z][\w-]*", line)
    return found[0].lower() if found else ""


def test_emulator_requirements_are_complete() -> None:
    """``deploy/emulator.txt`` is enough: no Locust, no gevent, no report libraries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    enough = {
        name for line in (ROOT / "deploy" / "emulator.txt").read_text().splitlines() if (name := named(line))
    }
    everything = {named(line) for line in project["dependencies"]}
    assert enough < everything
    refused = sorted(IMPORTED.get(name, name.replace("-", "_")) for name in everything - enough)
    script = (
        "import sys\n"
        f"for name in {refused!r}: sys.modules[name] = None\n"
        "from nakama_bots.cli.main import parser\n"
        "parser(['emulator'])\n"
        "import nakama_bots.emulator.server.server, nakama_bots.emulator.runtime.lua.module\n"
        "print('enough')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "enough\n", done.stderr
