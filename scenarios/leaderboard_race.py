"""Leaderboard and tournament race: everybody submits scores and looks where it stands.

The server needs the leaderboard ``nakama_bots_race`` and the tournament ``nakama_bots_cup``, which
``nakama_modules/`` make and the embedded emulator has.
"""

import random

from nakama_bots import NakamaUser, between, tag, task

RACE = "nakama_bots_race"
CUP = "nakama_bots_cup"
AROUND = 11
TOP = 20


class LeaderboardRace(NakamaUser):
    """Scores, ranks, tops. No socket."""

    needs_socket = False
    by_name_only = True
    needs = f"the leaderboard {RACE} and the tournament {CUP} (load nakama_modules/)"
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        """The tournament has to be joined once, by each account."""
        self.entered = False

    @tag("leaderboard", "rest")
    @task(4)
    def race(self) -> None:
        """Submit a score, and look at those around."""
        api = self.player.api
        api.write_leaderboard_record(RACE, {"score": str(self.score())})
        api.list_leaderboard_records_around_owner(RACE, self.player.user_id, limit=AROUND)

    @tag("leaderboard", "rest")
    @task(2)
    def look_at_the_top(self) -> None:
        """The best, and the next page after them."""
        api = self.player.api
        page = api.list_leaderboard_records(RACE, limit=TOP)
        if page.get("next_cursor"):
            api.list_leaderboard_records(RACE, limit=TOP, cursor=page["next_cursor"])

    @tag("tournament", "rest")
    @task(2)
    def compete(self) -> None:
        """Join the tournament, submit, and look at it."""
        api = self.player.api
        if not self.entered:
            api.list_tournaments(limit=TOP)
            api.join_tournament(CUP)
            self.entered = True
        api.write_tournament_record(CUP, {"score": str(self.score())})
        api.list_tournament_records(CUP, limit=TOP)
        api.list_tournament_records_around_owner(CUP, self.player.user_id, limit=AROUND)

    def score(self) -> int:
        """The skilled ones score more."""
        return round(random.uniform(0.5, 1.0) * self.player.persona.skill * 10_000)
