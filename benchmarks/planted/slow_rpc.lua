-- A function that waits for the database for as many milliseconds as its payload says, without using the CPU.

local nk = require("nakama")

local function slow(_, payload)
  nk.sql_query("select pg_sleep($1)", { tonumber(payload) / 1000 })
  return "{}"
end

nk.register_rpc(slow, "planted_slow")
