"""The six workloads with figures published by Heroic Labs; each ends with theirs beside the measured ones.

Run one at a time: ``locust -f locustfile.py HeroicRegister --headless -u 50 -r 10 -t 2m --host URL``, with
``nakama_modules/`` in the server. https://heroiclabs.com/docs/nakama/getting-started/benchmarks/
"""

from nakama_bots import NakamaUser, Newcomers, Player, constant_pacing, tag, task
from nakama_bots.players.acts.authoritative import FIND, alternate

HELD_SECONDS, MATCH_SECONDS, SEND_EVERY = 200.0, 180.0, 0.5
newcomers = Newcomers()


class Heroic(NakamaUser):
    """Common to all six: ten requests a second per user, so that 50 users reach the published rate of 500."""

    abstract = True
    by_name_only = True
    needs_socket = False
    wait_time = constant_pacing(0.1)


class HeroicSockets(Heroic):
    """Open a socket and hold it for 200 s. Users: the number of open sockets."""

    workload = "sockets"
    needs_socket = True

    @tag("heroic", "sockets")
    @task
    def hold(self) -> None:
        self.player.hold(HELD_SECONDS)


class HeroicRegister(Heroic):
    """Register by device. The accounts remain; the run prints how ``nakama-bots cleanup`` finds them."""

    workload = "register"

    @tag("heroic", "authentication")
    @task
    def register(self) -> None:
        with Player(self.player.world, newcomers.next(self.player.identity)) as newcomer:
            newcomer.register()


class HeroicAuthenticate(Heroic):
    """Authenticate an existing device."""

    workload = "authenticate"

    @tag("heroic", "authentication")
    @task
    def authenticate(self) -> None:
        self.player.authenticate()


class HeroicLuaRpc(Heroic):
    """Call a Lua function over REST that answers with its JSON payload."""

    workload = "lua_rpc"
    needs = "the RPC echo (load nakama_modules/)"
    function = "echo"

    @tag("heroic", "rpc")
    @task
    def call(self) -> None:
        self.player.api.rpc(self.function, {"request": "x" * 32, "number": 42})


class HeroicGoRpc(HeroicLuaRpc):
    """Call the same function in Go."""

    workload = "go_rpc"
    needs = "a Go module whose RPC --nakama-go-rpc names"

    def on_start(self) -> None:
        self.function = self.settings.go_rpc


class HeroicMatch(Heroic):
    """Up to ten players in the server's match for 180 s; every 0.5 s a message to echo, or one to all."""

    workload = "match"
    needs_socket = True
    needs = "the RPC find_benchmark_match (load nakama_modules/)"

    @tag("heroic", "match", "authoritative")
    @task
    def play(self) -> None:
        with self.player.join_listed_match(FIND) as match:
            alternate(match, SEND_EVERY, MATCH_SECONDS)
