-- Calls any function of nk for the contract cases, and returns the outcome.

local nk = require("nakama")

local encode = nk.json_encode

-- The returned values and their count, as JSON cannot hold trailing nils.
local function seen(ok, ...)
  local count = select("#", ...)
  if not ok then
    -- The position in this file is removed.
    local message = (...)
    if type(message) == "table" then
      message = message[1]
    end
    return { failed = (tostring(message):gsub("^[^%s]*:%d+: ", "")) }
  end
  local values = {}
  for number = 1, count do
    local value = select(number, ...)
    if value ~= nil then
      values[number] = value
    end
  end
  -- {} is encoded as an object, so trailing nils are not counted.
  while count > 0 and values[count] == nil do
    count = count - 1
  end
  return { count = count, values = values }
end

-- {"name": "..", "args": [..], "count": n, "then": ".."}: nk[name](args..), and nk[then] of its first result.
local function contract_nk(_, payload)
  local asked = nk.json_decode(payload)
  -- Written as in a module, as errors contain the name by which a function is called.
  local source = "local nk = ... return function(give, ...) return give(nk." .. asked.name .. "(...)) end"
  local call = assert(loadstring(source, "=call"))(nk)
  local function give(...)
    if asked["then"] then
      return nk[asked["then"]]((...))
    end
    return ...
  end
  return encode(seen(pcall(call, give, unpack(asked.args or {}, 1, asked.count))))
end
nk.register_rpc(contract_nk, "contract_nk")

-- The context of a call.
local function contract_context(context, payload)
  local found = {}
  for name, value in pairs(context) do
    found[name] = type(value)
  end
  found.mode = context.execution_mode
  found.payload = payload
  return encode(found)
end
nk.register_rpc(contract_context, "contract_context")

local once = 0
nk.run_once(function(context)
  once = once + 1
  assert(context.execution_mode == "run_once")
end)
nk.run_once(function()
  once = once + 100
end)

-- Behaviour of Lua itself, where implementations differ.
local language = {
  once = function() return once end,
  context = function() return nk.get_context().execution_mode end,
  upvalue = function() once = once + 0 return type(once) end,
  global = function() a_new_global = 1 end,
  string_call = function() return ("x"):rep(3), ("a,b"):find(",", 1, true) end,
  numbers = function() return tostring(1e15), tostring(1 / 3), tostring(2 ^ 53), tostring(-0.5), 7 % -3, 2 ^ 0.5 end,
  libraries = function()
    local found = {}
    for _, name in ipairs({ "io", "debug", "coroutine", "os", "bit32", "string", "table", "math", "package" }) do
      found[name] = type(_G[name])
    end
    return found, type(os.execute), type(os.time), type(require), type(loadstring), type(_VERSION)
  end,
  time = function() return os.time({ year = 2024, month = 2, day = 30, hour = 12 }), os.date("!%Y-%m-%d", 86400) end,
  date = function() return os.date("*t", 1700000000) end,
  bits = function()
    return bit32.band(12, 10), bit32.bor(12, 10), bit32.bxor(12, 10), bit32.bnot(0), bit32.lshift(1, 31),
      bit32.rshift(256, 4), bit32.extract(255, 4, 2), bit32.replace(0, 3, 4, 2), bit32.lrotate(1, 33)
  end,
  missing = function() return type(nk.no_such_function), (pcall(function() nk.no_such_function() end)) end,
  no_argument = function() return nk.json_decode() end,
  table_error = function() error({ "no gold", 9 }) end,
  nil_index = function() local nothing return (pcall(function() return nothing.field end)) end,
  caught = function() return pcall(nk.uuid_string_to_bytes, "x") end,
  json = function()
    return nk.json_encode({}), nk.json_encode({ 1, 2, nil, 4 }), nk.json_encode({ [3] = "c" }),
      nk.json_encode({ a = { 1.5, true, "<&>\"" } }), nk.json_encode(nil == 1), nk.json_encode("x"),
      nk.json_encode({ ["1"] = 1, x = {} })
  end,
  cache = function()
    nk.localcache_put("contract_key", { n = 1 }, 100)
    local found = nk.localcache_get("contract_key")
    nk.localcache_delete("contract_key")
    return found, nk.localcache_get("contract_key", "none"), nk.localcache_get("contract_key")
  end,
  aes = function()
    local key = string.rep("k", 16)
    return nk.aes128_decrypt(nk.aes128_encrypt("secret", key), key), #nk.aes256_encrypt("secret", key .. key),
      pcall(nk.aes128_encrypt, "secret", "short")
  end,
  bcrypt = function()
    local hash = nk.bcrypt_hash("password")
    return nk.bcrypt_compare(hash, "password"), nk.bcrypt_compare(hash, "other")
  end,
  random = function() return #nk.secure_random_bytes(7), math.random(1, 1), math.random(3) <= 3, math.random() < 1 end,
  log = function()
    return nk.logger_debug("d"), nk.logger_info("i"), nk.logger_warn("w"), nk.logger_error("e"), pcall(nk.logger_info, "")
  end,
  metrics = function()
    nk.metrics_counter_add("contract", { a = "b" }, 1)
    nk.metrics_gauge_set("contract_gauge", {}, 2)
    nk.metrics_timer_record("contract_timer", {}, 3)
    nk.event("contract", { a = "b" })
    return pcall(nk.event, "", {})
  end,
  require = function() return package.loaded.nakama == nk, (pcall(require, "no.such")) end,
}

-- {"name": ".."}: the result of a piece of Lua.
local function contract_lua(_, payload)
  return encode(seen(pcall(language[nk.json_decode(payload).name])))
end
nk.register_rpc(contract_lua, "contract_lua")

-- {"collection": "..", "key": ".."}: adds one to ``value.n`` of an object.
local function contract_retry(context, payload)
  local asked = nk.json_decode(payload)
  local id = { collection = asked.collection, key = asked.key, user_id = context.user_id }
  return encode(seen(pcall(nk.storage_write_retry, { id }, function(objects)
    local value = objects[1] and objects[1].value or { n = 0 }
    value.n = value.n + 1
    return { { collection = id.collection, key = id.key, user_id = id.user_id, value = value } }
  end, 3)))
end
nk.register_rpc(contract_retry, "contract_retry")

-- A function that fails as requested.
local function contract_fail(_, payload)
  local asked = nk.json_decode(payload)
  if asked.code then
    error({ asked.message, asked.code })
  elseif asked.table then
    error({ asked.message })
  elseif asked.level then
    error(asked.message, asked.level)
  end
  error(asked.message)
end
nk.register_rpc(contract_fail, "contract_fail")
