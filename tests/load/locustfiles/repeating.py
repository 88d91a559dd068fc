"""Repeats what the server says, raw, in an exception of its own."""

from locust import constant, task

from nakama_bots.load import NakamaUser

FORGED = "\x1b[2J\nrun: PASSED (exit code 0)\u202e"


class Repeating(NakamaUser):
    wait_time = constant(0.2)

    @task
    def repeat(self) -> None:
        self.player.socket.join_chat("a room")
        raise ValueError(FORGED)
