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


def test_party_talks_and_finds_a_match(player: MakePlayer) -> None:
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
    # Party data is not match data.
    assert mine.delivery() == theirs.delivery() == {}
    # Only the leader adds a ticket.
    assert [mine.counts[name] for name in ("tickets_added", "tickets_matched", "match_size.3")] == [1, 1, 1]
    assert "tickets_added" not in theirs.counts
    assert mine.outcomes("PUSH", "matchmaker_matched") == ["ok"]
    assert mine.outcomes("WS", "party_close") == ["ok"]
    # Members do not leave a party that the leader has closed.
    assert theirs.outcomes("WS", "party_leave") in ([], ["ok"])


def test_member_that_reconnects(player: MakePlayer) -> None:
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


def test_missing_members(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.lead_party(2) as party:
        error = failure(RequestTimeout, party.meet, 2, 0.05)
    assert error.operation == "party_presence_event"
    assert recorder.outcomes("PUSH", "party_presence_event") == ["RequestTimeout"]
    error = failure(RequestTimeout, bot.party(2, timeout=0.01).__enter__)
    assert "fewer than 2 players" in str(error)


def test_unmatched_ticket_is_removed(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.lead_party(2) as party:
        search: Match = party.find_match("nobody", players=3, timeout=0.3)
        failure(RequestTimeout, search.__enter__)
    assert recorder.counts["tickets_timed_out"] == 1
    assert recorder.outcomes("WS", "party_matchmaker_remove") == ["ok"]


def test_wait_ends_when_the_server_is_killed(player: MakePlayer, doomed: EmulatorProcess) -> None:
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
