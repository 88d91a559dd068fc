"""Fails while more than BREAKS_ABOVE users are in its process."""

import os

from locust import constant, task

from nakama_bots.load import NakamaUser

MOST = int(os.environ["BREAKS_ABOVE"])


class Breaking(NakamaUser):
    wait_time = constant(0.1)

    @task
    def go(self):
        self.player.socket.ping_pong()
        if self.environment.runner.user_count > MOST:
            self.player.socket.rpc("there_is_no_such_function")
