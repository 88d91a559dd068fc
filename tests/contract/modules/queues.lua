-- A match that can be kept busy, for the contract cases of a match's queues.
-- Load it into a real server in addition to nakama_modules/.

local nk = require("nakama")

local M = {}

local function busy(milliseconds)
  local start = nk.time()
  while nk.time() - start < milliseconds do end
end

function M.match_init(_, params)
  return { log = {}, seen = 0 }, params.rate or 10, "queues"
end

-- Metadata {"kick": "1"}: the joining session is closed, and its join is accepted.
function M.match_join_attempt(_, _, _, state, presence, metadata)
  if metadata.kick then
    nk.session_disconnect(presence.session_id)
  end
  return state, true
end

function M.match_join(_, _, _, state, presences)
  table.insert(state.log, "join of " .. #presences)
  return state
end

function M.match_leave(_, _, tick, state, _)
  table.insert(state.log, "leave " .. tick)
  return state
end

-- Op code 1: be busy for this many milliseconds. 2: defer this many broadcasts.
function M.match_loop(_, dispatcher, tick, state, messages)
  for _, message in ipairs(messages) do
    if message.op_code == 1 then
      busy(tonumber(message.data))
    elseif message.op_code == 2 then
      for number = 1, tonumber(message.data) do
        dispatcher.broadcast_message_deferred(7, tostring(number))
      end
    end
  end
  state.seen = state.seen + #messages
  state.tick = tick
  return state
end

function M.match_terminate(_, _, _, state, _)
  return state
end

-- "end" ends the match, "fail" fails, any other signal is answered with the state.
function M.match_signal(_, _, _, state, data)
  if data == "end" then
    return nil, "ended"
  elseif data == "fail" then
    error("failed")
  end
  return state, nk.json_encode(state)
end

-- {"rate": 10}: starts a match, and returns its id.
nk.register_rpc(function(_, payload)
  return nk.match_create("queues", nk.json_decode(payload))
end, "contract_queues")

-- {"match_id": "..", "data": ".."}: signals the match; returns the answer or the error.
nk.register_rpc(function(_, payload)
  local asked = nk.json_decode(payload)
  local ok, answer = pcall(nk.match_signal, asked.match_id, asked.data)
  if not ok then
    local message = type(answer) == "table" and answer[1] or answer
    return nk.json_encode({ failed = (tostring(message):gsub("^[^%s]*:%d+: ", "")) })
  end
  return answer
end, "contract_queues_signal")

-- {"label": "..", "presences": [[user id, session id], ..]}: all join the stream with that label in one call.
nk.register_rpc(function(_, payload)
  local asked = nk.json_decode(payload)
  for _, one in ipairs(asked.presences) do
    nk.stream_user_join(one[1], one[2], { mode = 124, label = asked.label }, false, false)
  end
  return ""
end, "contract_queues_stream")

return M
