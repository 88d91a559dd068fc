"""Slow reader: a client that sends requests and does not read, until the server closes it.

The server's queue for a session (``socket.outgoing_queue_size``) fills behind the full buffers of the
connection, and the server closes it. That is intended: requests that end with the connection are counted as
``provoked.slow_reader`` and are not failures; ``slow_reader_closed`` counts the sockets, and the sample
``slow_reader`` is the time until the server closed one. Run other scenarios beside it to see if they suffer:
``locust -f locustfile.py SlowReader Duel``. The server needs the RPC ``blob``.
"""

from nakama_bots import NakamaUser, between, tag, task

ANSWER_SIZE = 50_000
PATIENCE = 15.0


class SlowReader(NakamaUser):
    """Blocks one connection after the other."""

    by_name_only = True
    needs = "the RPC blob (load nakama_modules/)"
    wait_time = between(2, 6)

    @tag("sockets", "slow_reader")
    @task
    def get_stuck(self) -> None:
        """Request more than the buffers hold, without reading; then open a new connection."""
        self.player.read_nothing(ANSWER_SIZE, PATIENCE)
        self.player.disconnect()
