"""The players of ``benchmarks.bottlenecks``: one class for each planted bottleneck, also run without it."""

from locust import constant, constant_throughput, task

from nakama_bots.load import NakamaUser
from scenarios.big_match import BigMatch as MatchLoop
from scenarios.duel import Duel
from scenarios.town_square import TownSquare

__all__ = ["Blob", "Database", "Duel", "LuaRpc", "MatchLoop", "Reader", "TownSquare"]

SLOW_MS = 50
ANSWER = 50_000


class Database(NakamaUser):
    """Writes one object after the other, each in a transaction of its own."""

    wait_time = constant(0.05)

    @task
    def save(self) -> None:
        """Write it."""
        self.player.api.write_storage_objects([{"collection": "planted", "key": "game", "value": {"level": 1}}])


class LuaRpc(NakamaUser):
    """Calls a slow function five times a second."""

    wait_time = constant_throughput(5)

    @task
    def call(self) -> None:
        """Call it."""
        self.player.socket.rpc("planted_slow", str(SLOW_MS))


class Blob(NakamaUser):
    """Reads large answers as they come."""

    wait_time = constant_throughput(5)

    @task
    def read(self) -> None:
        """Ask for one."""
        self.player.socket.rpc("blob", str(ANSWER))


class Reader(NakamaUser):
    """Does not read its socket while it asks for large answers."""

    wait_time = constant(1)

    @task
    def get_stuck(self) -> None:
        """Until the server closes it."""
        self.player.read_nothing(ANSWER, 10.0)
        self.player.disconnect()
