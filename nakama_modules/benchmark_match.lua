-- The authoritative match of the vendor's published benchmark: ten ticks a second, at most ten players.
-- Op code 1 is echoed to its sender, op code 2 is sent to all. A match that is empty for a minute ends.
-- https://heroiclabs.com/docs/nakama/getting-started/benchmarks/

local TICK_RATE = 10
local MOST_PLAYERS = 10
local MOST_EMPTY_TICKS = 60 * TICK_RATE
local JOIN_TICKS = 5 * TICK_RATE
local ECHO = 1
local BROADCAST = 2

local M = {}

local function count(entries)
  local number = 0
  for _ in pairs(entries) do
    number = number + 1
  end
  return number
end

function M.match_init(_, _)
  return { players = {}, coming = {}, empty_ticks = 0 }, TICK_RATE, '{"workload":"benchmark"}'
end

function M.match_join_attempt(_, _, tick, state, presence, _)
  for session_id, since in pairs(state.coming) do
    if tick - since >= JOIN_TICKS then
      state.coming[session_id] = nil
    end
  end
  state.coming[presence.session_id] = nil
  local inside = state.players[presence.session_id] ~= nil
  if not inside and count(state.players) + count(state.coming) >= MOST_PLAYERS then
    return state, false, "match full"
  end
  state.coming[presence.session_id] = tick
  return state, true
end

function M.match_join(_, _, _, state, presences)
  for _, presence in ipairs(presences) do
    state.coming[presence.session_id] = nil
    state.players[presence.session_id] = presence
  end
  return state
end

function M.match_leave(_, _, _, state, presences)
  for _, presence in ipairs(presences) do
    state.players[presence.session_id] = nil
  end
  return state
end

function M.match_loop(_, dispatcher, _, state, messages)
  for _, message in ipairs(messages) do
    if message.op_code == ECHO then
      dispatcher.broadcast_message(ECHO, message.data, { message.sender })
    elseif message.op_code == BROADCAST then
      dispatcher.broadcast_message(BROADCAST, message.data)
    end
  end
  if next(state.players) then
    state.empty_ticks = 0
  else
    state.empty_ticks = state.empty_ticks + 1
  end
  if state.empty_ticks >= MOST_EMPTY_TICKS then
    return nil
  end
  return state
end

function M.match_terminate(_, _, _, state, _)
  return state
end

function M.match_signal(_, _, _, state, _)
  return state, tostring(count(state.players))
end

return M
