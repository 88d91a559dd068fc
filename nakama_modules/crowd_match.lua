-- One match for a crowd: twenty ticks a second, and a state to everybody in each, as scenarios/big_match.py wants it.
-- Op code 1 is an input, its data begins with the player's own count of them; op code 2 is the same, and is answered
-- to its sender with "tick missing data": the tick, how many of the sender's inputs have not arrived, and the input's
-- data. Op code 3 is the state.
-- The environment variable crowd_work_us is work to do for each player in each tick, in microseconds.

local nk = require("nakama")

local TICK_RATE = 20
local MOST_EMPTY_TICKS = 10 * TICK_RATE
local ASK = 2
local STATE = 3

local M = {}

local function burn(milliseconds)
  local until_ms = nk.time() + milliseconds
  repeat
    local spent = 0
    for number = 1, 2000 do
      spent = spent + number
    end
  until nk.time() >= until_ms
end

function M.match_init(context, params)
  local work = tonumber((context.env or {}).crowd_work_us) or 0
  local label = nk.json_encode({ workload = "crowd", room = params.room or "", most = params.most or 0 })
  return { most = params.most or 0, number = 0, seen = {}, work = work, empty_ticks = 0 }, TICK_RATE, label
end

function M.match_join_attempt(_, _, _, state, _, _)
  if state.most > 0 and state.number >= state.most then
    return state, false, "match full"
  end
  return state, true
end

function M.match_join(_, _, _, state, presences)
  for _, presence in ipairs(presences) do
    state.number = state.number + 1
    state.seen[presence.session_id] = { last = 0, missing = 0 }
  end
  return state
end

function M.match_leave(_, _, _, state, presences)
  for _, presence in ipairs(presences) do
    if state.seen[presence.session_id] then
      state.number = state.number - 1
      state.seen[presence.session_id] = nil
    end
  end
  return state
end

function M.match_loop(_, dispatcher, tick, state, messages)
  for _, message in ipairs(messages) do
    local seen = state.seen[message.sender.session_id]
    local count = tonumber(string.match(message.data, "^%d+"))
    if seen and count then
      seen.missing = seen.missing + math.max(0, count - seen.last - 1)
      seen.last = count
      if message.op_code == ASK then
        dispatcher.broadcast_message(ASK, string.format("%d %d %s", tick, seen.missing, message.data), { message.sender })
      end
    end
  end
  if state.number > 0 then
    if state.work > 0 then
      burn(state.work * state.number / 1000)
    end
    dispatcher.broadcast_message(STATE, string.format("%d %d", tick, state.number))
    state.empty_ticks = 0
  else
    state.empty_ticks = state.empty_ticks + 1
    if state.empty_ticks >= MOST_EMPTY_TICKS then
      return nil
    end
  end
  return state
end

function M.match_terminate(_, _, _, state, _)
  return state
end

function M.match_signal(_, _, _, state, _)
  return state, tostring(state.number)
end

return M
