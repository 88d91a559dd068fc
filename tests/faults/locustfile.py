"""The users of the fault matrix: ones that do ordinary things, and ones that are at fault themselves.

What a scenario raises on purpose has ``OWN`` in its text, so that its traceback is told from one of ours.
"""

import os
import sys
import time
from contextlib import suppress
from datetime import timedelta
from itertools import count

import gevent
from gevent import monkey
from locust import constant, task

_OFFSET = [0.0]
_START = time.monotonic()


def _jump() -> None:
    """Let the wall clock of this process jump: ``CLOCK_JUMP=SECONDS@AFTER``; before anything imports it."""
    jump, _, after = os.environ["CLOCK_JUMP"].partition("@")
    real = time.time

    def jumping() -> float:
        return real() + (float(jump) if time.monotonic() - _START > float(after) else 0.0)

    time.time = jumping


if "CLOCK_JUMP" in os.environ:
    _jump()

from nakama_bots.errors import CallError  # noqa: E402
from nakama_bots.load import NakamaUser  # noqa: E402
from nakama_bots.observer import FinishedCall  # noqa: E402
from nakama_bots.realtime.socket import Socket  # noqa: E402

OWN = "the scenario's own fault"
really_sleep = monkey.get_original("time", "sleep")
numbers = count()


class Caller(NakamaUser):
    """A ping and a request, ten times a second."""

    wait_time = constant(0.1)

    @task
    def call(self) -> None:
        self.player.socket.ping_pong()
        self.player.client.get_account(self.player.session)


class Talker(NakamaUser):
    """Several requests under way at any time, and pushes that a handler and a tap take."""

    by_name_only = True
    wait_time = constant(0.1)

    @task
    def talk(self) -> None:
        with self.player.chat("faults-room") as room:
            for _ in range(3):
                room.say("hello")
            calls = [gevent.spawn(_ping, self.player.socket) for _ in range(4)]
            gevent.joinall(calls)
            if any(call.value for call in calls):
                raise next(call.value for call in calls if call.value)


def _ping(socket: Socket) -> CallError | None:
    try:
        socket.ping_pong()
    except CallError as error:
        return error
    return None


class Comer(NakamaUser):
    """Comes and goes: every connect needs a token."""

    by_name_only = True
    wait_time = constant(0.3)

    @task
    def come(self) -> None:
        self.player.socket.ping_pong()
        self.player.client.get_account(self.player.session)
        self.player.disconnect()


class _AtFault(Caller):
    abstract = True
    by_name_only = True

    @task
    def fault(self) -> None:
        self.player.socket.ping_pong()
        self.go_wrong()

    def go_wrong(self) -> None:
        raise NotImplementedError


class Raises(_AtFault):
    def go_wrong(self) -> None:
        raise LookupError(OWN)


class RaisesBase(_AtFault):
    """What would end the user's greenlet."""

    def go_wrong(self) -> None:
        raise BaseException(OWN)


class DiesAtStart(_AtFault):
    def on_start(self) -> None:
        raise LookupError(OWN)


class Exits(_AtFault):
    def go_wrong(self) -> None:
        sys.exit(0)


class Blocks(_AtFault):
    """Holds the process up, again and again."""

    def go_wrong(self) -> None:
        really_sleep(0.5)


class Spins(_AtFault):
    """Never lets go."""

    def go_wrong(self) -> None:
        if next(numbers) > 5:
            while True:
                pass


class Swallows(_AtFault):
    """Catches what would end it."""

    def go_wrong(self) -> None:
        while True:
            with suppress(BaseException):
                gevent.sleep(1)


class NeverStops(_AtFault):
    def go_wrong(self) -> None:
        pass

    def on_stop(self) -> None:
        super().on_stop()
        while True:
            gevent.sleep(60)


class Miscounts(_AtFault):
    """Figures that are none."""

    bad = (
        lambda calls: calls.count("half", 0.5),
        lambda calls: calls.count("huge", 2**70),
        lambda calls: calls.count(None),
        lambda calls: calls.count("\ud800"),
        lambda calls: calls.sample("nan", float("nan")),
        lambda calls: calls.sample("inf", float("inf")),
        lambda calls: calls.sample("text", "soon"),
        lambda calls: calls.count("delta", timedelta(1)),
        lambda calls: calls.call(FinishedCall("WS", "size", time.perf_counter(), 0.1, 1.5, None)),
    )

    def go_wrong(self) -> None:
        number = next(numbers)
        self.bad[number % len(self.bad)](self.player.calls)


class Leaks(_AtFault):
    """Opens files until there are no more."""

    def go_wrong(self) -> None:
        kept: list[int] = []
        with suppress(OSError):
            while True:
                kept.append(os.open(os.devnull, os.O_RDONLY))
        gevent.sleep(2.5)
        for descriptor in kept:
            os.close(descriptor)


class HandlerRaises(Talker):
    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.on("channel_message", _raise)


class TapRaises(Talker):
    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.tap("channel_message", _raise)


class HandlerExits(Talker):
    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.on("channel_message", _exit)


class TapExits(Talker):
    def on_start(self) -> None:
        self.player.connect()
        self.player.socket.tap("channel_message", _exit)


def _raise(*_: object) -> None:
    raise LookupError(OWN)


def _exit(*_: object) -> None:
    sys.exit(0)
