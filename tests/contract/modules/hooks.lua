-- Hooks for the contract cases; messages and requests that do not name them pass unchanged.

local nk = require("nakama")

local function keep(user_id, key, value)
  nk.storage_write({ { collection = "contract_hooks", key = key, user_id = user_id, value = value } })
end

-- A status that starts with "hook:" is changed, refused or disabled.
nk.register_rt_before(function(context, envelope)
  local status = envelope.status_update.status
  if status == "hook:change" then
    envelope.status_update.status = "changed in " .. context.execution_mode
  elseif status == "hook:fail" then
    error({ "refused by a hook", 9 })
  elseif status == "hook:error" then
    error("a fault of the hook")
  end
  return envelope
end, "StatusUpdate")

nk.register_rt_after(function(context, out, into)
  if into.status_update.status == "hook:after" then
    keep(context.user_id, "rt_after", { mode = context.execution_mode, answered = out ~= nil, status = "seen" })
  end
end, "StatusUpdate")

-- A device id that ends in "-hooked" gets a user name of the hook's; "-refused" is refused.
nk.register_req_before(function(context, request)
  local id = request.account.id or ""  -- a body without one
  if id:sub(-7) == "-hooked" then
    request.username = "hooked_" .. id
    request.account.vars = { hook = context.execution_mode }
  elseif id:sub(-8) == "-refused" then
    error({ "refused by a hook", 7 })
  elseif id:sub(-9) == "-disabled" then
    return nil
  end
  return request
end, "AuthenticateDevice")

nk.register_req_after(function(context, account, request)
  if account.user.display_name == "hook:after" then
    keep(context.user_id, "req_after", { mode = context.execution_mode, wallet = account.wallet, request = request == nil })
  end
end, "GetAccount")

-- The arguments of hooks of a socket's message, a request, and an authentication.
nk.register_rt_before(function(context, envelope)
  if envelope.match_data_send.op_code == "1077" then
    keep(context.user_id, "rt_envelope", envelope)
  end
  return envelope
end, "MatchDataSend")

nk.register_rt_after(function(context, out, into)
  if into.channel_join.target == "hook:after" then
    keep(context.user_id, "rt_answer", { out = out, into = into })
  end
end, "ChannelJoin")

nk.register_req_before(function(context, request)
  if request.name == "hook:event" then
    keep(context.user_id, "req_event", request)
  end
  return request
end, "Event")

nk.register_req_before(function(context, request)
  if request.record.metadata == '{"hook":1}' then
    keep(context.user_id, "req_record", request)
  end
  return request
end, "WriteLeaderboardRecord")

nk.register_req_after(function(context, session, request)
  if request.username and request.username:sub(1, 7) == "hooked-" then
    keep(context.user_id, "req_login", {
      username = context.username, expiry = type(context.user_session_exp), created = session.created,
      token = type(session.token), request = request,
    })
  end
end, "AuthenticateCustom")

-- Players whose property "contract" is "hook" get an authoritative match; others a token.
nk.register_matchmaker_matched(function(context, entries)
  if entries[1].properties.contract == "hook" then
    return nk.match_create("benchmark_match", { players = #entries, mode = context.execution_mode })
  end
end)
