"""Leaderboard and tournament race: all players submit scores and read their ranks.

The server needs the leaderboard ``nakama_bots_race`` and the tournament ``nakama_bots_cup``, which
``nakama_modules/`` create; the embedded emulator has them.
"""

import random

from nakama_bots import NakamaUser, between, tag, task

RACE = "nakama_bots_race"
CUP = "nakama_bots_cup"
AROUND = 11
TOP = 20


class LeaderboardRace(NakamaUser):
    """Submits scores and reads ranks. No socket."""

    needs_socket = False
    by_name_only = True
    needs = f"the leaderboard {RACE} and the tournament {CUP} (load nakama_modules/)"
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        """Join the tournament, once per account."""
        self.entered = False

    @tag("leaderboard", "rest")
    @task(4)
    def race(self) -> None:
        """Submit a score, and read the records around it."""
        api = self.player.api
        api.write_leaderboard_record(RACE, score=str(self.score()))
        api.list_leaderboard_records_around_owner(RACE, self.player.user_id, limit=AROUND)

    @tag("leaderboard", "rest")
    @task(2)
    def look_at_the_top(self) -> None:
        """Read the best records, and the next page."""
        api = self.player.api
        page = api.list_leaderboard_records(RACE, limit=TOP)
        if page.get("next_cursor"):
            api.list_leaderboard_records(RACE, limit=TOP, cursor=page["next_cursor"])

    @tag("tournament", "rest")
    @task(2)
    def compete(self) -> None:
        """Join the tournament, submit a score, and read the records."""
        api = self.player.api
        if not self.entered:
            api.list_tournaments(limit=TOP)
            api.join_tournament(CUP)
            self.entered = True
        api.write_tournament_record(CUP, {"score": str(self.score())})
        api.list_tournament_records(CUP, limit=TOP)
        api.list_tournament_records_around_owner(CUP, self.player.user_id, limit=AROUND)

    def score(self) -> int:
        """Return a score; skilled bots score higher."""
        return round(random.uniform(0.5, 1.0) * self.player.persona.skill * 10_000)
