"""Slow reader: a client that asks and does not read, until the server gives it up.

The server's queue for a session (``socket.outgoing_queue_size``) fills behind the full buffers of the
connection, and the server closes it. That is meant to happen: requests that end with the connection are counted
as ``provoked.slow_reader`` and are no failures; ``slow_reader_closed`` counts the sockets, and the sample
``slow_reader`` is the time until the server let go. Run other scenarios beside it to see whether they suffer:
``locust -f locustfile.py SlowReader Duel``. The server needs the RPC ``blob``.
"""

from nakama_bots import NakamaUser, between, tag, task

ANSWER_SIZE = 50_000
PATIENCE = 15.0


class SlowReader(NakamaUser):
    """One stuck connection after the other."""

    by_name_only = True
    needs = "the RPC blob (load nakama_modules/)"
    wait_time = between(2, 6)

    @tag("sockets", "slow_reader")
    @task
    def get_stuck(self) -> None:
        """Ask for more than fits, without reading; then come back with a new connection."""
        self.player.read_nothing(ANSWER_SIZE, PATIENCE)
        self.player.disconnect()
