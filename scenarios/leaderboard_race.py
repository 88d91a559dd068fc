"""Leaderboard and tournament race: everybody submits scores and looks where it stands.

The server needs the leaderboard ``nakama_bots_race`` and the tournament ``nakama_bots_cup``, which
``nakama_modules/`` make and the embedded emulator has.
"""

import random

from locust import between, tag, task

from nakama_bots.load import NakamaUser

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
        client, session = self.player.client, self.player.session
        client.write_leaderboard_record(session, RACE, {"score": str(self.score())})
        client.list_leaderboard_records_around_owner(session, RACE, session.user_id, limit=AROUND)

    @tag("leaderboard", "rest")
    @task(2)
    def look_at_the_top(self) -> None:
        """The best, and the next page after them."""
        client, session = self.player.client, self.player.session
        page = client.list_leaderboard_records(session, RACE, limit=TOP)
        if page.get("next_cursor"):
            client.list_leaderboard_records(session, RACE, limit=TOP, cursor=page["next_cursor"])

    @tag("tournament", "rest")
    @task(2)
    def compete(self) -> None:
        """Join the tournament, submit, and look at it."""
        client, session = self.player.client, self.player.session
        if not self.entered:
            client.list_tournaments(session, limit=TOP)
            client.join_tournament(session, CUP)
            self.entered = True
        client.write_tournament_record(session, CUP, {"score": str(self.score())})
        client.list_tournament_records(session, CUP, limit=TOP)
        client.list_tournament_records_around_owner(session, CUP, session.user_id, limit=AROUND)

    def score(self) -> int:
        """The skilled ones score more."""
        return round(random.uniform(0.5, 1.0) * self.player.persona.skill * 10_000)
