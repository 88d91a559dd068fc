"""Pattern searches with counted steps return what Lua's own library returns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime

import nakama_bots.emulator.runtime.lua as package

FOLDER = Path(package.__file__).parent
CALL = b"""
local text, pattern, with, init = ...
local function seen(name, ...)
  local found = { pcall(string[name], ...) }
  for number = 1, select("#", unpack(found)) do
    -- A place differs: the library's errors name the caller's.
    found[number] = tostring(found[number]):gsub("^[^\\n]-:%d+: ", ""):gsub("'[%a?]+' %(", "(")
  end
  return name .. "\\0" .. table.concat(found, "\\0")
end
local words = {}
local function gather()
  for a, b in string.gmatch(text, pattern) do
    words[#words + 1] = tostring(a) .. "\\0" .. tostring(b)
    if #words > 50 then break end
  end
end
local fine = pcall(gather)
return table.concat({
  seen("find", text, pattern, init), seen("match", text, pattern, init),
  seen("gsub", text, pattern, with), seen("gsub", text, pattern, "<%0%1>", 2),
  seen("gsub", text, pattern, function(a) return a == "a" and "!" end),
  seen("gsub", text, pattern, { a = "A", ab = 7, b = false }),
  tostring(fine), table.concat(words, "\\0"),
}, "\\1")
"""
PIECES = (
    *"abc.", "%a", "%w", "%d", "%.", "%%", "[ab]", "[^a]", "[%a-]", "[a-c]", "[]]", "%b()", "%f[a]",
    "(", ")", "()", "%1", "(a*)", "(.-)", "^", "$", "*", "+", "-", "?", "[", "%", " ", "\0", "%z",
)  # fmt: skip


def runtime(*, counted: bool) -> Any:
    lua = LuaRuntime(encoding=None)

    def own(name: str) -> Any:
        source = (FOLDER / f"{name}.lua").read_bytes()
        return lua.eval(b"assert(loadstring(...))", source, f"={name}".encode())

    if counted:
        patterns = own("patterns")(lua.globals()[b"string"][b"find"])
        own("limits")(10**9, 60, patterns, 0)  # no search is cheap
    return lua.eval(b"assert(loadstring(...))", CALL, b"=call")


def joined(rng: random.Random, of: Sequence[str], most: int) -> bytes:
    return "".join(rng.choice(of) for _ in range(rng.randint(1, most))).encode()


def test_counted_searches_match_the_library() -> None:
    library, counted, rng = runtime(counted=False), runtime(counted=True), random.Random(5)
    for _ in range(1500):
        text = joined(rng, [*"aabbc.() ", "\0", "x1"], 8)
        pattern = joined(rng, PIECES, 5)
        case = text, pattern, rng.choice([b"x", b"<%1>", b"%0%0"]), rng.choice([None, 1, 2, -2, 99])
        assert counted(*case) == library(*case), case
