from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime.server import Peer, text

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import BadInput, ConnectionClosed, RequestTimeout
from nakama_bots.players.acts.matchmaking import Ticket, find_opponents

from .conftest import MakePlayer
from .support import Recorder, failure, kill, make_player, scripted_nakama, target_of

PUSH = ("PUSH", "matchmaker_matched")
REMOVE = ("WS", "matchmaker_remove")
LONG = 30.0


def tickets(recorder: Recorder) -> dict[str, int]:
    return {name: number for name, number in recorder.counts.items() if name.startswith("tickets_")}


def among(test: str) -> Ticket:
    return Ticket.among(test, "tests", 2, 2)


def test_matched(player: MakePlayer) -> None:
    pairs = [player(), player()]
    ticket = dataclasses.replace(among("matched"), numeric_properties={"rank": 5})

    searches = [gevent.spawn(find_opponents, bot, ticket, LONG) for bot, _ in pairs]
    pushes = [search.get() for search in searches]

    assert pushes[0]["token"] == pushes[1]["token"]
    users = {bot.session.user_id for bot, _ in pairs}
    for push, (bot, recorder) in zip(pushes, pairs, strict=True):
        assert {user["presence"]["user_id"] for user in push["users"]} == users
        assert push["self"]["numeric_properties"] == {"rank": 5}
        assert push["self"]["presence"]["user_id"] == bot.session.user_id
        assert tickets(recorder) == {"tickets_added": 1, "tickets_matched": 1}
        (call,) = recorder.named(*PUSH)
        (add,) = recorder.named("WS", "matchmaker_add")
        assert call.error is None
        assert call.size > 100
        # Timed from sending the add, not from its reply.
        assert call.started <= add.started
        assert call.elapsed > 0


def test_timed_out(player: MakePlayer) -> None:
    bot, recorder = player()

    with pytest.raises(RequestTimeout):
        find_opponents(bot, among("timed out"), 0.01)

    assert tickets(recorder) == {"tickets_added": 1, "tickets_timed_out": 1}
    assert recorder.outcomes(*PUSH) == ["RequestTimeout"]
    assert recorder.outcomes(*REMOVE) == ["ok"]
    # The server has removed the socket's ticket: it allows three.
    for _ in range(3):
        bot.socket.add_matchmaker("+properties.nothing:here")


def test_killed(player: MakePlayer) -> None:
    bot, recorder = player()
    search = gevent.spawn(find_opponents, bot, among("killed"), LONG)
    recorder.until("tickets_added")

    search.kill()

    assert recorder.outcomes(*PUSH) == ["Abandoned"]
    assert tickets(recorder) == {"tickets_added": 1, "tickets_cancelled": 1}
    bot.socket.ping_pong()


def test_server_killed(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, recorder = player(url=doomed.url)
    search = gevent.spawn(failure, ConnectionClosed, find_opponents, bot, among("gone"), LONG)
    recorder.until("tickets_added")

    kill(doomed)

    assert search.get().operation == "matchmaker_matched"
    assert recorder.outcomes(*PUSH) == ["ConnectionClosed"]
    assert recorder.outcomes(*REMOVE) == []
    assert tickets(recorder) == {"tickets_added": 1, "tickets_cancelled": 1}


def test_refused_ticket(player: MakePlayer) -> None:
    bot, recorder = player()
    with pytest.raises(BadInput, match="minimum count"):
        find_opponents(bot, Ticket(min_count=1), LONG)
    # There is no ticket to wait for.
    assert recorder.outcomes(*PUSH) == []
    assert tickets(recorder) == {}


def test_modes_and_prefixes_do_not_mix(player: MakePlayer) -> None:
    bots = [player() for _ in range(4)]
    kinds = [
        Ticket.among("apart", "one", 2, 2),
        Ticket.among("apart", "other", 2, 2),
        Ticket.among("apart", "one", 2, 2),
        Ticket.among("apart", "other", 2, 2),
    ]
    searches = [
        gevent.spawn(find_opponents, bot, kind, LONG) for (bot, _), kind in zip(bots, kinds, strict=True)
    ]
    tokens = [search.get()["token"] for search in searches]
    assert tokens[0] == tokens[2] != tokens[1] == tokens[3]


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_groups(mode: str, prefix: str, other_mode: str, other_prefix: str) -> None:
    one, other = Ticket.among(mode, prefix, 2, 4), Ticket.among(other_mode, other_prefix, 2, 4)
    assert one == Ticket.among(mode, prefix, 2, 4)
    # Any character except letters and digits may be special in the query language.
    assert re.fullmatch(r"\+properties\.group:bots[0-9a-f]{8}", one.query)
    assert one.string_properties == {"group": one.query.split(":")[1]}
    if f"{prefix}/{mode}" != f"{other_prefix}/{other_mode}":
        assert one.query != other.query


def push(ticket: str) -> bytes:
    return text({"matchmaker_matched": {"ticket": ticket, "token": f"token of {ticket}"}})


def ack(request: dict[str, object], ticket: str) -> bytes:
    return text({"cid": request["cid"], "matchmaker_ticket": {"ticket": ticket}})


@pytest.mark.parametrize(
    "order",
    [
        lambda request: ack(request, "own") + push("own"),
        lambda request: push("own") + ack(request, "own"),
        lambda request: push("old") + ack(request, "own") + push("own"),
        lambda request: push("old") + push("own") + ack(request, "own"),
        lambda request: ack(request, "own") + push("old") + push("own"),
    ],
    ids=["after", "before", "old before", "both before", "old after"],
)
def test_push_and_reply_in_any_order(order: Callable[[dict[str, object]], bytes]) -> None:
    """The push may overtake the reply. A push for an earlier ticket that was removed too late may follow."""

    def realtime(peer: Peer) -> None:
        peer.send(order(peer.request()))

    with scripted_nakama(realtime) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        assert find_opponents(bot, Ticket(), LONG)["token"] == "token of own"
        bot.close()
        assert tickets(recorder) == {"tickets_added": 1, "tickets_matched": 1}
        (call,) = recorder.named(*PUSH)
        assert (call.error, call.size) == (None, len(push("own")) - 2)
        assert call.elapsed > 0


def test_matched_at_the_timeout() -> None:
    def realtime(peer: Peer) -> None:
        peer.send(ack(peer.request(), "own"))
        request = peer.request()
        assert request["matchmaker_remove"] == {"ticket": "own"}
        peer.answer(request, error={"code": 3, "message": "Matchmaker ticket not found"})

    with scripted_nakama(realtime) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        with pytest.raises(RequestTimeout):
            find_opponents(bot, Ticket(), 0.01)
        bot.close()
        assert recorder.outcomes(*PUSH) == ["RequestTimeout"]
        assert recorder.outcomes(*REMOVE) == ["BadInput"]
        assert tickets(recorder) == {"tickets_added": 1, "tickets_timed_out": 1}
