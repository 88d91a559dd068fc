-- For your game's server, if other players or its code need to recognise bots: copies their mark, a session
-- variable, to the account's metadata, which no client can write. Put it into the runtime path.

local nk = require("nakama")

local function mark(context, payload)
  if payload.created and context.vars and context.vars.nakama_bots then
    nk.account_update_id(context.user_id, { nakama_bots = context.vars.nakama_bots })
  end
end

nk.register_req_after(mark, "AuthenticateDevice")
