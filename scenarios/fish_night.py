"""Fish night: three friends in a party play a match, and one loses the connection in the middle.

docs/tutorial.md explains it. The messages are the game's own JSON, without additions. With six players
(``-u 6``) one evening expects 1,440 deliveries: 1,200 received, and 240 missed by the two who were away while
their friends continued to swim. Run a multiple of three users.
"""

from nakama_bots import Behaviour, NakamaUser, Seat, State, between, tag, task

SWIM = 1
PARTY = 3


class Fish(Behaviour):
    """Swims and watches the other fish."""

    def __init__(self) -> None:
        self.x = 0
        self.others: dict[str, int] = {}

    def on_tick(self, seat: Seat) -> None:
        """Swim one stroke."""
        self.x += 1
        seat.send(SWIM, {"x": self.x})

    def on_state(self, seat: Seat, state: State) -> None:  # noqa: ARG002
        """Store another fish's position."""
        self.others[state.sender] = state.json()["x"]


class FishNight(NakamaUser):
    """Plays one evening after the other."""

    by_name_only = True
    must_do = ("matches_joined",)
    must_do_hint = "run a multiple of three users"
    op_codes = {SWIM: "swim"}
    wait_time = between(60, 90)

    @tag("fish", "party", "match", "reconnect")
    @task
    def evening(self) -> None:
        """Gather, join the reef, and swim for 4, 6 and 4 seconds; the leader is away in the second part."""
        with self.player.party(PARTY) as party, self.player.join_match(name=party.id, players=PARTY) as match:
            fish, leads = Fish(), party.leads
            match.play(fish, rate=10, seconds=4, skip=False)
            party.together()
            if leads:
                self.player.cut()
            party.together()
            if not leads:
                match.play(fish, rate=10, seconds=6, skip=False)
            party.together()
            if leads:
                self.player.reconnect()  # to the party and the match
            party.together()
            match.play(fish, rate=10, seconds=4, skip=False)
