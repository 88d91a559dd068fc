from __future__ import annotations

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed, RequestTimeout
from nakama_bots.players.acts.matchmaking import Ticket, find_opponents
from nakama_bots.players.acts.party import PartyRun

from .conftest import MakePlayer
from .support import failure, kill

LONG = 20.0


def test_gather_talk_find_a_match_and_part(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    a.scenario = b.scenario = "Test"
    with PartyRun(a, 2) as leader, PartyRun(b, 2) as member:
        party_id = leader.lead()
        member.join(party_id, LONG)
        leader.meet(2, LONG)
        member.meet(2, LONG)
        for _ in range(3):
            leader.say()
        member.say(200)
        gevent.joinall([gevent.spawn(leader.finish), gevent.spawn(member.finish)], raise_error=True)
        ticket = Ticket.among("party", "tests", 3, 3)
        waiting = gevent.spawn(member.find_match, ticket, LONG)
        single = gevent.spawn(find_opponents, player()[0], ticket, LONG)
        matched = leader.find_match(ticket, LONG)
        assert waiting.get()["token"] == single.get()["token"] == matched["token"]
        assert len(matched["users"]) == 3
    assert mine.counts["delivery.party.Test.received"] == 1
    assert theirs.counts["delivery.party.Test.received"] == theirs.counts["delivery_received"] == 3
    assert len(theirs.samples["delivery.party.Test"]) == 3
    assert "delivery_lost" not in mine.counts | theirs.counts
    # One ticket, of the leader.
    assert [mine.counts[name] for name in ("tickets_added", "tickets_matched", "match_size.3")] == [1, 1, 1]
    assert "tickets_added" not in theirs.counts
    assert mine.outcomes("PUSH", "matchmaker_matched") == ["ok"]
    assert mine.outcomes("WS", "party_close") == theirs.outcomes("WS", "party_leave") == ["ok"]


def test_members_who_do_not_come(player: MakePlayer) -> None:
    bot, heard = player()
    with PartyRun(bot, 2) as party:
        party.lead()
        error = failure(RequestTimeout, party.meet, 2, 0.05)
    assert error.operation == "party_presence_event"
    assert heard.outcomes("PUSH", "party_presence_event") == ["RequestTimeout"]


def test_a_ticket_that_nobody_matches_is_taken_back(player: MakePlayer) -> None:
    bot, heard = player()
    with PartyRun(bot, 2) as party:
        party.lead()
        failure(RequestTimeout, party.find_match, Ticket("+properties.none:there", 2, 2), 0.3)
    assert heard.counts["tickets_timed_out"] == 1
    assert heard.outcomes("WS", "party_matchmaker_remove") == ["ok"]


def test_nobody_waits_on_a_dead_socket(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, _ = player(url=doomed.url)
    with PartyRun(bot, 2) as party:
        party.lead()
        waiting = gevent.spawn(failure, ConnectionClosed, party.meet, 2, LONG)
        gevent.sleep(0)
        kill(doomed)
        waiting.get()
