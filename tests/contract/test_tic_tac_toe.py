"""Tic-tac-toe behaves the same in Python, on the emulator, and in Lua, on a real server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from nakama_bots.errors import RestError

from .support import Line, Server, error_reply

Connect = Callable[..., Line]
MOVE = 1
EMPTY = "." * 9


@pytest.fixture
def match_id(server: Server) -> str:
    try:
        answer = server.client.rpc(server.new_session(), "create_match", {"module": "tic_tac_toe"})
    except RestError:
        if not server.real:
            raise
        pytest.skip("the server has no match handler 'tic_tac_toe': load nakama_modules/ into it")
    payload: Any = answer["payload"]
    return str(payload["match_id"])


def decoded(data: Any) -> dict[str, Any]:
    assert data["op_code"] == "2"
    assert "presence" not in data
    game: dict[str, Any] = json.loads(base64.b64decode(data["data"]))
    return game


def play(one: Line, other: Line, match_id: str, *cells: int) -> list[dict[str, Any]]:
    """The game after each of these moves, made in turn; both players get the same state."""
    games = []
    for number, cell in enumerate(cells):
        mover = other if number % 2 else one
        mover.socket.send_match_state(match_id, MOVE, json.dumps({"cell": cell}))
        states = [decoded(line.take("match_data")) for line in (one, other)]
        assert states[0] == states[1]
        games.append(states[0])
    return games


@pytest.fixture
def pair(connect: Connect, match_id: str) -> tuple[Line, Line]:
    one, other = connect(), connect()
    assert one.socket.join_match(match_id)["label"] == '{"workload":"tic_tac_toe"}'
    alone = {"board": EMPTY, "turn": "", "winner": "", "players": {one.user_id: "X"}}
    assert decoded(one.take("match_data")) == alone
    other.socket.join_match(match_id)
    both = {one.user_id: "X", other.user_id: "O"}
    begun = {"board": EMPTY, "turn": one.user_id, "winner": "", "players": both}
    for line in (one, other):
        assert decoded(line.take("match_data")) == begun
    return one, other


def test_won_game_and_the_next(pair: tuple[Line, Line], match_id: str) -> None:
    one, other = pair
    games = play(one, other, match_id, 0, 3, 1, 4, 2)
    assert [game["board"] for game in games] == [
        "X........",
        "X..O.....",
        "XX.O.....",
        "XX.OO....",
        "XXXOO....",
    ]
    assert [game["turn"] for game in games] == [other.user_id, one.user_id, other.user_id, one.user_id, ""]
    assert games[-1]["winner"] == one.user_id
    again = decoded(one.take("match_data"))
    assert (again["board"], again["turn"], again["winner"]) == (EMPTY, one.user_id, "")


def test_draw(pair: tuple[Line, Line], match_id: str) -> None:
    last = play(*pair, match_id, 0, 1, 2, 4, 3, 5, 7, 6, 8)[-1]
    assert (last["board"], last["winner"], last["turn"]) == ("XOXXOOOXX", "draw", "")


def test_illegal_moves_are_not_answered(pair: tuple[Line, Line], match_id: str) -> None:
    one, other = pair
    for text in ("x", "[]", "{}", '{"cell":9}', '{"cell":-1}', '{"cell":0.5}', '{"cell":"0"}', '{"cell":true}'):
        one.socket.send_match_state(match_id, MOVE, text)
    other.socket.send_match_state(match_id, MOVE, '{"cell":0}')
    assert play(one, other, match_id, 4)[0]["board"] == "....X...."


def test_third_player_is_refused_and_a_leave_ends_the_game(
    pair: tuple[Line, Line], match_id: str, connect: Connect
) -> None:
    one, other = pair
    with error_reply(5, "match full"):
        connect().socket.join_match(match_id)
    play(one, other, match_id, 0)
    one.socket.leave_match(match_id)
    left = {"board": EMPTY, "turn": "", "winner": "", "players": {other.user_id: "X"}}
    assert decoded(other.take("match_data")) == left
