-- The function that the contract cases of reset schedules call.
-- Load it into a real server in addition to nakama_modules/.

local nk = require("nakama")

-- {"expressions": [".."], "after": seconds}: the next time of each expression, or "refused" for an invalid one.
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
