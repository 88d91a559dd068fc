from __future__ import annotations

import base64
from collections.abc import Callable
from time import perf_counter
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime.server import Peer, text

from nakama_bots.clock import Ticker
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConnectionClosed, MatchNotFound, RequestTimeout
from nakama_bots.players.acts.match import END_OP_CODE, STATE_OP_CODE, MatchRun, missed_of
from nakama_bots.players.delivery import END, STATE, Stamp, host_number
from nakama_bots.players.player import Player

from .conftest import MakePlayer
from .support import SELF, Heard, failure, kill, make_player, scripted_nakama, target_of

DELIVERY = ("expected", "received", "lost", "duplicated", "reordered")


def delivery(heard: Heard) -> dict[str, int]:
    counts = {name: heard.counts[f"delivery_{name}"] for name in DELIVERY}
    return {name: number for name, number in counts.items() if number}


def match_of(bot: Player) -> str:
    """The id of a match that ``bot`` is in."""
    return bot.socket.create_match()["match_id"]


def test_every_message_is_delivered(player: MakePlayer) -> None:
    pairs = [player(), player()]
    match_id = match_of(pairs[0][0])

    def take_part(bot: Player) -> None:
        with MatchRun(bot) as match:
            assert match.match_id == ""
            assert match.join({"match_id": match_id})["match_id"] == match.match_id == match_id
            assert match.wait_for_players(2, 30.0)
            match.play(100.0, 0.3, 64)

    runs = [gevent.spawn(take_part, bot) for bot, _ in pairs]
    for run in runs:
        run.get()

    (_, one), (_, other) = pairs
    for mine, theirs in ((one, other), (other, one)):
        sent = mine.counts["ticks_sent"]
        assert sent + mine.counts["ticks_missed"] == 30
        assert sent > 0
        assert len(mine.samples["tick_lateness"]) == sent
        assert min(mine.samples["tick_lateness"]) >= 0
        assert delivery(mine) == {
            "expected": theirs.counts["ticks_sent"],
            "received": theirs.counts["ticks_sent"],
        }
        # Both run on this host, so every delivery is timed, and nothing arrives before it was sent.
        assert len(mine.samples["delivery"]) == theirs.counts["ticks_sent"]
        assert min(mine.samples["delivery"]) > 0
        assert (mine.counts["matches_joined"], mine.counts["matches_played"]) == (1, 1)
        assert mine.outcomes("WS", "match_leave") == ["ok"]


def test_matchmaker_token(player: MakePlayer) -> None:
    a, b = player()[0], player()[0]
    query = "+properties.test:token"
    with a.socket.expect("matchmaker_matched") as one, b.socket.expect("matchmaker_matched") as other:
        for bot in (a, b):
            bot.socket.add_matchmaker(query, 2, 2, {"test": "token"})
        matched = [one.wait(), other.wait()]
    with MatchRun(a) as first, MatchRun(b) as second:
        assert first.join(matched[0])["match_id"] == second.join(matched[1])["match_id"]
        assert first.wait_for_players(2, 30.0)
        assert (first.players, second.players) == (2, 2)


def test_waits_for_the_last_messages_of_a_slower_one(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    with MatchRun(a) as fast, MatchRun(b) as slow:
        match_id = fast.join({"match_id": match_of(b)})["match_id"]
        slow.join({"match_id": match_id})
        assert fast.wait_for_players(2, 30.0)
        longer = gevent.spawn(slow.play, 100.0, 0.5)
        fast.play(100.0, 0.05)
        # The other was not done: its end was waited for.
        assert theirs.counts["ticks_sent"] + theirs.counts["ticks_missed"] == 50
        longer.get()
    assert delivery(mine)["received"] == theirs.counts["ticks_sent"]
    assert delivery(theirs)["received"] == mine.counts["ticks_sent"]
    assert "lost" not in delivery(mine)


def test_somebody_who_says_nothing_is_not_waited_for_for_ever(player: MakePlayer) -> None:
    (a, heard), (b, _) = player(), player()
    with MatchRun(a) as match:
        match.join({"match_id": match_of(b)})
        match.play(100.0, 0.02)
    assert heard.counts["matches_played"] == 1
    assert delivery(heard) == {}


def test_players_who_do_not_come(player: MakePlayer) -> None:
    (a, _), (b, _) = player(), player()
    with MatchRun(a) as match:
        match.join({"match_id": match_of(b)})
        assert not match.wait_for_players(3, 0.01)
        assert match.wait_for_players(2, 0.0)


def test_a_match_that_nobody_comes_to_is_a_failure(player: MakePlayer) -> None:
    (a, heard), (b, _) = player(), player()
    with MatchRun(a) as match:
        match.join({"match_id": match_of(b)})
        match.meet(2, 30.0)
        assert heard.named("PUSH", "match_presence_event") == []
        failure(RequestTimeout, match.meet, 3, 0.01)
    assert heard.outcomes("PUSH", "match_presence_event") == ["RequestTimeout"]
    assert heard.counts["matches_deserted"] == 1


def test_opponent_leaves_in_the_middle(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    match_id = match_of(a)

    def quitter() -> None:
        with MatchRun(b) as match:
            match.join({"match_id": match_id})
            match.play(100.0, 3600.0)

    quits = gevent.spawn(quitter)
    with MatchRun(a) as match:
        match.join({"match_id": match_id})
        assert match.wait_for_players(2, 30.0)
        theirs.until("ticks_sent", 3)
        playing = gevent.spawn(match.play, 100.0, 0.5)
        mine.until("ticks_sent", 3)
        quits.kill()
        playing.get()
        assert match.players == 1
    # It left properly, though it was killed.
    assert theirs.outcomes("WS", "match_leave") == ["ok"]
    # Nothing after the last message that came is missed.
    assert delivery(mine)["received"] == delivery(mine)["expected"] >= 3
    assert mine.counts["matches_played"] == 1
    assert theirs.counts["matches_played"] == 0


def test_server_gone_in_the_middle(player: MakePlayer, doomed: EmulatorProcess) -> None:
    (a, mine), (b, theirs) = player(url=doomed.url), player(url=doomed.url)
    match_id = match_of(b)

    def take_part(bot: Player) -> None:
        with MatchRun(bot) as match:
            match.join({"match_id": match_id})
            match.play(100.0, 3600.0)

    runs = [gevent.spawn(failure, ConnectionClosed, take_part, bot) for bot in (a, b)]
    mine.until("ticks_sent", 3)
    theirs.until("ticks_sent", 3)
    kill(doomed)

    for run in runs:
        assert run.get().operation == "match_data_send"
    for heard in (mine, theirs):
        # No leave is tried on a dead socket; what was received is reported.
        assert heard.outcomes("WS", "match_leave") == []
        assert delivery(heard)["received"] > 0
        assert heard.counts["matches_played"] == 0


def test_nobody_is_waited_for_on_a_dead_socket(player: MakePlayer, doomed: EmulatorProcess) -> None:
    (a, _), (b, _) = player(url=doomed.url), player(url=doomed.url)
    with MatchRun(a) as match:
        match.join({"match_id": match_of(b)})
        waiting = gevent.spawn(match.wait_for_players, 3, 3600.0)
        gevent.spawn(kill, doomed)
        assert waiting.get() is False
        assert match.wait_for_players(3, 3600.0) is False


def test_join_that_is_refused(player: MakePlayer) -> None:
    bot, heard = player()
    with pytest.raises(MatchNotFound), MatchRun(bot) as match:
        match.join({"match_id": "11111111-1111-4111-8111-111111111111."})
    assert heard.counts["matches_joined"] == 0
    assert heard.outcomes("WS", "match_leave") == []


def test_listeners_are_taken_off(player: MakePlayer) -> None:
    (a, heard), (b, _) = player(), player()
    match_id = match_of(b)
    with MatchRun(a) as match:
        match.join({"match_id": match_id})
    reported = delivery(heard)
    a.socket.join_match(match_id)
    with a.socket.expect("match_data") as expectation:
        b.socket.send_match_state(match_id, STATE_OP_CODE, Stamp(STATE, host_number(), 1, 0, 0.0).pack())
        expectation.wait()
    assert delivery(heard) == reported == {}
    assert heard.samples["delivery"] == []


OTHER = {"user_id": "other", "session_id": "other session", "username": "other"}
MATCH = "0a1b2c3d-0000-4000-8000-00000000000a."


def data(stamp: Stamp | bytes, *, match_id: str = MATCH, presence: dict[str, str] | None = OTHER) -> bytes:
    payload = stamp if isinstance(stamp, bytes) else stamp.pack()
    body: dict[str, Any] = {"match_id": match_id, "op_code": "1", "data": base64.b64encode(payload).decode()}
    if presence is not None:
        body["presence"] = presence
    return text({"match_data": body})


def presence_event(match_id: str = MATCH, **changes: object) -> bytes:
    return text({"match_presence_event": {"match_id": match_id, **changes}})


def state(sequence: int, host: int | None = None) -> Stamp:
    return Stamp(STATE, host_number() if host is None else host, 1, sequence, 0.0)


def end(total: int) -> Stamp:
    return Stamp(END, host_number(), 1, total, 0.0)


def joined(*, before: bytes = b"", after: bytes = b"", **leave: object) -> Callable[[Peer], None]:
    """Answers a join, with pushes around the reply, and a leave; ignores what the player sends in between."""

    def realtime(peer: Peer) -> None:
        reply = text({"cid": peer.request()["cid"], "match": {"match_id": MATCH, "size": 1, "self": SELF}})
        peer.send(before + reply + after)
        while True:
            request = peer.request()
            if "match_leave" in request:
                peer.answer(request, **leave)
                return

    return realtime


def test_pushes_before_the_reply_of_the_join() -> None:
    before = (
        presence_event(joins=[OTHER])
        + presence_event("another.", joins=[{**OTHER, "session_id": "stranger"}])
        + data(state(0))
        + data(state(0), match_id="another.")
    )
    with scripted_nakama(joined(before=before)) as server:
        bot, heard = make_player(target_of(server))
        bot.connect()
        with MatchRun(bot) as match:
            match.join({"token": "t"})
            assert match.players == 2
        bot.close()
    assert delivery(heard) == {"expected": 1, "received": 1}


def test_leave_before_the_reply_of_the_join() -> None:
    before = presence_event(joins=[OTHER]) + presence_event(leaves=[OTHER])
    with scripted_nakama(joined(before=before)) as server:
        bot, _ = make_player(target_of(server))
        bot.connect()
        with MatchRun(bot) as match:
            match.join({"token": "t"})
            assert match.players == 1
        bot.close()


def test_everything_that_can_become_of_a_message() -> None:
    after = (
        presence_event(joins=[OTHER])
        + presence_event("another.", leaves=[OTHER])
        + b"".join(data(state(sequence)) for sequence in (0, 2, 2, 1, 5))
        + data(end(8))
        + data(b"of another client")
        + data(state(3), match_id="another.")
        # From the match itself, and from another host.
        + data(state(0, host=host_number() ^ 1), presence=None)
    )
    with scripted_nakama(joined(after=after)) as server:
        bot, heard = make_player(target_of(server))
        bot.connect()
        with MatchRun(bot) as match:
            match.join({"token": "t"})
            # All has come, or the end would be waited for.
            match.play(100.0, 0.01)
        bot.close()
    assert delivery(heard) == {"expected": 9, "received": 5, "lost": 4, "duplicated": 1, "reordered": 1}
    assert len(heard.samples["delivery"]) == 4


def test_stamps_that_are_sent() -> None:
    sent: list[tuple[int, Stamp]] = []

    def realtime(peer: Peer) -> None:
        request = peer.request()
        assert request["match_join"] == {"token": "t"}
        peer.answer(request, match={"match_id": MATCH, "self": SELF})
        while "match_leave" not in (request := peer.request()):
            body = request["match_data_send"]
            assert "cid" not in request
            stamp = Stamp.unpack(base64.b64decode(body["data"]))
            assert stamp is not None
            sent.append((int(body["op_code"]), stamp))
        peer.answer(request)

    with scripted_nakama(realtime) as server:
        bot, heard = make_player(target_of(server))
        bot.connect()
        with MatchRun(bot) as match:
            match.join({"token": "t"})
            match.play(100.0, 0.1)
        bot.close()
    number = heard.counts["ticks_sent"]
    assert [(code, stamp.kind, stamp.sequence) for code, stamp in sent] == [
        *((STATE_OP_CODE, STATE, sequence) for sequence in range(number)),
        (END_OP_CODE, END, number),
    ]
    assert {(stamp.host, stamp.sender) for _, stamp in sent} == {(host_number(), 0x0A1B2C3D00004000)}
    stamps = [stamp.stamp for _, stamp in sent]
    assert stamps == sorted(stamps)


class Stalling(Heard):
    """Stops the whole process for three and a half ticks of 10 ms after each that was sent."""

    def count(self, name: str, number: int = 1) -> None:
        super().count(name, number)
        end = perf_counter() + 0.035
        while name == "ticks_sent" and perf_counter() < end:
            pass


def test_overrun_ticks_are_counted_and_not_made_up_for() -> None:
    with scripted_nakama(joined()) as server:
        bot, heard = make_player(target_of(server), heard=Stalling())
        bot.connect()
        with MatchRun(bot) as match:
            match.join({"token": "t"})
            match.play(100.0, 0.1)
        bot.close()
    # At 0, 40 and 80 ms at most, and those after the last one that was sent are missed as well.
    assert 1 <= heard.counts["ticks_sent"] <= 3
    assert heard.counts["ticks_sent"] + heard.counts["ticks_missed"] == 10
    assert len(heard.samples["tick_lateness"]) == heard.counts["ticks_sent"]


def test_refused_leave_does_not_hide_the_end() -> None:
    with scripted_nakama(joined(error={"code": 3, "message": "Invalid match ID"})) as server:
        bot, heard = make_player(target_of(server))
        bot.connect()

        def quit_early() -> None:
            with MatchRun(bot) as match:
                match.join({"token": "t"})
                raise LookupError

        with pytest.raises(LookupError):
            quit_early()
        bot.close()
    assert heard.outcomes("WS", "match_leave") == ["BadInput"]


@given(
    st.floats(0.5, 200.0),
    st.integers(0, 100),
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30),
)
def test_every_tick_is_sent_or_missed(rate: float, ticks: int, delays: list[float]) -> None:
    """However late the process comes to its ticks, those of the run are either sent or counted as missed."""
    now, sent, missed = 1000.0, 0, 0
    ticker = Ticker(rate, now)
    for step in range(10 * ticks + 10):
        now += ticker.wait(now) + delays[step % len(delays)] * (step % 3 == 0)
        tick = ticker.due(now)
        missed += missed_of(tick, ticks)
        if tick.number >= ticks:
            break
        assert tick.planned == 1000.0 + tick.number / rate
        sent += 1
    assert sent + missed == ticks
