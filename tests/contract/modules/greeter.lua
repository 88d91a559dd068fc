-- A match that greets: op code 1 with the name of who has joined, op code 2 with that of who has left, each to
-- everybody. Op code 3 from a player has the match remove it.
-- Load it into a real server beside nakama_modules/.

local nk = require("nakama")

local M = {}

function M.match_init(_, _)
  return {}, 10, "greeter"
end

function M.match_join_attempt(_, _, _, state, _, _)
  return state, true
end

function M.match_join(_, dispatcher, _, state, presences)
  dispatcher.broadcast_message(1, presences[1].username)
  return state
end

function M.match_leave(_, dispatcher, _, state, presences)
  dispatcher.broadcast_message(2, presences[1].username)
  return state
end

function M.match_loop(_, dispatcher, _, state, messages)
  for _, message in ipairs(messages) do
    if message.op_code == 3 then
      dispatcher.match_kick({ message.sender })
    end
  end
  return state
end

function M.match_terminate(_, _, _, state, _)
  return state
end

function M.match_signal(_, _, _, state, data)
  return state, data
end

-- Starts one: {"match_id": ".."}.
nk.register_rpc(function()
  return nk.json_encode({ match_id = nk.match_create("greeter", {}) })
end, "contract_greeter")

return M
