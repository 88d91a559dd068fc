"""Users for an open model: slow, failing, and one that blocks its process."""

from time import perf_counter

import gevent
from locust import TaskSet, constant, task

from nakama_bots.load import NakamaUser


class Slow(NakamaUser):
    """Stays for a second."""

    @task
    def stay(self) -> None:
        gevent.sleep(1.0)


class Failing(NakamaUser):
    """A server error ends the visit, from a TaskSet as well."""

    wait_time = constant(60)

    @task
    def fails(self) -> None:
        self.player.socket.join_match("no-such-match.node")

    @task
    class Deep(TaskSet):
        @task
        def fails(self) -> None:
            self.user.player.socket.join_match("no-such-match.node")


class Faulty(NakamaUser):
    """A fault of the scenario."""

    wait_time = constant(60)

    @task
    def divides(self) -> None:
        raise ZeroDivisionError("a fault of the scenario")


class Own(NakamaUser):
    """Defines what an arrival does; the task never runs."""

    weight = 2

    def arrive(self) -> None:
        self.player.connect()
        for _ in range(3):
            self.player.socket.ping_pong()

    @task
    def never(self) -> None:
        raise AssertionError


class Leaving(NakamaUser):
    """A TaskSet that is left."""

    @task
    class Visit(TaskSet):
        @task
        def leave(self) -> None:
            self.user.player.socket.ping_pong()
            self.interrupt()


class Blocking(NakamaUser):
    """Blocks its whole process, once."""

    blocked = False

    @task
    def block(self) -> None:
        if not Blocking.blocked:
            Blocking.blocked = True
            until = perf_counter() + 0.5
            while perf_counter() < until:
                pass
