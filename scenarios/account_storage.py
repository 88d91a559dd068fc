"""Account and storage: a game saved and loaded from several devices, some with an outdated version.

The server refuses a save against a version that another device has replaced. That is intended: it is counted as
``provoked.version_conflict``, shown as ``PUT /v2/storage (version_conflict)``, and is not a failure.
"""

import random

from nakama_bots import NakamaUser, between, tag, task

INVENTORY = tuple(f"item {number}" for number in range(40))
CITIES = ("Lisbon", "Oslo", "Lima")


class AccountStorage(NakamaUser):
    """Loads, saves, and sometimes provokes a conflict. No socket."""

    needs_socket = False
    by_name_only = True
    wait_time = between(0.2, 1.0)

    @tag("storage", "rest")
    @task(4)
    def play_on(self) -> None:
        """Load the game, make progress and save it."""
        game = self.player.save_game("progress")
        progress = game.load()
        level = progress["level"] if isinstance(progress, dict) else 0
        game.save(self.progress(level + 1))

    @tag("storage", "rest")
    @task(1)
    def two_devices(self) -> None:
        """Load on two devices and save on both; the second save is refused."""
        game = self.player.save_game("progress")
        game.load()
        game.overwrite(self.progress(1))
        if not game.save_too_late(self.progress(2)):
            raise AssertionError("the server accepted a save against a replaced version")

    @tag("storage", "rest")
    @task(1)
    def look_around(self) -> None:
        """Read the account and all saved objects."""
        self.player.api.get_account()
        self.player.api.list_storage_objects("nakama_bots", limit=10)

    @tag("account", "rest")
    @task(1)
    def move(self) -> None:
        """Change the profile."""
        self.player.api.update_account(location=random.choice(CITIES))

    def progress(self, level: int) -> dict[str, object]:
        """Return a saved game of about 500 bytes."""
        return {"level": level, "gold": random.randrange(10**6), "inventory": random.sample(INVENTORY, 20)}
