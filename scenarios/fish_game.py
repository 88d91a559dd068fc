"""Fish Game: one behaviour and one user class in one file, used in three ways.

``locust -f scenarios/fish_game.py`` loads a server with fish, ``--nakama-gate`` turns that into a CI check, and
``nakama-bots fill URL --match-name reef --script scenarios/fish_game.py:Swimmer`` plays with humans. Copy it to
write your own game's bot. Op code 1 is the position of a fish, 2 a shot; both are JSON objects.
"""

import math

from nakama_bots import Behaviour, NakamaUser, Seat, State, tag, task

SWIM, SHOT = 1, 2
WIDTH, HEIGHT = 1280.0, 720.0
STROKE = 40.0
RANGE = 200.0


class Swimmer(Behaviour):
    """Swims to the nearest fish and fires in range; skilled bots turn faster and miss less."""

    def __init__(self) -> None:
        self.x = self.y = self.heading = 0.0
        self._others: dict[str, tuple[float, float]] = {}

    def on_join(self, seat: Seat) -> None:
        """Start at a random position."""
        self.x, self.y = seat.random.uniform(0, WIDTH), seat.random.uniform(0, HEIGHT)
        self.heading = seat.random.uniform(-math.pi, math.pi)

    def on_state(self, seat: Seat, state: State) -> None:
        """Store another fish's position; ignore anything else."""
        if state.op_code == SWIM and state.sender != seat.user_id:
            try:
                self._others[state.sender] = float(state.json()["x"]), float(state.json()["y"])
            except (ValueError, TypeError, KeyError):
                self._others.pop(state.sender, None)

    def on_tick(self, seat: Seat) -> None:
        """Turn, swim a stroke, and fire at a fish in range."""
        there = [place for user_id, place in self._others.items() if user_id in seat.presences]
        target = min(there, key=lambda place: math.dist(place, (self.x, self.y)), default=None)
        if target is None:
            self.heading += seat.random.gauss(0, 0.5)
        else:
            wanted = math.atan2(target[1] - self.y, target[0] - self.x)
            self.heading += math.remainder(wanted - self.heading, math.tau) * (0.2 + 0.8 * seat.persona.skill)
        self.x = min(WIDTH, max(0.0, self.x + STROKE * math.cos(self.heading)))
        self.y = min(HEIGHT, max(0.0, self.y + STROKE * math.sin(self.heading)))
        seat.send(SWIM, {"x": round(self.x, 1), "y": round(self.y, 1)})
        if target is not None and math.dist(target, (self.x, self.y)) < RANGE:
            aim = self.heading + seat.random.gauss(0, 0.5 * (1.0 - seat.persona.skill))
            seat.send(SHOT, {"x": round(self.x, 1), "y": round(self.y, 1), "aim": round(aim, 3)})


class FishGame(NakamaUser):
    """Two fish of a reef, who meet through the matchmaker."""

    by_name_only = True
    op_codes = {SWIM: "swim", SHOT: "shot"}

    @tag("fish", "match", "matchmaker")
    @task
    def play(self) -> None:
        """Swim for ``--nakama-match-seconds``."""
        with self.player.find_match("fish", players=2) as match:
            match.play(Swimmer())
