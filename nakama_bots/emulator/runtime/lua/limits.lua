-- Ends a call into Lua that runs too many instructions, or for too long. The clock is read every STEP instructions,
-- and at each call of a function whose duration depends on its arguments.
--
-- Receives the instructions and seconds that a call may take, patterns.lua's function, and the most steps of a search
-- by the library (1e7, a few hundredths of a second).

local instructions, duration, prepare, cheap = ...
local seconds, sethook, getinfo = os.time, debug.sethook, debug.getinfo
local error, type, tonumber, select, pcall = error, type, tonumber, select, pcall
local floor, max, min, huge = math.floor, math.max, math.min, math.huge
local find, match, gmatch, gsub, rep = string.find, string.match, string.gmatch, string.gsub, string.rep
local sub, format, concat = string.sub, string.format, table.concat

local STEP = 500
local CHEAP, CHEAP_PLAIN = cheap or 1e7, 1e9
local MOST_KNOWN = 1000
local OWN = { prelude = true, limits = true, patterns = true }

local many = format("the module's code did not end within %d instructions", instructions)
local late = format("the module's code did not end within %d s", duration)
local left, deadline = huge, huge

-- Every further instruction fails, so no pcall of the module can continue.
local function stop(message)
  local function hook()
    sethook(hook, "", 1)
    error(message, 0)
  end
  hook()
end

local function check()
  if seconds() > deadline then
    stop(late)
  end
end

local function step()
  left = left - STEP
  if left <= 0 then
    stop(many)
  end
  check()
end

-- The running line of the module's code, in the form that starts an error.
local function place()
  for level = 2, 20 do
    local info = getinfo(level, "Sl")
    if info == nil then
      break
    end
    if info.currentline > 0 and not OWN[info.short_src] then
      return info.short_src .. ":" .. info.currentline .. ": "
    end
  end
  return ""
end

-- The results of pcall; an error of the library gets the place of the module's code.
local function results(name, ok, ...)
  if ok then
    return ...
  end
  local message = (...)
  if type(message) == "string" and not find(message, "^[^\n]-:%d+: ") and message ~= many and message ~= late then
    message = place() .. gsub(message, "to '%?'", "to '" .. name .. "'")
  end
  error(message, 0)
end

-- The power of the text's length to which a search may grow, by pattern.
local known, count = {}, 0
local function power(pattern)
  local found = known[pattern]
  if found == nil then
    local _, repeats = gsub(gsub(pattern, "%%.", ""), "[%*%+%-%?]", "")
    local _, scans = gsub(pattern, "%%[bf%d]", "")
    found = repeats + scans + (sub(pattern, 1, 1) == "^" and 0 or 1)
    if count >= MOST_KNOWN then
      known, count = {}, 0
    end
    known[pattern], count = found, count + 1
  end
  return found
end

local function slow(text, pattern)
  return type(text) == "string"
    and type(pattern) == "string"
    and (#text + 1) ^ power(pattern) * #pattern > CHEAP
end

-- Where a search starts, from the argument of find and match.
local function start(text, init)
  init = tonumber(init or 1)
  if init and init < 0 then
    init = init + #text + 1
  end
  return init and min(max(floor(init), 1), #text + 1)
end

-- The first match from ``init`` on: its place, the place after it, and the search with its captures.
local function first_match(text, pattern, init)
  local search = prepare(text, pattern)
  local from = search.anchored and 2 or 1
  for s = init, search.anchored and init or #text + 1 do
    local after = search.at(s, from)
    if after then
      return s, after, search
    end
  end
  return nil
end

local function plain(text, pattern, init)
  local window = max(1, floor(CHEAP_PLAIN / 10 / #pattern))
  for at = init, #text - #pattern + 1, window do
    check()
    local found = find(sub(text, at, at + window + #pattern - 2), pattern, 1, true)
    if found then
      return at + found - 1, at + found + #pattern - 2
    end
  end
  return nil
end

local function slow_find(text, pattern, from)
  local first, after, search = first_match(text, pattern, from)
  if first then
    return first, after - 1, search.captures()
  end
  return nil
end

local function slow_match(text, pattern, from)
  local first, after, search = first_match(text, pattern, from)
  if first then
    return search.captures(first, after)
  end
  return nil
end

function string.find(...)
  local text, pattern, init, literal = ...
  check()
  if type(text) == "string" and type(pattern) == "string" then
    local from = start(text, init)
    -- The library looks for magic characters up to the first NUL.
    if literal or not find(pattern, "^[^%z%^%$%*%+%?%.%(%[%%%-]*[%^%$%*%+%?%.%(%[%%%-]") then
      if #text * #pattern > CHEAP_PLAIN and from then
        return plain(text, pattern, from)
      end
    elseif slow(text, pattern) and from then
      return results("find", pcall(slow_find, text, pattern, from))
    end
  end
  return results("find", pcall(find, ...))
end

function string.match(...)
  local text, pattern, init = ...
  check()
  local from = slow(text, pattern) and start(text, init)
  if from then
    return results("match", pcall(slow_match, text, pattern, from))
  end
  return results("match", pcall(match, ...))
end

function string.gmatch(...)
  local text, pattern = ...
  check()
  if not slow(text, pattern) then
    return results("gmatch", pcall(gmatch, ...))
  end
  local search, at = prepare(text, pattern), 1
  local function following()
    for s = at, #text + 1 do
      local after = search.at(s, 1)
      if after then
        at = after == s and after + 1 or after
        return search.captures(s, after)
      end
    end
    at = #text + 2
    return nil
  end
  return function()
    return results("gmatch", pcall(following))
  end
end

-- What replaces a match.
local function replacement(search, with, first, after)
  local kind, value = type(with), nil
  if kind == "function" then
    value = with(search.captures(first, after))
  elseif kind == "table" then
    value = with[search.capture(1, first, after)]
  else
    return (gsub(with, "%%(.?)", function(character)
      local digit = tonumber(character)
      if digit == nil then
        return character == "" and "\0" or character
      end
      return digit == 0 and search.whole(first, after) or search.capture(digit, first, after)
    end))
  end
  if not value then
    return search.whole(first, after)
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error(format("invalid replacement value (a %s)", type(value)), 0)
  end
  return value
end

local function slow_gsub(text, pattern, with, most)
  local search, parts, at, done = prepare(text, pattern), {}, 1, 0
  local from = search.anchored and 2 or 1
  while done < most do
    local after = search.at(at, from)
    if after then
      done = done + 1
      parts[#parts + 1] = replacement(search, with, at, after)
    end
    if after and after > at then
      at = after
    elseif at <= #text then
      parts[#parts + 1] = sub(text, at, at)
      at = at + 1
    else
      break
    end
    if search.anchored then
      break
    end
  end
  parts[#parts + 1] = sub(text, at)
  return concat(parts), done
end

local REPLACES = { string = true, number = true, ["function"] = true, table = true }

function string.gsub(...)
  local text, pattern, with, most = ...
  check()
  if slow(text, pattern) and REPLACES[type(with)] then
    most = tonumber(most or #text + 1)
    if most then
      return results("gsub", pcall(slow_gsub, text, pattern, with, most))
    end
  end
  return results("gsub", pcall(gsub, ...))
end

function string.rep(...)
  check()
  if select("#", ...) > 1 and (...) == "" and tonumber((select(2, ...))) then
    return ""
  end
  return results("rep", pcall(rep, ...))
end

return {
  check = check,
  place = place,
  results = results,
  -- The limits of a call from Python: those of calls within it are the same.
  begin = function()
    left, deadline = instructions, seconds() + duration
    sethook(step, "", STEP)
  end,
  -- Without arguments it ends them; a Lua function could not, once every instruction fails.
  sethook = sethook,
}
