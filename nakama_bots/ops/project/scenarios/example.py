"""Example: two players meet through the matchmaker and move about. Make it your game's."""

from nakama_bots import Behaviour, NakamaUser, Seat, State, between, task

MOVE = 1  # your op codes


class Mover(Behaviour):
    """The one script of a player: ``locust`` runs it here, and ``nakama-bots fill`` seats it among humans."""

    def __init__(self) -> None:
        self.x = self.y = 0.0
        self.others: dict[str, tuple[float, float]] = {}

    def on_state(self, seat: Seat, state: State) -> None:
        """Another player has sent something."""
        if state.op_code == MOVE and state.sender != seat.user_id:
            position = state.json()
            self.others[state.sender] = position["x"], position["y"]

    def on_tick(self, seat: Seat) -> None:
        """Send the next input: bytes, text or a JSON value."""
        self.x += seat.random.uniform(-1, 1)
        self.y += seat.random.uniform(-1, 1)
        seat.send(MOVE, {"x": round(self.x, 2), "y": round(self.y, 2)})


class Example(NakamaUser):
    """One match after the other."""

    wait_time = between(0.5, 2.0)
    op_codes = {MOVE: "move"}

    @task
    def play(self) -> None:
        """Find an opponent, play for ten seconds, leave."""
        with self.player.find_match("example", players=2) as match:
            match.play(Mover(), rate=10, seconds=10)
