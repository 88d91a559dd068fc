"""What bots do with their socket as such: hold it, cut it, leave it unread, show a status, be notified."""

from __future__ import annotations

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed

from .conftest import MakePlayer
from .support import failure, kill, make_player, target_of_url

LONG = 20.0


def test_held(player: MakePlayer) -> None:
    bot, heard = player()
    bot.hold(0.01)
    assert heard.counts["sockets_held"] == 1


def test_one_that_ends_by_itself_is_a_failure(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, heard = player(url=doomed.url)
    holding = gevent.spawn(failure, ConnectionClosed, bot.hold, LONG)
    gevent.sleep(0)
    kill(doomed)
    holding.get()
    assert heard.outcomes("WS", "hold") == ["ConnectionClosed"]
    assert "sockets_held" not in heard.counts


def test_cut_and_back_again(player: MakePlayer) -> None:
    bot, heard = player()
    bot.cut()
    assert not bot.connected
    bot.refresh()
    bot.connect()
    bot.socket.ping_pong()
    assert heard.outcomes("WS", "connect") == ["ok", "ok"]
    assert heard.outcomes("POST", "/v2/account/session/refresh") == ["ok"]


def test_unread_until_the_server_gives_up() -> None:
    with EmulatorProcess.start(extra=["--outgoing-queue-size", "8"]) as emulator:
        bot, heard = make_player(target_of_url(emulator.url))
        bot.connect()
        bot.read_nothing(50_000, LONG)
        assert not bot.connected
        bot.close()
    assert heard.counts["slow_reader_closed"] == 1
    assert heard.counts["provoked.slow_reader"] == len(heard.named("WS", "rpc (slow_reader)")) > 0
    assert set(heard.outcomes("WS", "rpc")) == {"ok"}
    assert len(heard.samples["slow_reader"]) == 1


def test_a_server_that_waits_longer(player: MakePlayer) -> None:
    bot, heard = player()
    bot.read_nothing(10, 0.01)
    assert heard.counts["slow_reader_survived"] == 1
    bot.socket.ping_pong()


def test_status_reaches_who_follows(player: MakePlayer) -> None:
    (a, _), (b, heard) = player(), player()
    with b.follow([a.user_id]) as followed, a.follow() as shown:
        with b.socket.expect("status_presence_event") as expectation:
            a.socket.update_status("a human's words")
            expectation.wait()
        for number in range(3):
            shown.show(f"level {number}")
        shown.settle()
        b.reconnect()
        shown.show("after a reconnect")
        followed.settle()
        shown.settle()
    assert heard.delivery("delivery.status") == {"expected": 4, "received": 4}
    assert heard.outcomes("WS", "status_follow") == ["ok", "ok"]
    assert heard.outcomes("WS", "status_unfollow") == ["ok"]


def test_notified(player: MakePlayer) -> None:
    bot, heard = player()
    bot.notify_myself(persistent=False)
    sent = bot.notify_myself(persistent=True)
    listed = bot.client.list_notifications(bot.session)["notifications"]
    assert [found["id"] for found in listed] == [sent["id"]]
    assert heard.outcomes("PUSH", "notifications") == ["ok", "ok"]
