-- Runtime functions that the scenarios and contract tests call. The emulator loads this folder automatically;
-- copy the files to a real server's runtime path (compose.yaml mounts the whole folder).

local nk = require("nakama")

local INVALID_ARGUMENT = 3
local MOST_PLAYERS = 10

-- Answers with its payload.
local function echo(_, payload)
  return payload
end

-- Starts an authoritative match: {"module": "benchmark_match", "params": {}} -> {"match_id": ".."}.
local function create_match(_, payload)
  local asked = {}
  if payload ~= nil and payload ~= "" then
    local ok, decoded = pcall(nk.json_decode, payload)
    if not ok or type(decoded) ~= "table" then
      error({ "the payload must be a JSON object", INVALID_ARGUMENT })
    end
    asked = decoded
  end
  local match_id = nk.match_create(asked.module or "benchmark_match", asked.params or {})
  return nk.json_encode({ match_id = match_id })
end

-- Finds a benchmark match that is not full, or starts one.
local function find_benchmark_match()
  local found = nk.match_list(1, true, nil, 0, MOST_PLAYERS - 1, "+label.workload:benchmark")
  local match_id = found[1] and found[1].match_id or nk.match_create("benchmark_match", {})
  return nk.json_encode({ match_id = match_id })
end

-- Finds the one crowd match of this server, or starts it.
local function find_crowd_match()
  local match_id = nk.localcache_get("crowd_match")
  if not match_id or not nk.match_get(match_id) then
    match_id = nk.match_create("crowd_match", {})
    nk.localcache_put("crowd_match", match_id, 0)
  end
  return nk.json_encode({ match_id = match_id })
end

-- Finds the fullest listed match of a room that is not full, or starts one: {"room", "most"} -> {"match_id", "created"}.
local function find_room_match(_, payload)
  local ok, asked = pcall(nk.json_decode, payload)
  if not ok or type(asked) ~= "table" or type(asked.most) ~= "number" then
    error({ "the payload must be a JSON object with a room and the most players", INVALID_ARGUMENT })
  end
  local found = nk.match_list(100, true, nil, 0, asked.most - 1, "+label.room:" .. tostring(asked.room))
  table.sort(found, function(one, other) return one.size > other.size end)
  if found[1] then
    return nk.json_encode({ match_id = found[1].match_id, created = false })
  end
  local match_id = nk.match_create("crowd_match", { room = tostring(asked.room), most = asked.most })
  return nk.json_encode({ match_id = match_id, created = true })
end

-- Sends a notification: {"user_id", "subject", "content": {}, "code", "persistent"} -> {}.
local function notify_user(_, payload)
  local ok, asked = pcall(nk.json_decode, payload)
  if not ok or type(asked) ~= "table" then
    error({ "the payload must be a JSON object", INVALID_ARGUMENT })
  end
  nk.notification_send(asked.user_id, asked.subject, asked.content, asked.code, nil, asked.persistent == true)
  return "{}"
end

-- The boards of scenarios/leaderboard_race.py; existing boards stay unchanged.
nk.leaderboard_create("nakama_bots_race", false, "desc", "best", nil, {}, true)
nk.tournament_create("nakama_bots_cup", false, "desc", "best", 86400, "0 0 * * *", {}, "Cup of the bots", "",
  1, nil, nil, 1000000, 1000000, true, true)

-- Answers with the number of letters given in the payload.
local function blob(_, payload)
  local size = tonumber(payload)
  if size == nil or size < 0 or size > 1000000 or size ~= math.floor(size) then
    error({ "the payload must be a whole number up to 1000000", INVALID_ARGUMENT })
  end
  return string.rep("x", size)
end

nk.register_rpc(blob, "blob")
nk.register_rpc(notify_user, "notify_user")
nk.register_rpc(echo, "echo")
nk.register_rpc(create_match, "create_match")
nk.register_rpc(find_benchmark_match, "find_benchmark_match")
nk.register_rpc(find_crowd_match, "find_crowd_match")
nk.register_rpc(find_room_match, "find_room_match")
