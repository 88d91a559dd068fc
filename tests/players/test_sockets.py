"""Bots and their socket: holding it, cutting it, not reading it, status and notifications."""

from __future__ import annotations

import gevent

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed, NotInside

from .conftest import MakePlayer
from .support import failure, kill, make_player, target_of_url

LONG = 20.0


def test_hold(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.hold(0.01)
    assert recorder.counts["sockets_held"] == 1


def test_socket_that_ends_during_hold_is_a_failure(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, recorder = player(url=doomed.url)
    holding = gevent.spawn(failure, ConnectionClosed, bot.hold, LONG)
    gevent.sleep(0)
    kill(doomed)
    holding.get()
    assert recorder.outcomes("WS", "hold") == ["ConnectionClosed"]
    assert "sockets_held" not in recorder.counts


def test_cut_and_reconnect(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.cut()
    assert not bot.connected
    bot.refresh()
    bot.connect()
    bot.socket.ping_pong()
    assert recorder.outcomes("WS", "connect") == ["ok", "ok"]
    assert recorder.outcomes("POST", "/v2/account/session/refresh") == ["ok"]


def test_slow_reader_until_the_server_disconnects() -> None:
    with EmulatorProcess.start(extra=["--outgoing-queue-size", "8"]) as emulator:
        bot, recorder = make_player(target_of_url(emulator.url))
        bot.connect()
        bot.read_nothing(50_000, LONG)
        assert not bot.connected
        bot.close()
    assert recorder.counts["slow_reader_closed"] == 1
    assert recorder.counts["provoked.slow_reader"] == len(recorder.named("WS", "rpc (slow_reader)")) > 0
    assert set(recorder.outcomes("WS", "rpc")) == {"ok"}
    assert len(recorder.samples["slow_reader"]) == 1


def test_slow_reader_that_the_server_keeps(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.read_nothing(10, 0.01)
    assert recorder.counts["slow_reader_survived"] == 1
    bot.socket.ping_pong()


def test_status_reaches_followers(player: MakePlayer) -> None:
    (a, _), (b, recorder) = player(), player()
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
    assert recorder.delivery("delivery.status") == {"expected": 4, "received": 4}
    assert recorder.outcomes("WS", "status_follow") == ["ok", "ok"]
    assert recorder.outcomes("WS", "status_unfollow") == ["ok"]
    assert "the player has left" in str(failure(NotInside, shown.show, "late"))
    assert "has not joined yet" in str(failure(NotInside, b.follow().show, "early"))
    assert recorder.outcomes("WS", "status_update")[-1] == "NotInside"


def test_notifications(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.notify_myself(persistent=False)
    sent = bot.notify_myself(persistent=True)
    listed = bot.client.list_notifications(bot.session)["notifications"]
    assert [found["id"] for found in listed] == [sent["id"]]
    assert recorder.outcomes("PUSH", "notifications") == ["ok", "ok"]
