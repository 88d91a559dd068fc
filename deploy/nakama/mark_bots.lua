-- For a game's own server, if its other players or its code are to know the bots: copies their mark, which comes
-- as a session variable, into the account's metadata, which no client can write. Put it into the runtime path.

local nk = require("nakama")

local function mark(context, payload)
  if payload.created and context.vars and context.vars.nakama_bots then
    nk.account_update_id(context.user_id, { nakama_bots = context.vars.nakama_bots })
  end
end

nk.register_req_after(mark, "AuthenticateDevice")
