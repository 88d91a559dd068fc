-- Tic-tac-toe for two players, refereed by the server.
-- Op code 1 from a player is a move: {"cell": 0 to 8}. Op code 2 from the match is the game, after every change:
-- {"board": "XO.......", "turn": user id, "winner": user id, "draw" or "", "players": {user id: "X" or "O"}}.
-- Illegal moves are ignored. A finished game restarts after two seconds.

local nk = require("nakama")

local TICK_RATE = 5
local MOST_EMPTY_TICKS = 60 * TICK_RATE
local JOIN_TICKS = 5 * TICK_RATE
local PAUSE_TICKS = 2 * TICK_RATE
local MOVE = 1
local GAME = 2
local LINES = {
  { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 }, { 1, 4, 7 }, { 2, 5, 8 }, { 3, 6, 9 }, { 1, 5, 9 }, { 3, 5, 7 },
}

local M = {}

local function count(entries)
  local number = 0
  for _ in pairs(entries) do
    number = number + 1
  end
  return number
end

local function begin(state)
  state.board = { ".", ".", ".", ".", ".", ".", ".", ".", "." }
  state.winner = ""
  state.ended = nil
  state.turn = ""
  if #state.order == 2 then
    state.turn = state.order[1].user_id
  end
end

local function broadcast(dispatcher, state)
  local players = {}
  for number, player in ipairs(state.order) do
    players[player.user_id] = number == 1 and "X" or "O"
  end
  local game = { board = table.concat(state.board), turn = state.turn, winner = state.winner, players = players }
  dispatcher.broadcast_message(GAME, nk.json_encode(game))
end

local function judge(state, tick)
  for _, line in ipairs(LINES) do
    local mark = state.board[line[1]]
    if mark ~= "." and mark == state.board[line[2]] and mark == state.board[line[3]] then
      state.winner = state.order[mark == "X" and 1 or 2].user_id
    end
  end
  if state.winner == "" and not table.concat(state.board):find(".", 1, true) then
    state.winner = "draw"
  end
  if state.winner ~= "" then
    state.turn = ""
    state.ended = tick
  end
end

local function move(state, message, tick)
  if state.turn ~= message.sender.user_id then
    return false
  end
  local ok, asked = pcall(nk.json_decode, message.data)
  local cell = ok and type(asked) == "table" and asked.cell
  if type(cell) ~= "number" or cell % 1 ~= 0 or state.board[cell + 1] ~= "." then
    return false
  end
  local first = state.turn == state.order[1].user_id
  state.board[cell + 1] = first and "X" or "O"
  state.turn = state.order[first and 2 or 1].user_id
  judge(state, tick)
  return true
end

function M.match_init(_, _)
  local state = { order = {}, coming = {}, empty_ticks = 0 }
  begin(state)
  return state, TICK_RATE, '{"workload":"tic_tac_toe"}'
end

function M.match_join_attempt(_, _, tick, state, presence, _)
  for session_id, since in pairs(state.coming) do
    if tick - since >= JOIN_TICKS then
      state.coming[session_id] = nil
    end
  end
  state.coming[presence.session_id] = nil
  for _, player in ipairs(state.order) do
    if player.user_id == presence.user_id then
      return state, false, "already playing"
    end
  end
  if #state.order + count(state.coming) >= 2 then
    return state, false, "match full"
  end
  state.coming[presence.session_id] = tick
  return state, true
end

function M.match_join(_, dispatcher, _, state, presences)
  for _, presence in ipairs(presences) do
    state.coming[presence.session_id] = nil
    table.insert(state.order, presence)
  end
  begin(state)
  broadcast(dispatcher, state)
  return state
end

function M.match_leave(_, dispatcher, _, state, presences)
  for _, presence in ipairs(presences) do
    for number = #state.order, 1, -1 do
      if state.order[number].session_id == presence.session_id then
        table.remove(state.order, number)
      end
    end
  end
  begin(state)
  broadcast(dispatcher, state)
  return state
end

function M.match_loop(_, dispatcher, tick, state, messages)
  for _, message in ipairs(messages) do
    if message.op_code == MOVE and move(state, message, tick) then
      broadcast(dispatcher, state)
    end
  end
  if state.ended and tick - state.ended >= PAUSE_TICKS then
    begin(state)
    broadcast(dispatcher, state)
  end
  state.empty_ticks = #state.order > 0 and 0 or state.empty_ticks + 1
  if state.empty_ticks >= MOST_EMPTY_TICKS then
    return nil
  end
  return state
end

function M.match_terminate(_, _, _, state, _)
  return state
end

function M.match_signal(_, _, _, state, _)
  return state, table.concat(state.board)
end

return M
