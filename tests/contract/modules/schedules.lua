-- The function that the contract cases of reset schedules call.
-- Load it into a real server beside nakama_modules/.

local nk = require("nakama")

-- {"expressions": [".."], "after": seconds}: by expression the next time, or "refused" for one that is none.
local function contract_schedules(_, payload)
  local asked = nk.json_decode(payload)
  local answer = {}
  for _, expression in ipairs(asked.expressions) do
    local ok, following = pcall(nk.cron_next, expression, asked.after)
    answer[expression] = ok and following or "refused"
  end
  return nk.json_encode(answer)
end

nk.register_rpc(contract_schedules, "contract_schedules")
