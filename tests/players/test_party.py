from __future__ import annotations

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed, RequestTimeout
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.party import Party
from nakama_bots.players.player import Player

from .conftest import MakePlayer
from .support import failure, kill

LONG = 20.0


def test_gather_talk_find_a_match_and_part(player: MakePlayer) -> None:
    (a, mine), (b, theirs), (c, _) = player(), player(), player()
    a.scenario = b.scenario = "Test"

    def evening(bot: Player, lines: int) -> None:
        with bot.party(2) as party:
            for number in range(lines):
                party.send(1, {"line": number})
            party.together()
            party.settle()
            with party.find_match("party", players=3) as match:
                assert len(match.presences) == 3
                party.together()

    def alone() -> None:
        with c.find_match("party", players=3) as match:
            match.wait(lambda: len(match.presences) < 3, LONG)

    runs = [gevent.spawn(evening, a, 3), gevent.spawn(evening, b, 1), gevent.spawn(alone)]
    gevent.joinall(runs, raise_error=True)
    assert mine.delivery("delivery.party") == {"expected": 1, "received": 1}
    assert theirs.delivery("delivery.party") == {"expected": 3, "received": 3}
    assert theirs.counts["delivery.party.Test.received"] == len(theirs.samples["delivery.party.Test"]) == 3
    # Party data is no match data.
    assert mine.delivery() == theirs.delivery() == {}
    # One ticket, of the leader.
    assert [mine.counts[name] for name in ("tickets_added", "tickets_matched", "match_size.3")] == [1, 1, 1]
    assert "tickets_added" not in theirs.counts
    assert mine.outcomes("PUSH", "matchmaker_matched") == ["ok"]
    assert mine.outcomes("WS", "party_close") == ["ok"]
    # A party that the leader has closed is not left.
    assert theirs.outcomes("WS", "party_leave") in ([], ["ok"])


def test_a_member_that_reconnects(player: MakePlayer) -> None:
    (a, _), (b, theirs) = player(), player()
    with a.lead_party(4) as leader, b.join_party(leader.id, members=2) as member:
        leader.meet(2)
        b.cut()
        assert leader.wait(lambda: len(leader.presences) == 1, LONG)
        b.reconnect()
        leader.meet(2)
        member.meet(2)
        leader.send(1, "welcome back")
        leader.settle()
    assert theirs.delivery("delivery.party") == {"expected": 1, "received": 1}


def test_members_who_do_not_come(player: MakePlayer) -> None:
    bot, heard = player()
    with bot.lead_party(2) as party:
        error = failure(RequestTimeout, party.meet, 2, 0.05)
    assert error.operation == "party_presence_event"
    assert heard.outcomes("PUSH", "party_presence_event") == ["RequestTimeout"]
    error = failure(RequestTimeout, bot.party(2, timeout=0.01).__enter__)
    assert "fewer than 2 players" in str(error)


def test_a_ticket_that_nobody_matches_is_removed(player: MakePlayer) -> None:
    bot, heard = player()
    with bot.lead_party(2) as party:
        search: Match = party.find_match("nobody", players=3, timeout=0.3)
        failure(RequestTimeout, search.__enter__)
    assert heard.counts["tickets_timed_out"] == 1
    assert heard.outcomes("WS", "party_matchmaker_remove") == ["ok"]


def test_nobody_waits_on_a_dead_socket(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, _ = player(url=doomed.url)
    party = bot.lead_party(2)

    def visit() -> None:
        with party:
            waiting = gevent.spawn(failure, ConnectionClosed, party.meet, 2, LONG)
            gevent.sleep(0)
            kill(doomed)
            waiting.get()

    failure(ConnectionClosed, visit)
    assert isinstance(party, Party)
