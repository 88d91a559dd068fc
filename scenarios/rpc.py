"""RPC: functions of the server's runtime, over REST, over the socket, and with the HTTP key.

The server needs the RPC ``echo``, which ``nakama_modules/`` and the embedded emulator have.
"""

from nakama_bots import NakamaUser, between, tag, task

FUNCTION = "echo"
PAYLOAD = {"item": "sword", "amount": 3, "note": "x" * 100}


class Rpc(NakamaUser):
    """Calls an echo, and checks its answer."""

    by_name_only = True
    needs = "the RPC echo (load nakama_modules/)"
    wait_time = between(0.05, 0.2)

    @tag("rpc", "rest")
    @task(2)
    def over_rest(self) -> None:
        """Call as the session's user."""
        answer = self.player.api.rpc(FUNCTION, PAYLOAD)
        assert answer["payload"] == PAYLOAD

    @tag("rpc")
    @task(2)
    def over_the_socket(self) -> None:
        """Call over the socket, without HTTP."""
        assert self.player.socket.rpc(FUNCTION, '{"over":"socket"}')["payload"] == '{"over":"socket"}'

    @tag("rpc", "rest")
    @task(1)
    def as_a_server(self) -> None:
        """Call with ``runtime.http_key``, as a game's backend does."""
        answer = self.player.api.rpc_http_key(self.settings.credentials.http_key, FUNCTION, PAYLOAD)
        assert answer["payload"] == PAYLOAD
