-- A match that stores the reasons of its joins and leaves, for the contract cases.

local nk = require("nakama")

local function keep(context, presences)
  for _, presence in ipairs(presences) do
    nk.storage_write({ {
      collection = "contract_reasons", key = presence.user_id, value = { reason = presence.reason, match = context.match_id },
    } })
  end
end

return {
  match_init = function() return {}, 10, "" end,
  -- Metadata {"over": "1"}: the match ends.
  match_join_attempt = function(_, _, _, state, _, metadata)
    if metadata.over then return nil, false, "over" end
    return state, true
  end,
  match_join = function(context, _, _, state, presences) keep(context, presences) return state end,
  match_leave = function(context, _, _, state, presences) keep(context, presences) return state end,
  -- Kicks the sender of a message, and broadcasts.
  match_loop = function(_, dispatcher, _, state, messages)
    for _, message in ipairs(messages) do
      dispatcher.match_kick({ message.sender })
      dispatcher.broadcast_message(9, "kicked")
    end
    return state
  end,
  match_terminate = function(_, _, _, state) return state end,
  match_signal = function(_, _, _, state, data) return state, data end,
}
