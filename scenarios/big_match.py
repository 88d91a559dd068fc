"""Big match: all players in one match, each at 20 Hz, until something gives.

``BigMatch`` plays in a server match of 20 ticks a second that sends a state to all players in each tick. It
counts the inputs that never came to the match and the ticks that the match did not run. ``BigRelay`` sends
every message to all others through the relay. Let the match grow, and see what breaks first::

    locust -f scenarios/big_match.py BigMatch --headless --host URL --nakama-metrics URL \\
        --nakama-server-log nakama.log --nakama-load steps:from=10,to=200,by=10,each=10s

``BigMatch`` needs the RPC ``find_crowd_match`` and the match ``crowd_match`` of ``nakama_modules/``, which the
embedded emulator has.
"""

from time import perf_counter

from nakama_bots import NakamaUser, Player, State, constant, keyed, observer, tag, task

RATE = 20
INPUT, ASK = 1, 2
SECONDS = 24 * 3600
ANSWERS = keyed(
    lambda op_code, data: data if op_code == ASK else None,
    lambda op_code, data: (data.split(maxsplit=2)[2],) if op_code == ASK else (),
)


class Tally:
    """What the match says of itself: once a second its tick, and how many of this player's inputs it lacks."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.began = 0.0
        self.tick = self.due = self.missing = 0

    def hear(self, state: State) -> None:
        """Count what is new in an answer."""
        if state.op_code != ASK:
            return
        tick, missing = map(int, state.data.split()[:2])
        now = perf_counter()
        if not self.began:
            self.began = now
        else:
            due = int((now - self.began) * RATE)
            self.player.calls.count(observer.SERVER_TICKS, tick - self.tick)
            self.player.calls.count(observer.SERVER_TICKS_DUE, due - self.due)
            self.due = due
        self.player.calls.count(observer.INPUTS_DROPPED, missing - self.missing)
        self.tick, self.missing = tick, missing


class BigMatch(NakamaUser):
    """Joins the server's one crowd match and stays; the time of one input a second is measured."""

    by_name_only = True
    needs = "the RPC find_crowd_match (load nakama_modules/)"
    wait_time = constant(1)
    must_do = (observer.SERVER_TICKS,)

    @tag("match", "authoritative", "big")
    @task
    def play(self) -> None:
        """Send an input in every tick."""
        tally = Tally(self.player)
        with self.player.join_listed_match("find_crowd_match", delivery=ANSWERS) as match:
            match.on_state(tally.hear)
            for number, _ in enumerate(match.ticks(RATE, SECONDS), 1):  # a tick's own number counts missed ones
                self.player.calls.count(observer.INPUTS_SENT)
                match.send(INPUT if number % RATE else ASK, f"{number} {self.player.identity.number}")


class BigRelay(NakamaUser):
    """Joins one relayed match and stays; every message goes to all others."""

    by_name_only = True
    wait_time = constant(1)

    @tag("match", "relayed", "big")
    @task
    def play(self) -> None:
        """Send in every tick."""
        with self.player.join_match(name="nakama-bots-crowd") as match:
            for tick in match.ticks(RATE, SECONDS):
                match.send(1, f"{tick.number:064}")
