"""Authentication storm: all players log in at once, as after a server restart or a game's launch.

Returning players log in with their device and refresh their session; new players create an account, write their
profile, and delete the account, so that nothing remains. No sockets.
"""

from nakama_bots import NakamaUser, Player, between, tag, task


class AuthenticationStorm(NakamaUser):
    """Logs in repeatedly with short pauses; more users make a stronger storm."""

    by_name_only = True
    needs_socket = False
    wait_time = between(0.05, 0.15)

    @tag("authentication", "rest")
    @task(4)
    def come_back(self) -> None:
        """Log in to an existing account, and refresh the session."""
        self.player.authenticate()
        self.player.refresh()

    @tag("authentication", "rest")
    @task(1)
    def come_for_the_first_time(self) -> None:
        """Create an account with its profile, and delete it."""
        identity = self.player.identity.stranger()
        with Player(self.player.world, identity, self.player.scenario) as newcomer:
            newcomer.authenticate()
            newcomer.api.delete_account()
