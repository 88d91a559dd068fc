-- A match that broadcasts to all members: op code 1 with the name of a player that joined, op code 2 with the
-- name of one that left. Op code 3 from a player makes the match remove that player.
-- Load it into a real server in addition to nakama_modules/.

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

-- Starts a match: returns {"match_id": ".."}.
nk.register_rpc(function()
  return nk.json_encode({ match_id = nk.match_create("greeter", {}) })
end, "contract_greeter")

return M
