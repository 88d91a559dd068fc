"""Users that break the rules: they exit the process, never stop, or never pause."""

import sys
from typing import NoReturn

import gevent
from locust import User, constant, task

from nakama_bots.load import NakamaUser


class Well(NakamaUser):
    """Runs beside the others and must continue."""

    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Exiting(NakamaUser):
    wait_time = constant(0.2)

    @task
    def leave(self) -> NoReturn:
        sys.exit(0)


class ExitingAtStart(NakamaUser):
    def on_start(self) -> NoReturn:
        sys.exit(0)

    @task
    def never(self) -> None:
        raise AssertionError


class Plain(User):
    """A plain Locust user."""

    @task
    def leave(self) -> NoReturn:
        sys.exit(0)


class Listening(NakamaUser):
    """Its handler and its tap exit the process."""

    wait_time = constant(0.2)

    @task
    def hear(self) -> None:
        socket = self.player.socket
        socket.on("status_presence_event", lambda _: sys.exit(0))
        socket.tap("status_presence_event", lambda *_: sys.exit(0))
        socket.follow_users([self.player.session.user_id])
        socket.update_status("here")
        socket.ping_pong()


class Swallowing(NakamaUser):
    @task
    def swallow(self) -> None:
        while True:
            try:
                self.player.socket.ping_pong()
                gevent.sleep(0.05)
            except BaseException:  # noqa: BLE001
                pass


class Staying(NakamaUser):
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()

    def on_stop(self) -> None:
        gevent.sleep(3600)


class SpinningOn(NakamaUser):
    @task
    def spin(self) -> None:
        while True:
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001
                pass


class Spinning(NakamaUser):
    @task
    def spin(self) -> None:
        while True:
            pass


class Lasting(NakamaUser):
    """Its task outlasts every test."""

    @task
    def last(self) -> None:
        self.player.socket.ping_pong()
        gevent.sleep(3600)
