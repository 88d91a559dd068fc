"""A clock that is set an hour forward and then two hours back while users play."""

import time
from itertools import count

_real = time.time
_shift = [0.0]
# Before the package is imported: every module uses this clock.
time.time = lambda: _real() + _shift[0]

from locust import constant, task  # noqa: E402

from nakama_bots.load import NakamaUser  # noqa: E402

_SHIFTS = (0.0, 3600.0, -3600.0)


class Jumping(NakamaUser):
    wait_time = constant(0.05)

    def on_start(self) -> None:
        self.turns = count()

    @task
    def play(self) -> None:
        _shift[0] = _SHIFTS[next(self.turns) // 10 % len(_SHIFTS)]
        self.player.socket.ping_pong()
        self.player.client.get_account(self.player.session)
