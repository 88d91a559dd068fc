-- Lua's patterns in Lua, for searches that could take very long: here every step counts as instructions, while a
-- search of Lua's own library counts as one. Results and errors are those of Lua 5.1.
--
-- Receives the library's find; returns a function that prepares a search of a text for a pattern.

local find = ...
local byte, char, sub = string.byte, string.char, string.sub
local error, setmetatable, unpack = error, setmetatable, unpack

local MOST_CAPTURES = 32
local OPEN, POSITION = -1, -2
local PERCENT, BRACKET, CARET, PAREN, CLOSE = 37, 91, 94, 40, 41

-- Whether each byte matches one item of a pattern, such as "%a" or "[^xyz]", as the library says.
local function accepted(item)
  return setmetatable({}, {
    __index = function(known, code)
      local yes = find(char(code), "^" .. item) ~= nil
      known[code] = yes
      return yes
    end,
  })
end

return function(text, pattern)
  local nul = find(pattern, "%z")
  pattern = nul and sub(pattern, 1, nul - 1) or pattern
  local length, last = #text, #pattern
  local level, starts, sizes = 0, {}, {}
  local items = {}
  local match

  -- The place after the item that starts at ``p``.
  local function item_end(p)
    local code = byte(pattern, p)
    p = p + 1
    if code == PERCENT then
      if p > last then
        error("malformed pattern (ends with '%')", 0)
      end
      return p + 1
    elseif code ~= BRACKET then
      return p
    end
    if byte(pattern, p) == CARET then
      p = p + 1
    end
    repeat
      if p > last then
        error("malformed pattern (missing ']')", 0)
      end
      local inside = byte(pattern, p)
      p = p + 1
      if inside == PERCENT and p <= last then
        p = p + 1
      end
    until byte(pattern, p) == 93
    return p + 1
  end

  local function accepts(p, after)
    local known = items[p]
    if known == nil then
      local item = sub(pattern, p, after - 1)
      -- Magic characters that are ordinary where the matcher reads one.
      known = find(item, "^[%^%$%*%+%?%-%)]$") and accepted("%" .. item) or accepted(item)
      items[p] = known
    end
    return known
  end

  local function most(s, p, after)
    local yes, count = accepts(p, after), 0
    while s + count <= length and yes[byte(text, s + count)] do
      count = count + 1
    end
    while count >= 0 do
      local found = match(s + count, after + 1)
      if found then
        return found
      end
      count = count - 1
    end
    return nil
  end

  local function fewest(s, p, after)
    local yes = accepts(p, after)
    while true do
      local found = match(s, after + 1)
      if found then
        return found
      elseif s <= length and yes[byte(text, s)] then
        s = s + 1
      else
        return nil
      end
    end
  end

  local function balanced(s, p)
    if p + 1 > last then
      error("unbalanced pattern", 0)
    elseif s > length or byte(text, s) ~= byte(pattern, p) then
      return nil
    end
    local opens, closes, depth = byte(pattern, p), byte(pattern, p + 1), 1
    for at = s + 1, length do
      local code = byte(text, at)
      if code == closes then
        depth = depth - 1
        if depth == 0 then
          return at + 1
        end
      elseif code == opens then
        depth = depth + 1
      end
    end
    return nil
  end

  local function start_capture(s, p, size)
    if level >= MOST_CAPTURES then
      error("too many captures", 0)
    end
    level = level + 1
    starts[level], sizes[level] = s, size
    local found = match(s, p)
    if not found then
      level = level - 1
    end
    return found
  end

  local function end_capture(s, p)
    local open
    for number = level, 1, -1 do
      if sizes[number] == OPEN then
        open = number
        break
      end
    end
    if open == nil then
      error("invalid pattern capture", 0)
    end
    sizes[open] = s - starts[open]
    local found = match(s, p)
    if not found then
      sizes[open] = OPEN
    end
    return found
  end

  local function again(s, digit)
    local number = digit - 48
    if number < 1 or number > level or sizes[number] == OPEN then
      error("invalid capture index", 0)
    end
    local size = sizes[number]
    -- A position is never repeated.
    if size ~= POSITION and length - s + 1 >= size and sub(text, starts[number], starts[number] + size - 1) == sub(text, s, s + size - 1) then
      return s + size
    end
    return nil
  end

  local function at_border(s, p, after)
    local yes = accepts(p, after)
    return not yes[s > 1 and byte(text, s - 1) or 0] and yes[s <= length and byte(text, s) or 0]
  end

  function match(s, p)
    while p <= last do
      local code, following = byte(pattern, p), byte(pattern, p + 1)
      if code == PAREN and following == CLOSE then
        return start_capture(s, p + 2, POSITION)
      elseif code == PAREN then
        return start_capture(s, p + 1, OPEN)
      elseif code == CLOSE then
        return end_capture(s, p + 1)
      elseif code == PERCENT and following == 98 then
        s = balanced(s, p + 2)
        p = p + 4
      elseif code == PERCENT and following == 102 then
        if byte(pattern, p + 2) ~= BRACKET then
          error("missing '[' after '%f' in pattern", 0)
        end
        local after = item_end(p + 2)
        s = at_border(s, p + 2, after) and s or nil
        p = after
      elseif code == PERCENT and following and following >= 48 and following <= 57 then
        s = again(s, following)
        p = p + 2
      elseif code == 36 and p == last then
        return s == length + 1 and s or nil
      else
        local after = item_end(p)
        local one = s <= length and accepts(p, after)[byte(text, s)]
        local repeats = byte(pattern, after)
        if repeats == 42 then
          return most(s, p, after)
        elseif repeats == 43 then
          return one and most(s + 1, p, after) or nil
        elseif repeats == 45 then
          return fewest(s, p, after)
        elseif repeats == 63 then
          local found = one and match(s + 1, after + 1)
          if found then
            return found
          end
          p = after + 1
        else
          s = one and s + 1 or nil
          p = after
        end
      end
      if s == nil then
        return nil
      end
    end
    return s
  end

  local search = {}

  -- The end of a match that starts at ``s``, or nil; ``p``: where the pattern starts.
  function search.at(s, p)
    level = 0
    return match(s, p)
  end

  function search.whole(first, after)
    return sub(text, first, after - 1)
  end

  function search.capture(number, first, after)
    if number > level then
      if number ~= 1 then
        error("invalid capture index", 0)
      end
      return search.whole(first, after)
    end
    local size = sizes[number]
    if size == OPEN then
      error("unfinished capture", 0)
    end
    return size == POSITION and starts[number] or sub(text, starts[number], starts[number] + size - 1)
  end

  -- All captures; without any, the whole match if ``first`` is given.
  function search.captures(first, after)
    local found, count = {}, level
    if level == 0 and first then
      count = 1
    end
    for number = 1, count do
      found[number] = search.capture(number, first, after)
    end
    return unpack(found, 1, count)
  end

  search.anchored = byte(pattern, 1) == CARET
  return search
end
