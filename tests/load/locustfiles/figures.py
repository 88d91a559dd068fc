"""User classes with the mistakes that scenarios can make with their figures; selected by name."""

from __future__ import annotations

import os

import gevent
from locust import User, constant, events, task
from locust.env import Environment

from nakama_bots.load import NakamaUser
from nakama_bots.load.run_registry import run_of
from nakama_bots.observer import FinishedCall

DEATHS = {kind.__name__: kind for kind in (LookupError, BaseException, SystemExit)}


class Pinging(NakamaUser):
    """Has valid figures."""

    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Mistaken(NakamaUser):
    """Records each invalid figure once, between two valid ones."""

    wait_time = constant(0.05)
    done = False

    @task
    def count(self) -> None:
        calls = self.player.calls
        calls.count("fish")
        if not Mistaken.done:
            Mistaken.done = True
            for name, number in (("x", 0.5), (None, 1), ("bad \ud800 name", 1), ("x", 2**70), ("", 1), ([], 1)):
                calls.count(name, number)  # type: ignore[arg-type]
            for seconds in (float("nan"), float("inf"), "soon", None):
                calls.sample("nap", seconds)  # type: ignore[arg-type]
            calls.call(FinishedCall("MINE", "bite", 0.0, 0.1, 1.5, None))  # type: ignore[arg-type]
            calls.call(FinishedCall("MINE", "bite", 0.0, 0.1, 1, ValueError("none of ours")))  # type: ignore[arg-type]
        calls.sample("nap", 0.001)
        self.player.socket.ping_pong()


class Mortal(NakamaUser):
    """Dies in on_start."""

    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.ping_pong()
        raise DEATHS[os.environ.get("DIES_OF", "LookupError")]("planted")

    @task
    def never(self) -> None:
        raise AssertionError


class Tapping(NakamaUser):
    """Has a tap and a handler that fail at each push."""

    wait_time = constant(0.05)

    @task
    def talk(self) -> None:
        socket = self.player.socket
        room = socket.join_chat("figures")
        untap = socket.tap("channel_message", lambda body, _arrived_at, _size: body["no such key"])
        remove = socket.on("channel_message", lambda _: 1 / 0)
        with socket.expect("channel_message") as expectation:
            socket.write_chat_message(room["id"], {"text": "hello"})
            expectation.wait(5)
        gevent.sleep(0)  # the handler's greenlet
        untap()
        remove()
        socket.leave_chat(room["id"])


class Foreign(User):
    """Fires request events of its own, as an ``HttpUser`` does; every second one failed."""

    wait_time = constant(0.05)
    number = 0

    @task
    def request(self) -> None:
        self.number += 1
        error = ValueError("refused") if self.number % 2 and os.environ.get("FOREIGN_FAILS") else None
        self.environment.events.request.fire(
            request_type="GET", name="/page", response_time=1.0, response_length=2, exception=error, context={}
        )


class Aimless(NakamaUser):
    """Never reaches its goal."""

    wait_time = constant(0.05)
    must_do = ("fish_caught", "WS ping")
    must_do_hint = "go fishing"

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


@events.init.add_listener
def on_init(environment: Environment, **_: object) -> None:
    run = run_of(environment)
    broken = os.environ.get("BROKEN", "")
    if broken == "gauge":

        def fails() -> dict[str, float]:
            raise OSError(24, "Too many open files")

        run.intervals.gauges.append(fails)
    if broken == "lost":
        # Only a bug of the package would do this: calls that are missing in the figures.
        recorder = run.observer._recorder

        def lose(request_type: str, name: str, **_: object) -> None:
            recorder.calls.pop((request_type, name), None)

        environment.events.request.add_listener(lose)
