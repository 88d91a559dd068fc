-- The functions that the contract cases of streams and notifications call.
-- Load it into a real server in addition to nakama_modules/.

local nk = require("nakama")

local MODE = 123

local function stream_of(payload)
  return { mode = MODE, label = nk.json_decode(payload).label }
end

local ok = nk.json_encode({ ok = true })

-- {"label": "..", "hidden": false}: the caller joins the stream with that label.
local function contract_stream_join(context, payload)
  local hidden = nk.json_decode(payload).hidden or false
  nk.stream_user_join(context.user_id, context.session_id, stream_of(payload), hidden, false)
  return ok
end

-- {"label": ".."}: the caller leaves the stream.
local function contract_stream_leave(context, payload)
  nk.stream_user_leave(context.user_id, context.session_id, stream_of(payload))
  return ok
end

-- {"label": "..", "data": "..", "reliable": true}: all its members get the data.
local function contract_stream_send(_, payload)
  local asked = nk.json_decode(payload)
  nk.stream_send(stream_of(payload), asked.data, nil, asked.reliable)
  return ok
end

-- {"label": ".."}: closes the stream without presence events.
local function contract_stream_close(_, payload)
  nk.stream_close(stream_of(payload))
  return ok
end

nk.register_rpc(contract_stream_join, "contract_stream_join")
nk.register_rpc(contract_stream_leave, "contract_stream_leave")
nk.register_rpc(contract_stream_send, "contract_stream_send")
nk.register_rpc(contract_stream_close, "contract_stream_close")
