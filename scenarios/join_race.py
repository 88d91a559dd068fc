"""Join race: many players look for a match of a room at the same moment, while the server's listing lags.

Every ``EVERY`` seconds all players ask a function for the fullest match of the round's room that has a place,
and join it. The listing shows a match only after up to a second (``match.label_update_interval_ms``), so that
several are created where one would do: ``join_race.created`` counts them, ``join_race.rounds`` the rounds, and
``join_race.needed`` the matches that would have been enough. A join that is refused because the match was full
meanwhile is ``provoked.match_full``.
"""

from json import dumps, loads
from math import ceil
from time import time

import gevent

from nakama_bots import MatchJoinRejected, NakamaUser, constant, tag, task

EVERY = 5.0
STAY = 2.0
MOST = 10
FUNCTION = "find_room_match"


class JoinRace(NakamaUser):
    """Races for a place in the room of each round."""

    by_name_only = True
    needs = "the RPC find_room_match (load nakama_modules/)"
    wait_time = constant(0)
    must_do = ("join_race.joined",)

    @tag("match", "authoritative", "join_race")
    @task
    def race(self) -> None:
        """Wait for the round, find, join, stay a little."""
        gevent.sleep(EVERY - time() % EVERY)
        room = f"r{int(time() // EVERY)}"
        player, count = self.player, self.player.calls.count
        if player.identity.number == 0:
            count("join_race.rounds")
            count("join_race.needed", ceil(self.environment.runner.user_count / MOST))
        found = loads(player.socket.rpc(FUNCTION, dumps({"room": room, "most": MOST}))["payload"])
        count("join_race.created", int(found["created"]))
        with player.calls.provoking("match_full", MatchJoinRejected):
            try:
                with player.join_match(found["match_id"]):
                    count("join_race.joined")
                    gevent.sleep(STAY)
            except MatchJoinRejected:
                count("join_race.refused")
