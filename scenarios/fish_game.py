"""A bot for Fish Game, as a behaviour of ``nakama-bots fill``: a fish that swims about and fires now and then.

``nakama-bots fill URL --match-name reef --script scenarios/fish_game.py:Swimmer``. Not a Locust user: fill
plays with humans and measures nothing. Copy it to write your own game's bot. Op code 1 is where a fish is, 2 a
shot; both are JSON texts.
"""

import base64
import math

import orjson

from nakama_bots.players.behaviour import Behaviour, Seat
from nakama_bots.types.realtime import MatchData

SWIM = 1
SHOT = 2
WIDTH, HEIGHT = 1280.0, 720.0
STROKE = 40.0
RANGE = 200.0


class Swimmer(Behaviour):
    """Swims to whoever is near and fires when in range: the skilled turn quicker and miss less."""

    def __init__(self) -> None:
        self.x = self.y = self.heading = 0.0
        self._others: dict[str, tuple[float, float]] = {}

    def on_join(self, seat: Seat) -> None:
        """Come in anywhere."""
        self.x, self.y = seat.random.uniform(0, WIDTH), seat.random.uniform(0, HEIGHT)
        self.heading = seat.random.uniform(-math.pi, math.pi)
        self._tell(seat)

    def on_state(self, seat: Seat, data: MatchData) -> None:
        """See where another fish is; what is no position is somebody else's business."""
        user_id = data.get("presence", {}).get("user_id", "")
        if data.get("op_code") != str(SWIM) or user_id == seat.user_id:
            return
        try:
            position = orjson.loads(base64.b64decode(data.get("data", "")))
            self._others[user_id] = float(position["x"]), float(position["y"])
        except (ValueError, TypeError, KeyError):
            self._others.pop(user_id, None)

    def on_tick(self, seat: Seat) -> None:
        """Turn, swim a stroke, and fire at what is in range."""
        target = self._nearest(seat)
        if target is None:
            self.heading += seat.random.gauss(0, 0.5)
        else:
            wanted = math.atan2(target[1] - self.y, target[0] - self.x)
            turn = math.remainder(wanted - self.heading, math.tau)
            self.heading += turn * (0.2 + 0.8 * seat.persona.skill)
        self.x = min(WIDTH, max(0.0, self.x + STROKE * math.cos(self.heading)))
        self.y = min(HEIGHT, max(0.0, self.y + STROKE * math.sin(self.heading)))
        self._tell(seat)
        if target is not None and math.dist(target, (self.x, self.y)) < RANGE:
            aim = self.heading + seat.random.gauss(0, 0.5 * (1.0 - seat.persona.skill))
            seat.send(SHOT, orjson.dumps({"x": round(self.x, 1), "y": round(self.y, 1), "aim": round(aim, 3)}))

    def _tell(self, seat: Seat) -> None:
        seat.send(SWIM, orjson.dumps({"x": round(self.x, 1), "y": round(self.y, 1)}))

    def _nearest(self, seat: Seat) -> tuple[float, float] | None:
        there = [place for user_id, place in self._others.items() if user_id in seat.presences]
        return min(there, key=lambda place: math.dist(place, (self.x, self.y)), default=None)
