"""Lua modules in the emulator: runaway code, modules that do not load, and reset functions."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nk_reference
import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime import loader
from nakama_bots.emulator.runtime.calendar import Calendar
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.nk import FUNCTIONS
from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError
from nakama_bots.errors import ConfigError

from .support import Clock, make_core

RUNAWAY = """
local nk = require("nakama")
local kept = {}
local M = {}
local ways = {
  loop = function() while true do end end,
  stubborn = function() while true do pcall(function() while true do end end) end end,
  deep = function() local function down(n) return 1 + down(n) end return down(1) end,
  memory = function() local all = {} while true do all[#all + 1] = string.rep("x", 10000) .. #all end end,
  one_text = function() return string.rep("x", 2 ^ 30) end,
  itself = function() local t = {} t[1] = t return nk.json_encode(t) end,
  far = function() return nk.json_encode({ [1e9] = 1 }) end,
  shared = function() local t = { 1 } for _ = 1, 40 do t = { t, t } end return nk.json_encode(t) end,
  wide = function() local t = {} for i = 1, 1000 do t[i] = { [1e6] = 1 } end return nk.json_encode(t) end,
  pattern = function() return string.find(string.rep("a", 40), string.rep("a*", 40) .. "b") end,
  method = function() return (string.rep("a", 40):match(string.rep("a-", 40) .. "b")) end,
  replace = function() return (string.gsub(string.rep("a", 1e6), ".-b", "x")) end,
  words = function() for _ in string.gmatch(string.rep("a", 40), string.rep("a*", 40) .. "b") do end end,
  nothing = function() return string.rep("", 2 ^ 31 - 1) end,
  server = function() local s = string.rep("x", 1e5) while true do pcall(nk.sha256_hash, s) end end,
  library = function() local t = {} for i = 1, 1e5 do t[i] = 1 end while true do table.insert(t, 1, 1) end end,
  fine = function() return "fine" end,
}
nk.register_rpc(function(_, payload) return ways[payload]() end, "run_away")
function M.match_init() return {}, 10, "" end
function M.match_join_attempt(_, _, _, state) return state, true end
function M.match_join(_, _, _, state) return state end
function M.match_leave(_, _, _, state) return state end
function M.match_loop() while true do end end
function M.match_terminate(_, _, _, state) return state end
function M.match_signal(_, _, _, state, data) return state, data:upper() end
return M
"""


class Game:
    """A core with one Lua module."""

    def __init__(
        self, folder: Path, source: str, instructions: int = 10**6, seconds: int = 600, **more: str
    ) -> None:
        self.clock = Clock()
        options = Options(module_instructions=instructions, module_seconds=seconds, module_memory=2**24)
        self.core = make_core(self.clock, options)
        for name, text in more.items():
            (folder / f"{name}.lua").write_text(text)
        path = folder / "game.lua"
        path.write_text(source)
        loader.load(self.core, [str(path)], handlers.MESSAGES)

    def call(self, identifier: str, payload: str = "", context: RpcContext | None = None) -> Any:
        return self.core.functions[identifier](context or RpcContext(), payload)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("loop", "did not end within 1000000 instructions"),
        ("stubborn", "did not end within 1000000 instructions"),
        ("deep", "stack overflow"),
        ("memory", "not enough memory"),
        ("one_text", "not enough memory"),
        ("itself", "nested more than 100 deep"),
        ("far", "a list has an element at 1000000000"),
        ("shared", "more than 1000000 values"),
        ("wide", "more than 1000000 values"),
        ("pattern", "did not end within 1000000 instructions"),
        ("method", "did not end within 1000000 instructions"),
        ("replace", "did not end within 1000000 instructions"),
        ("words", "did not end within 1000000 instructions"),
    ],
)
def test_runaway_code_fails_alone(tmp_path: Path, way: str, message: str) -> None:
    game = Game(tmp_path, RUNAWAY)
    assert game.call("run_away", "nothing") == ""
    for _ in range(2):
        with pytest.raises(RuntimeFunctionError, match=message):
            game.call("run_away", way)
    assert game.call("run_away", "fine") == "fine"


@pytest.mark.parametrize("way", ["server", "library"])
def test_long_calls_fail_alone(tmp_path: Path, way: str) -> None:
    game = Game(tmp_path, RUNAWAY, instructions=10**12, seconds=1)
    with pytest.raises(RuntimeFunctionError, match="did not end within 1 s"):
        game.call("run_away", way)
    assert game.call("run_away", "fine") == "fine"


def test_runaway_match_ends(tmp_path: Path) -> None:
    game = Game(tmp_path, RUNAWAY)
    match = game.core.matches.create(game.core.new_id(), "game", {})
    assert match.signal("x") == "X"
    match.tick()
    assert match.stopped
    assert game.call("run_away", "fine") == "fine"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    path = tmp_path_factory.mktemp("modules") / "game.lua"
    path.write_text(RUNAWAY)
    with EmulatorProcess.start(extra=("--module", str(path), "--module-instructions", "1000000")) as emulator:
        yield emulator
    assert emulator.exit_code == 0
    assert "Traceback" not in emulator.stderr


def test_emulator_survives_runaway_code(emulator: EmulatorProcess) -> None:
    def call(payload: str) -> tuple[int, Any]:
        url = f"{emulator.url}/v2/rpc/run_away?http_key=defaulthttpkey&unwrap"
        request = urllib.request.Request(url, payload.encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read())["message"]

    assert call("loop") == (500, "the module's code did not end within 1000000 instructions")
    assert call("deep") == (500, "stack overflow")
    assert call("fine") == (200, "fine")
    assert emulator.alive


def test_lua_sandbox(tmp_path: Path) -> None:
    source = """
    local nk = require("nakama")
    nk.register_rpc(function()
      local found = {}
      for _, name in ipairs({ "io", "debug", "coroutine", "python", "dofile", "loadfile", "newproxy" }) do
        if _G[name] ~= nil or package.loaded[name] ~= nil then found[#found + 1] = name end
      end
      found[#found + 1] = os.execute and "os.execute" or os.exit and "os.exit" or os.getenv and "os.getenv"
      return nk.json_encode({ found = found, code = tostring(loadstring("\\27Lua")) })
    end, "reach")
    """
    assert json.loads(Game(tmp_path, source).call("reach")) == {"found": {}, "code": "nil"}


def test_require_of_a_module_in_the_same_folder(tmp_path: Path) -> None:
    source = """
    local helper = require("helper")
    require("nakama").register_rpc(function() return helper.word end, "word")
    """
    game = Game(tmp_path, source, helper='return { word = "from the other file" }')
    assert game.call("word") == "from the other file"


def test_folder_without_lua(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the folder has no Lua file"):
        loader.load(make_core(Clock()), [str(tmp_path)], handlers.MESSAGES)


def test_every_module_of_a_folder_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "b.lua").write_text('order = (order or "") .. "b"')
    (tmp_path / "a.lua").write_text('order = (order or "") .. "a"')
    (tmp_path / "deeper" / "c.lua").write_text(
        'require("nakama").register_rpc(function() return order .. type(require("deeper.c")) end, "order")'
    )
    core = make_core(Clock())
    loader.load(core, [str(tmp_path)], handlers.MESSAGES)
    assert core.functions["order"](RpcContext(), "") == "abboolean"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = ", r"unexpected symbol near '<eof>'"),
        ('require("no.such")', "module no.such not found"),
        ('error("no")', "no"),
        ('require("nakama").register_rpc(1, "x")', "function expected, got number"),
        ("while true do end", "did not end within"),
    ],
)
def test_module_that_does_not_load(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Game(tmp_path, source)
    assert "game.lua" in str(caught.value)


@pytest.mark.parametrize("hook", ["rt_before", "rt_after", "req_before", "req_after"])
def test_hook_that_is_never_called(tmp_path: Path, caplog: pytest.LogCaptureFixture, hook: str) -> None:
    Game(tmp_path, f'require("nakama").register_{hook}(print, "NoSuch")')
    assert f"register_{hook}: no " in caplog.text
    assert "there are " in caplog.text


def test_missing_lua_file() -> None:
    with pytest.raises(EmulatorStartError, match="No such file or directory") as caught:
        EmulatorProcess.start(extra=("--module", "/no/such/game.lua"))
    assert "exit code 2" in str(caught.value)


def test_values_as_text(tmp_path: Path) -> None:
    source = """
    local nk = require("nakama")
    nk.register_rpc(function()
      return string.format("%s %s %5s|%s %d %.2f %s", nil, true, "ab", 0.1 + 0.2, 3, 1 / 3, 1 / 0)
        .. " " .. tostring(0 / 0) .. " " .. tostring(-1 / 0) .. " " .. nk.json_encode(math.huge)
    end, "shown")
    nk.register_rpc(function() return string.format("%d", {}) end, "wrong")
    """
    game = Game(tmp_path, source)
    # As a real server returns it.
    shown = "nil true    ab|0.30000000000000004 3 0.33 +Inf NaN -Inf 1.7976931348623157e+308"
    assert game.call("shown").replace("e308", "e+308") == shown
    with pytest.raises(RuntimeFunctionError, match="bad argument #2 to 'format'"):
        game.call("wrong")


def test_errors_are_logged_and_returned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = """
    local nk = require("nakama")
    nk.register_rpc(function() error({ "not enough gold", 9 }) end, "gold")
    nk.register_rpc(function() local x = nil; return x.y end, "fault")
    """
    game = Game(tmp_path, source)
    with pytest.raises(RuntimeFunctionError) as gold:
        game.call("gold")
    assert (gold.value.message, gold.value.code) == ("not enough gold", 9)
    assert caplog.text == ""
    with pytest.raises(RuntimeFunctionError) as fault:
        game.call("fault")
    assert fault.value.code == 13
    assert "rpc fault: game.lua:4: " in caplog.text


def test_reset_functions_are_called(tmp_path: Path) -> None:
    source = """
    local nk = require("nakama")
    calls = {}
    local function recorder(name)
      return function(context, board, one, two)
        calls[#calls + 1] = { name, context.execution_mode, board.id, one, two }
      end
    end
    nk.register_leaderboard_reset(recorder("leaderboard"))
    nk.register_tournament_end(recorder("end"))
    nk.register_tournament_reset(recorder("reset"))
    nk.register_shutdown(function(context) calls[#calls + 1] = { context.execution_mode } end)
    nk.leaderboard_create("hourly", false, "desc", "best", "0 * * * *", {}, true)
    nk.tournament_create("t", false, nil, nil, 600, "0 * * * *", {}, "", "", 1, nil, nil, 10, 10, true, true)
    nk.register_rpc(function() local all = calls; calls = {}; return nk.json_encode(all) end, "calls")
    """
    game = Game(tmp_path, source)
    calendar = Calendar(game.core)
    second = game.core.seconds()
    hour = second - second % 3600 + 3600
    game.clock.seconds += hour - second
    calendar.look()
    calls = json.loads(game.call("calls"))
    assert ["leaderboard", "leaderboard_reset", "hourly", hour] in calls
    assert [one[:3] for one in calls if one[0] == "reset"] == [["reset", "tournament_reset", "t"]]
    game.clock.seconds += 600
    calendar.look()
    assert json.loads(game.call("calls")) == [["end", "tournament_end", "t", hour + 600, hour + 3600]]
    calendar.look()
    assert game.call("calls") == "{}"
    assert game.core.hooks.shutdown is not None
    game.core.hooks.shutdown(RpcContext(mode="shutdown"))
    assert json.loads(game.call("calls")) == [["shutdown"]]


def test_http_requests_must_be_allowed(tmp_path: Path) -> None:
    source = """
    local nk = require("nakama")
    local get = nk.http_request
    nk.register_rpc(function(_, url) return nk.json_encode({ pcall(get, url, "GET", {}) }) end, "get")
    """
    game = Game(tmp_path, source)
    for url in ("http://127.0.0.1:9/", "http://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/"):
        allowed, message = json.loads(game.call("get", url))
        assert allowed is False
        assert "HTTP request error" in message


def test_every_documented_function_exists() -> None:
    assert len(FUNCTIONS) >= 90
    # Written by ``python tests/nk_reference.py``.
    assert nk_reference.DOCUMENT.read_text(encoding="utf-8") == nk_reference.written()
    assert all(f"`{name}(" in nk_reference.table() for name in FUNCTIONS)
