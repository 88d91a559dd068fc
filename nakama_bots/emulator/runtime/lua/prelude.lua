-- Runs once in a new Lua state, before any module: removes what the server's Lua does not have, and returns
-- what the engine needs. Modules can reach only what they are meant to.

local chunks, log, limits = ...
local error, type, select, loadstring = error, type, select, loadstring
local next, tonumber, pcall, unpack = next, tonumber, pcall, unpack
local format, floor, sub, find = string.format, math.floor, string.sub, string.find
local getinfo, check, place, results = debug.getinfo, limits.check, limits.place, limits.results

local globals = _G
for _, name in ipairs({ "io", "debug", "coroutine", "python", "dofile", "loadfile", "newproxy", "gcinfo" }) do
  globals[name] = nil
end
globals.os, globals.bit32 = {}, {}
-- The server's is the largest number, which JSON can have.
math.huge = 1.7976931348623157e308

-- Formats numbers as the server does: whole ones without an exponent, others with as few digits as possible.
local plain = tostring
function globals.tostring(...)
  local value = ...
  if select("#", ...) == 0 or type(value) ~= "number" then
    return plain(...)
  end
  if value ~= value then
    return "NaN"
  elseif value - value ~= 0 then
    return value > 0 and "+Inf" or "-Inf"
  end
  if value == floor(value) and value > -2 ^ 63 and value < 2 ^ 63 then
    return format("%d", value)
  end
  for digits = 14, 17 do
    local text = format("%." .. digits .. "g", value)
    if tonumber(text) == value then
      return text
    end
  end
  return plain(value)
end

-- As on the server, "%s" accepts any value.
function string.format(pattern, ...)
  local values, count = { ... }, select("#", ...)
  for number = 1, count do
    values[number] = globals.tostring(values[number])
  end
  return results("format", pcall(format, pattern, unpack(values, 1, count)))
end

function globals.print(...)
  local parts = {}
  for number = 1, select("#", ...) do
    parts[number] = globals.tostring((select(number, ...)))
  end
  log(table.concat(parts, "\t"))
end

-- Compiled code could corrupt the state, so only source is accepted.
local function source_only(chunk, name)
  if type(chunk) ~= "string" or sub(chunk, 1, 1) == "\27" then
    return nil, "only source text can be loaded"
  end
  return loadstring(chunk, name)
end
globals.loadstring = source_only
function globals.load(reader, name)
  local parts = {}
  while true do
    local part = reader()
    if part == nil or part == "" then
      return source_only(table.concat(parts), name or "=(load)")
    end
    parts[#parts + 1] = part
  end
end

local loaded = package.loaded
local preload = {}
globals.package = { loaded = loaded, preload = preload, path = "", cpath = "", loaders = {}, seeall = package.seeall }
for name in next, loaded do
  if name ~= "_G" then
    loaded[name] = globals[name]
  end
end
loaded.bit32 = globals.bit32

function globals.require(name)
  if loaded[name] ~= nil then
    return loaded[name]
  end
  local chunk = preload[name]
  if chunk == nil then
    local source, place = chunks(name)
    if source == nil then
      name = globals.tostring(name)
      local tried = "\n\tno field package.preload['" .. name .. "']\n\tno cached module '" .. name .. "', "
      error("module " .. name .. " not found:" .. tried, 2)
    end
    local problem
    chunk, problem = loadstring(source, place)
    if chunk == nil then
      error("error loading module: " .. problem, 2)
    end
  end
  local value = chunk(name)
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  return loaded[name]
end

-- The result of an nk function: true and its values, or false and the error. The server's error names it as it was
-- called: pcall(nk.json_decode, text) gives no name.
local function finish(known, called, ok, ...)
  check()
  if ok then
    return ...
  end
  local message = (...)
  called = called or "(anonymous)"
  if called ~= known then
    local first, last = find(message, " to " .. known .. " (", 1, true)
    if first and find(message, "^bad argument #%d+ to ") then
      message = sub(message, 1, first) .. "to " .. called .. sub(message, last - 1)
    end
  end
  error(place() .. message, 0)
end

return {
  pcall = pcall,
  require = globals.require,
  preload = preload,
  loaded = loaded,
  install = function(library, name, implementation)
    globals[library][name] = implementation
  end,
  wrap = function(name, implementation)
    return function(...)
      local called = getinfo(1, "n").name
      if called == nil and getinfo(2, "S").what == "tail" then
        called = name
      end
      return finish(name, called, implementation(select("#", ...), ...))
    end
  end,
  source = function(callback)
    return getinfo(callback, "S").source
  end,
}
