"""What bots do with their socket as such: hold it, cut it, leave it unread, show a status, be notified."""

from __future__ import annotations

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed
from nakama_bots.players.acts.authoritative import BROADCAST, join_a_place
from nakama_bots.players.acts.idle import hold
from nakama_bots.players.acts.match import MatchRun
from nakama_bots.players.acts.notifications import notify_myself
from nakama_bots.players.acts.slow_reader import read_nothing
from nakama_bots.players.acts.status import StatusBoard

from .conftest import MakePlayer
from .support import failure, kill, make_player, target_of_url

LONG = 20.0


def test_held(player: MakePlayer) -> None:
    bot, heard = player()
    hold(bot, 0.01)
    assert heard.counts["sockets_held"] == 1


def test_one_that_ends_by_itself_is_a_failure(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, heard = player(url=doomed.url)
    holding = gevent.spawn(failure, ConnectionClosed, hold, bot, LONG)
    gevent.sleep(0)
    kill(doomed)
    holding.get()
    assert heard.outcomes("WS", "hold") == ["ConnectionClosed"]
    assert "sockets_held" not in heard.counts


def test_cut_and_back_again(player: MakePlayer) -> None:
    bot, heard = player()
    bot.socket.cut()
    assert not bot.connected
    bot.disconnect()
    bot.refresh()
    bot.connect()
    bot.socket.ping_pong()
    assert heard.outcomes("WS", "connect") == ["ok", "ok"]
    assert heard.outcomes("POST", "/v2/account/session/refresh") == ["ok"]


def test_unread_until_the_server_gives_up() -> None:
    with EmulatorProcess.start(extra=["--outgoing-queue-size", "8"]) as emulator:
        bot, heard = make_player(target_of_url(emulator.url))
        bot.connect()
        read_nothing(bot, 50_000, LONG)
        assert not bot.connected
        bot.close()
    assert heard.counts["slow_reader_closed"] == 1
    assert heard.counts["provoked.slow_reader"] == len(heard.named("WS", "rpc (slow_reader)")) > 0
    assert set(heard.outcomes("WS", "rpc")) == {"ok"}
    assert len(heard.samples["slow_reader"]) == 1


def test_a_server_that_waits_longer(player: MakePlayer) -> None:
    bot, heard = player()
    read_nothing(bot, 10, 0.01)
    assert heard.counts["slow_reader_survived"] == 1
    bot.socket.ping_pong()


def test_status_reaches_who_follows(player: MakePlayer) -> None:
    (a, _), (b, heard) = player(), player()
    with StatusBoard(b, [a.session.user_id]), StatusBoard(a, []) as shown:
        with b.socket.expect("status_presence_event") as expectation:
            a.socket.update_status("a human's words")
            expectation.wait()
        for _ in range(3):
            with b.socket.expect("status_presence_event") as expectation:
                shown.show()
                expectation.wait()
    assert heard.counts["delivery.status.received"] == 3
    assert heard.outcomes("WS", "status_unfollow") == ["ok"]


def test_notified(player: MakePlayer) -> None:
    bot, heard = player()
    notify_myself(bot, persistent=False)
    sent = notify_myself(bot, persistent=True)
    listed = bot.client.list_notifications(bot.session)["notifications"]
    assert [found["id"] for found in listed] == [sent["id"]]
    assert heard.outcomes("PUSH", "notifications") == ["ok", "ok"]


def test_what_an_authoritative_match_sends_back(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()

    codes = (BROADCAST, BROADCAST)
    with (
        MatchRun(a, drop_in=True, op_codes=codes) as first,
        MatchRun(b, drop_in=True, op_codes=codes) as second,
    ):
        join_a_place(a, first)
        second.join_id(first.match_id)
        gevent.joinall([gevent.spawn(match.play, 20.0, 0.5) for match in (first, second)], raise_error=True)
    # All of the own comes back, and most of the other's.
    for heard in (mine, theirs):
        assert heard.counts["ticks_sent"] < heard.counts["delivery.match.received"] <= 20
        assert "delivery_lost" not in heard.counts
        assert "delivery_duplicated" not in heard.counts
