"""Code Wizards' first scenario of two million players: clients connect, each with a new account.

They had 25,000 clients on a node of 4 vCPU, over a ramp of 50 minutes, with 683 new accounts a second over all
nodes, and no error. The same ramp, with their figures beside the measured ones at the end:
``locust -f locustfile.py CodeWizards --headless -u 25000 -r 8.4 -t 55m --host URL``.
The accounts remain; the run prints the ``nakama-bots cleanup`` command that finds them.
"""

from nakama_bots import NakamaUser, Newcomers, Player, constant, tag, task

A_DAY = 86_400.0
newcomers = Newcomers()


class CodeWizards(NakamaUser):
    """A new player who registers, connects, and stays until the run ends."""

    by_name_only = True
    needs_socket = False
    workload = "code_wizards"
    wait_time = constant(0)

    @tag("code_wizards", "sockets", "authentication")
    @task
    def be_new(self) -> None:
        """Register, read the account, connect and stay."""
        with Player(self.player.world, newcomers.next(self.player.identity)) as newcomer:
            newcomer.register()
            newcomer.api.get_account()
            newcomer.connect(create_status=True)
            newcomer.hold(A_DAY)
