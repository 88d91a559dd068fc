-- The function that creates the boards for the contract cases of leaderboards and tournaments.
-- Load it into a real server in addition to nakama_modules/.

local nk = require("nakama")

-- {"id": ".."}: creates a leaderboard with that id (descending, operator best), and a tournament ".._t".
local function contract_boards(_, payload)
  local id = nk.json_decode(payload).id
  nk.leaderboard_create(id, false, "desc", "best", nil, {}, true)
  nk.tournament_create(id .. "_t", false, "desc", "incr", 3600, nil, { kind = "contract" }, "Contract",
    "For the contract cases", 1, nil, nil, 2, 2, true, true)
  return nk.json_encode({ leaderboard = id, tournament = id .. "_t" })
end

nk.register_rpc(contract_boards, "contract_boards")
