"""The behaviours that come with the package; also entry points, so ``--script wanderer`` finds them."""

from __future__ import annotations

import math
from typing import Any, Final

from nakama_bots.players.behaviours.behaviour import Behaviour, ChatMessage, State
from nakama_bots.players.behaviours.seat import Seat

POSITION: Final = 1
EMOTE: Final = 2
_LINES: Final = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
_EMOTES: Final = ("wave", "dance", "cheer", "shrug")

_TALK: Final[dict[str, tuple[str, ...]]] = {
    "en": ("hi all", "good luck", "nice one", "that was close", "brb"),
    "de": ("hallo zusammen", "viel Glück", "stark", "das war knapp", "gleich wieder da"),
    "fr": ("salut tout le monde", "bonne chance", "bien joué", "c'était juste", "je reviens"),
    "es": ("hola a todos", "suerte", "bien hecho", "por poco", "ya vuelvo"),
    "pt": ("oi pessoal", "boa sorte", "boa", "foi por pouco", "já volto"),
    "it": ("ciao a tutti", "buona fortuna", "bel colpo", "per un pelo", "torno subito"),
    "pl": ("cześć wszystkim", "powodzenia", "dobre", "było blisko", "zaraz wracam"),
    "ja": ("こんにちは", "よろしく", "ナイス", "惜しい", "ちょっと離席"),
}


class Wanderer(Behaviour):
    """Walks about a square of 100 by 100 in a relayed match and sends its position; skill walks straighter."""

    def __init__(self) -> None:
        self.x = self.y = self.heading = 0.0

    def on_join(self, seat: Seat) -> None:
        self.x, self.y = seat.random.uniform(0, 100), seat.random.uniform(0, 100)
        self.heading = seat.random.uniform(0, 2 * math.pi)
        self._send(seat)

    def on_tick(self, seat: Seat) -> None:
        self.heading += seat.random.gauss(0, 1.0 - 0.8 * seat.persona.skill)
        self.x = min(100.0, max(0.0, self.x + math.cos(self.heading)))
        self.y = min(100.0, max(0.0, self.y + math.sin(self.heading)))
        self._send(seat)

    def _send(self, seat: Seat) -> None:
        seat.send(POSITION, {"x": round(self.x, 2), "y": round(self.y, 2)})


class Chatter(Behaviour):
    """Small talk in the persona's language: greets, says something now and then, and answers."""

    def on_join(self, seat: Seat) -> None:
        seat.say(self._lines(seat)[0])

    def on_tick(self, seat: Seat) -> None:
        if seat.random.random() < 0.01:
            seat.say(seat.random.choice(self._lines(seat)[1:]))

    def on_chat(self, seat: Seat, message: ChatMessage) -> None:  # noqa: ARG002
        # Rarely: bots that answer every message would keep a room busy without end.
        if seat.random.random() < 0.05:
            seat.say(seat.random.choice(self._lines(seat)))

    def _lines(self, seat: Seat) -> tuple[str, ...]:
        return _TALK.get(seat.persona.lang_tag.partition("-")[0], _TALK["en"])


class Emoter(Behaviour):
    """Sends an emote now and then."""

    def on_tick(self, seat: Seat) -> None:
        if seat.random.random() < 0.02:
            seat.send(EMOTE, {"emote": seat.random.choice(_EMOTES)})


class Idler(Behaviour):
    """Sits there."""


class Reconnecter(Behaviour):
    """Loses its connection now and then and reconnects, as players on a train do."""

    def on_tick(self, seat: Seat) -> None:
        if seat.random.random() < 0.002:
            seat.reconnect()


class TicTacToePlayer(Behaviour):
    """Plays the match ``tic_tac_toe``: thinks for its reaction time; skilled ones see wins and threats."""

    def __init__(self) -> None:
        self._game: dict[str, Any] | None = None

    def on_state(self, seat: Seat, state: State) -> None:  # noqa: ARG002
        if state.op_code == 2:
            self._game = state.json()

    def on_tick(self, seat: Seat) -> None:
        # On the tick and not at once, to allow for the reaction time.
        game, self._game = self._game, None
        if game is not None and game["turn"] == seat.user_id:
            cell = self._choose(seat, game["board"], game["players"][seat.user_id])
            seat.send(1, {"cell": cell})

    def _choose(self, seat: Seat, board: str, mine: str) -> int:
        free = [cell for cell, mark in enumerate(board) if mark == "."]
        if seat.random.random() < seat.persona.skill:
            for mark in (mine, "O" if mine == "X" else "X"):
                for cell in free:
                    after = board[:cell] + mark + board[cell + 1 :]
                    if any(all(after[one] == mark for one in line) for line in _LINES):
                        return cell
        return seat.random.choice(free)
