"""Users whose tasks fail, each in a different way."""

from locust import SequentialTaskSet, TaskSet, constant, tag, task

from nakama_bots.errors import CallError
from nakama_bots.load import NakamaUser


class Plain(NakamaUser):
    """A server error leaves a task."""

    fixed_count = 1
    wait_time = constant(0.05)

    @tag("calls")
    @task
    def fails(self) -> None:
        self.player.socket.join_match("no-such-match.node")


class Nested(NakamaUser):
    """The same from nested TaskSets."""

    fixed_count = 1
    wait_time = constant(0.05)

    @tag("calls")
    @task
    class Outer(TaskSet):
        @task
        class Inner(SequentialTaskSet):
            @task
            def fails(self) -> None:
                self.user.player.socket.leave_chat("no-such-channel")

            @task
            def goes_on(self) -> None:
                self.user.player.socket.ping_pong()
                self.interrupt(reschedule=False)

        @task
        def leave(self) -> None:
            self.interrupt()


class Faulty(NakamaUser):
    """A fault of the scenario."""

    fixed_count = 1
    wait_time = constant(0.2)

    @tag("faults")
    @task
    def divides(self) -> None:
        raise ZeroDivisionError("a fault of the scenario")


class Dying(NakamaUser):
    """Connected when on_start fails: its on_stop never runs."""

    fixed_count = 1
    wait_time = constant(1)

    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.ping_pong()
        raise LookupError("a fault of the start")

    @tag("faults")
    @task
    def never(self) -> None:
        raise CallError("never comes here")
