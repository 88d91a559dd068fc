"""Tic-tac-toe for two, decided by the server; ``nakama_modules/tic_tac_toe.lua`` is the same for a real one.

Op code 1 from a player is a move: ``{"cell": 0 to 8}``. Op code 2 from the match is the game, after a change:
``{"board": "XO.......", "turn": user id, "winner": user id, "draw" or "", "players": {user id: "X" or "O"}}``.
What is not a legal move is not answered. A finished game begins anew after two seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from nakama_bots.emulator.runtime.matches import Dispatcher, MatchContext, MatchMessage, MatchPresence
from nakama_bots.emulator.runtime.nk import Initializer, Nk

TICK_RATE: Final = 5
MOVE: Final = 1
GAME: Final = 2
LABEL: Final = '{"workload":"tic_tac_toe"}'
LINES: Final = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
_MOST_EMPTY_TICKS: Final = 60 * TICK_RATE
_JOIN_TICKS: Final = 5 * TICK_RATE
_PAUSE_TICKS: Final = 2 * TICK_RATE


@dataclass(slots=True)
class State:
    """``order`` has X first; ``ended`` is the tick at which the game was decided."""

    order: list[MatchPresence] = field(default_factory=list)
    coming: dict[str, int] = field(default_factory=dict)
    empty_ticks: int = 0
    board: list[str] = field(default_factory=lambda: ["."] * 9)
    turn: str = ""
    winner: str = ""
    ended: int | None = None

    def begin(self) -> None:
        """An empty board; X moves when there are two."""
        self.board = ["."] * 9
        self.winner = ""
        self.ended = None
        self.turn = self.order[0].user_id if len(self.order) == 2 else ""

    def tell(self, dispatcher: Dispatcher) -> None:
        """Send the game to everybody."""
        players = {one.user_id: mark for one, mark in zip(self.order, "XO", strict=False)}
        game = {"board": "".join(self.board), "turn": self.turn, "winner": self.winner, "players": players}
        dispatcher.broadcast_message(GAME, orjson.dumps(game))

    def move(self, message: MatchMessage, tick: int) -> bool:
        """Whether it was a legal move, and is done."""
        if self.turn != message.sender.user_id:
            return False
        try:
            asked = orjson.loads(message.data)
        except orjson.JSONDecodeError:
            return False
        cell = asked.get("cell") if isinstance(asked, dict) else None
        if isinstance(cell, bool) or not isinstance(cell, int) or not 0 <= cell < 9 or self.board[cell] != ".":
            return False
        first = self.turn == self.order[0].user_id
        self.board[cell] = "X" if first else "O"
        self.turn = self.order[1 if first else 0].user_id
        self._judge(tick)
        return True

    def _judge(self, tick: int) -> None:
        for a, b, c in LINES:
            if self.board[a] != "." and self.board[a] == self.board[b] == self.board[c]:
                self.winner = self.order["XO".index(self.board[a])].user_id
        if not self.winner and "." not in self.board:
            self.winner = "draw"
        if self.winner:
            self.turn = ""
            self.ended = tick


class TicTacToe:
    """The handler."""

    def match_init(self, _: MatchContext, __: Mapping[str, Any]) -> tuple[State, int, str]:
        """Nobody there."""
        return State(), TICK_RATE, LABEL

    def match_join_attempt(
        self,
        _: MatchContext,
        __: Dispatcher,
        tick: int,
        state: State,
        presence: MatchPresence,
        ___: Mapping[str, str],
    ) -> tuple[Any, ...]:
        """Two, each once; who was let in has five seconds to come."""
        state.coming = {who: since for who, since in state.coming.items() if tick - since < _JOIN_TICKS}
        state.coming.pop(presence.session_id, None)
        if any(one.user_id == presence.user_id for one in state.order):
            return state, False, "already playing"
        if len(state.order) + len(state.coming) >= 2:
            return state, False, "match full"
        state.coming[presence.session_id] = tick
        return state, True

    def match_join(
        self,
        _: MatchContext,
        dispatcher: Dispatcher,
        __: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """A new game."""
        for presence in presences:
            state.coming.pop(presence.session_id, None)
            state.order.append(presence)
        state.begin()
        state.tell(dispatcher)
        return state

    def match_leave(
        self,
        _: MatchContext,
        dispatcher: Dispatcher,
        __: int,
        state: State,
        presences: Sequence[MatchPresence],
    ) -> State:
        """The game is off."""
        gone = {presence.session_id for presence in presences}
        state.order = [one for one in state.order if one.session_id not in gone]
        state.begin()
        state.tell(dispatcher)
        return state

    def match_loop(
        self, _: MatchContext, dispatcher: Dispatcher, tick: int, state: State, messages: Sequence[MatchMessage]
    ) -> State | None:
        """Moves, and a new game after a decided one."""
        for message in messages:
            if message.op_code == MOVE and state.move(message, tick):
                state.tell(dispatcher)
        if state.ended is not None and tick - state.ended >= _PAUSE_TICKS:
            state.begin()
            state.tell(dispatcher)
        state.empty_ticks = 0 if state.order else state.empty_ticks + 1
        return state if state.empty_ticks < _MOST_EMPTY_TICKS else None

    def match_terminate(self, _: MatchContext, __: Dispatcher, ___: int, state: State, ____: int) -> State:
        """Nothing to save."""
        return state

    def match_signal(
        self, _: MatchContext, __: Dispatcher, ___: int, state: State, ____: str
    ) -> tuple[State, str]:
        """The board."""
        return state, "".join(state.board)


def init_module(_: Nk, initializer: Initializer) -> None:
    """Register the match."""
    initializer.register_match("tic_tac_toe", TicTacToe())
