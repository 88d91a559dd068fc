from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent
import pytest
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st
from realtime.server import Peer, text

from nakama_bots.clock import Ticker
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import (
    Abandoned,
    ConfigError,
    ConnectionClosed,
    MatchNotFound,
    NotInside,
    RequestTimeout,
)
from nakama_bots.players.acts.match import Match
from nakama_bots.players.delivery.codecs import json_field, keyed, stamped
from nakama_bots.players.delivery.stamps import END, STATE, Stamp, host_number
from nakama_bots.players.place import missed_of
from nakama_bots.players.player import Player

from .conftest import MakePlayer
from .support import SELF, Recorder, failure, kill, make_player, scripted_nakama, target_of

OTHER = {"user_id": "0a1b2c3d-0000-4000-8000-000000000002", "session_id": "b", "username": "other"}
MATCH = "11111111-1111-4111-8111-111111111111."
LONG = 30.0
BY_BYTES = keyed(lambda _, data: data, lambda _, data: [data], to="others")


def play(match: Match, rate: float = 100.0, seconds: float = 0.3) -> None:
    for tick in match.ticks(rate, seconds):
        match.send(7, {"x": tick.number})


def all_of(*calls: Callable[[], object]) -> None:
    gevent.joinall([gevent.spawn(call) for call in calls], raise_error=True)


def test_delivery_of_the_games_own_payload(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    a.op_codes = {7: "swim"}
    states: list[Any] = []
    with a.create_match() as first, b.join_match(first.id, players=2) as second:
        first.meet(2)
        second.on_state(lambda state: states.append((state.op_code, state.json()["x"], state.sender)))
        all_of(lambda: play(first), lambda: play(second))
        first.settle()
        assert states[0] == (7, 0, a.user_id)
    for one, other in ((mine, theirs), (theirs, mine)):
        sent = other.counts["ticks_sent"]
        assert sent + other.counts["ticks_missed"] == 30
        assert one.delivery() == {"expected": sent, "received": sent}
        assert len(one.samples["delivery"]) == len(one.samples["delivery.corrected"]) == sent
        assert min(one.samples["delivery"]) > 0
        assert one.counts["match_received"] == sent == other.counts["match_sent"]
        assert (one.counts["matches_joined"], one.counts["matches_played"]) == (1, 1)
        assert one.outcomes("WS", "match_leave") == ["ok"]
    assert mine.counts["match_sent.swim"] == mine.counts["match_sent"]
    assert len(mine.samples["tick_lateness"]) == mine.counts["ticks_sent"]


def test_equal_payloads_to_one_player(player: MakePlayer) -> None:
    (a, _), (b, hers), (c, his) = player(), player(), player()
    with a.create_match() as first, b.join_match(first.id) as second, c.join_match(first.id, players=3):
        first.meet(3)
        second.meet(3)
        for _ in range(5):
            first.send(1, b"same")
        first.send(2, "to one", to=[b.user_id])
        first.settle()
    assert hers.delivery() == {"expected": 6, "received": 6}
    assert his.delivery() == {"expected": 5, "received": 5}


@pytest.mark.parametrize("codec", [stamped(), json_field("_nb"), BY_BYTES])
def test_delivery_codecs(player: MakePlayer, codec: Any) -> None:
    (a, mine), (b, theirs) = player(), player()
    a.delivery = b.delivery = codec
    states: list[Any] = []
    with a.create_match() as first, b.join_match(first.id, players=2) as second:
        first.meet(2)
        second.on_state(lambda state: states.append(state.json()))
        for number in range(4):
            first.send(1, {"x": number})
        first.settle()
        assert [state["x"] for state in states] == [0, 1, 2, 3]
    assert theirs.delivery() == {"expected": 4, "received": 4}
    assert mine.delivery() == {}


def test_input_to_echo(player: MakePlayer) -> None:
    """The benchmark's match sends op code 1 back to its sender."""
    bot, recorder = player()
    seen: list[bytes] = []

    def keys(_: int, data: bytes) -> list[bytes]:
        seen.append(data)
        return [data]

    with bot.join_listed_match("find_benchmark_match", delivery=keyed(lambda _, data: data, keys)) as match:
        match.send(1, b"input")
        match.settle()
        assert match.state is not None
        assert match.state.data == b"input"
    # The scenario's key function is called once per message, however many readers its state has.
    assert seen == [b"input"]
    assert recorder.delivery() == {"expected": 1, "received": 1}
    assert len(recorder.samples["input_to_echo"]) == 1


def test_authoritative_match_relays_to_all(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    a.delivery = b.delivery = stamped(to="all")
    with a.join_listed_match("find_benchmark_match") as first, b.join_match(first.id, players=2) as second:
        first.meet(2)
        for match in (first, second):
            for tick in match.ticks(100.0, 0.05, skip=False):
                match.send(2, str(tick.number))
        all_of(first.settle, second.settle)
    for recorder in (mine, theirs):
        assert recorder.delivery() == {"expected": 10, "received": 10}


def test_authoritative_match_that_relays_only_some_messages(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    with a.join_listed_match("find_benchmark_match") as first, b.join_match(first.id, players=2):
        first.meet(2)
        for number in range(3):
            first.send(1, f"echo {number}")
            first.send(9, f"nothing {number}")
        mine.until("match_received", 3)
    # The sender receives its own echoes. Op code 9, and echoes to other players, count as unknown.
    assert mine.delivery() == {"expected": 6, "received": 3, "unknown": 3}
    assert theirs.delivery() == {"expected": 6, "unknown": 6}


def test_messages_during_a_reconnect_are_missed_not_lost(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    with a.create_match() as first, b.join_match(first.id, players=2) as second:
        first.meet(2)
        first.send(1, b"before")
        first.settle()
        b.cut()
        for number in range(3):
            first.send(1, f"away {number}")
        b.reconnect()
        second.meet(2)
        first.wait(lambda: len(first.presences.sessions) == 2, LONG)
        first.send(1, b"after")
        second.send(1, b"back again")
        first.settle()
    assert theirs.delivery() == {"expected": 5, "received": 2, "missed": 3}
    assert mine.delivery() == {"expected": 1, "received": 1}
    assert theirs.counts["reconnects"] == len(theirs.samples["reconnect"]) == 1
    assert theirs.outcomes("WS", "match_join") == ["ok", "ok"]


def test_forced_reconnect_when_allowed(player: MakePlayer) -> None:
    (a, _), (b, theirs) = player(), player()
    b.allow_reconnect = True
    with a.create_match() as first, b.join_match(first.id, players=2) as second:
        ticks = 0
        for _ in second.ticks(50.0, 0.4, skip=False):
            ticks += 1
            if ticks == 3:
                b.socket.cut()
            elif ticks > 3:
                second.send(1, b"on")
        assert ticks == 20
    assert theirs.counts["reconnects"] == 1


def test_forced_disconnect_is_raised_when_reconnects_are_not_allowed(player: MakePlayer) -> None:
    bot, _ = player()

    def ticking() -> None:
        with bot.create_match() as match:
            for _ in match.ticks(50.0, LONG):
                bot.socket.cut()

    failure(Abandoned, ticking)


def test_named_match_is_recreated_when_its_only_player_reconnects(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.join_match(name="alone") as match:
        before = match.id
        bot.reconnect()
        assert match.id == before
        match.send(1, b"here")
    assert recorder.counts["matches_joined"] == 1


def test_match_from_the_matchmaker(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()

    def found(bot: Player, here: Event, other: Event) -> None:
        options: dict[str, Any] = {"properties": {"region": "eu", "rank": 3}, "query": "+properties.region:eu"}
        with bot.find_match("duel", players=2, **options) as match:
            assert match.id
            here.set()
            other.wait()  # a player that leaves at once may be gone before the other sees it

    first, second = Event(), Event()
    all_of(lambda: found(a, first, second), lambda: found(b, second, first))
    for recorder in (mine, theirs):
        assert recorder.outcomes("PUSH", "matchmaker_matched") == ["ok"]
        assert recorder.counts["tickets_joined"] == recorder.counts["match_size.2"] == 1


def test_bad_numbers(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    bot.connect()
    with pytest.raises(ConfigError, match="players: '3 to 2'"):
        bot.find_match(min_count=3, max_count=2)
    with pytest.raises(ConfigError, match="join_match"):
        bot.join_match()
    with pytest.raises(ConfigError, match="chat"):
        bot.chat("room", user="x")


def test_missing_players(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.create_match() as match:
        match.meet(1, 0.0)
        assert recorder.named("PUSH", "match_presence_event") == []
        failure(RequestTimeout, match.meet, 2, 0.01)
    assert recorder.outcomes("PUSH", "match_presence_event") == ["RequestTimeout"]
    assert recorder.counts["matches_deserted"] == 1


def test_stopped_player_leaves_the_match(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    with a.create_match() as first:

        def quitter() -> None:
            with b.join_match(first.id) as second:
                play(second, seconds=3600.0)

        quits = gevent.spawn(quitter)
        theirs.until("ticks_sent", 3)
        quits.kill()
        assert first.wait(lambda: len(first.presences) == 1, LONG)
    assert theirs.outcomes("WS", "match_leave") == ["ok"]
    assert mine.delivery()["received"] >= 1
    assert "lost" not in mine.delivery()
    assert theirs.counts["matches_played"] == 0


def test_server_killed_during_the_match(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, recorder = player(url=doomed.url)

    def take_part() -> None:
        with bot.create_match() as match:
            play(match, seconds=3600.0)

    run = gevent.spawn(failure, ConnectionClosed, take_part)
    recorder.until("ticks_sent", 3)
    kill(doomed)
    run.get()
    # A dead socket sends no leave.
    assert recorder.outcomes("WS", "match_leave") == []
    assert recorder.counts["matches_played"] == 0
    assert recorder.outcomes("WS", "hold") == ["ConnectionClosed"]


def test_connection_that_ends_during_a_wait_fails_the_visit(
    player: MakePlayer, doomed: EmulatorProcess
) -> None:
    bot, recorder = player(url=doomed.url)

    def look_on() -> None:
        with bot.create_match() as match:
            kill(doomed)
            match.wait(lambda: False, LONG)

    failure(ConnectionClosed, look_on)
    assert recorder.outcomes("WS", "hold") == ["ConnectionClosed"]


def test_lost_connection_whose_error_is_caught_is_reported_once(
    player: MakePlayer, doomed: EmulatorProcess
) -> None:
    bot, recorder = player(url=doomed.url)
    before = perf_counter()

    def play_on() -> None:
        with bot.create_match() as match:
            kill(doomed)
            with suppress(ConnectionClosed):
                play(match, seconds=3600.0)

    failure(ConnectionClosed, play_on)
    assert recorder.outcomes("WS", "hold") == ["ConnectionClosed"]
    (call,) = [call for call in recorder.calls if call.name == "hold"]
    assert 0.0 < call.elapsed < perf_counter() - before


def test_lost_connection_fails_a_visit_with_a_chat_room_once(
    player: MakePlayer, doomed: EmulatorProcess
) -> None:
    bot, heard = player(url=doomed.url)

    def look_on() -> None:
        with bot.create_match() as match:
            match.say("hello")
            kill(doomed)
            match.wait(lambda: False, LONG)

    failure(ConnectionClosed, look_on)
    assert heard.outcomes("WS", "hold") == ["ConnectionClosed"]


def test_visit_that_ends_with_an_error_does_not_reconnect_for_its_chat_room(player: MakePlayer) -> None:
    bot, heard = player()
    bot.allow_reconnect = True

    def fail() -> None:
        with bot.create_match() as match:
            match.say("hello")
            bot.socket.cut()
            match.wait(lambda: False, LONG)
            raise KeyError("of the scenario")

    with pytest.raises(KeyError):
        fail()
    assert not bot.connected
    assert heard.counts["reconnects"] == 0


def test_what_a_listener_sends_at_a_rejoin_is_counted(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    b.allow_reconnect = True
    with a.create_match() as first, b.join_match(first.id, players=2) as second:
        first.meet(2)
        second.on_change = lambda: second.send(1, b"back")
        b.reconnect()
        second.on_change = None
        mine.until("match_received", theirs.counts["match_sent"])
    sent = theirs.counts["match_sent"]
    assert sent > 0
    assert mine.delivery() == {"expected": sent, "received": sent}


def test_refused_join(player: MakePlayer) -> None:
    bot, recorder = player()
    with pytest.raises(MatchNotFound), bot.join_match("11111111-1111-4111-8111-111111111111."):
        pass
    assert recorder.counts["matches_joined"] == 0
    assert recorder.outcomes("WS", "match_leave") == []
    assert bot.world.exchange.joining == {}


def test_sending_after_the_match(player: MakePlayer) -> None:
    bot, recorder = player()
    match = bot.create_match()
    with pytest.raises(NotInside, match="the player has not joined yet: nothing can be sent"):
        match.send(1, b"early")
    with match:
        pass
    with pytest.raises(NotInside, match="the player has left: nothing can be sent"):
        match.send(1, b"late")
    # Each is a failed call: a run whose players never send anything must not pass.
    assert recorder.outcomes("WS", "match_data_send") == ["NotInside", "NotInside"]
    with pytest.raises(ConfigError, match="bytes, text or a JSON value"), bot.create_match() as match:
        match.send(1, object())


def data(payload: Stamp | bytes, match_id: str = MATCH, presence: object = OTHER, op_code: str = "1") -> bytes:
    packed = payload.pack() if isinstance(payload, Stamp) else payload
    body: dict[str, Any] = {"match_id": match_id, "op_code": op_code, "data": base64.b64encode(packed).decode()}
    if presence is not None:
        body["presence"] = presence
    return text({"match_data": body})


def presence_event(match_id: str = MATCH, **changes: object) -> bytes:
    return text({"match_presence_event": {"match_id": match_id, **changes}})


REMOTE = 0x0A1B2C3D00004FFF


def state(sequence: int, host: int | None = None) -> Stamp:
    return Stamp(STATE, host_number() if host is None else host, REMOTE, sequence, 0.0)


def joined(*, before: bytes = b"", after: bytes = b"", **leave: object) -> Callable[[Peer], None]:
    """Return a script that answers join (with pushes around the reply) and leave, and ignores the rest."""

    def realtime(peer: Peer) -> None:
        reply = text({"cid": peer.request()["cid"], "match": {"match_id": MATCH, "size": 1, "self": SELF}})
        peer.send(before + reply + after)
        while True:
            request = peer.request()
            if "match_leave" in request:
                peer.answer(request, **leave)
                return

    return realtime


def test_pushes_before_the_join_reply() -> None:
    before = (
        presence_event(joins=[OTHER])
        + presence_event("another.", joins=[{**OTHER, "user_id": "stranger", "session_id": "stranger"}])
        + data(b"early")
        + data(b"of another match", match_id="another.")
    )
    with scripted_nakama(joined(before=before)) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        with bot.join_match(token="t") as match:
            assert dict(match.presences) == {SELF["user_id"]: "scripted", OTHER["user_id"]: "other"}
            assert match.state is not None
            assert match.state.data == b"early"
        bot.close()
    # A sender in another process: received, but not expected.
    assert recorder.counts["match_received"] == 1
    assert recorder.delivery() == {}


def test_leave_before_the_join_reply() -> None:
    before = presence_event(joins=[OTHER]) + presence_event(leaves=[OTHER])
    with scripted_nakama(joined(before=before)) as server:
        bot, _ = make_player(target_of(server))
        bot.connect()
        with bot.join_match(token="t") as match:
            assert len(match.presences) == 1
        bot.close()


def test_player_that_joins_and_leaves_in_one_read_counts_as_met() -> None:
    after = presence_event(joins=[OTHER]) + presence_event(leaves=[OTHER])
    with scripted_nakama(joined(after=after)) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        with bot.join_match(token="t", players=2) as match:
            assert len(match.presences) == 1
            with pytest.raises(RequestTimeout, match="fewer than 2 players"):
                match.meet(2, 0.01)
        bot.close()
    assert recorder.counts["matches_joined"] == 1


def test_outcomes_of_stamped_messages_from_another_process() -> None:
    after = (
        b"".join(data(state(sequence)) for sequence in (0, 2, 2, 1, 5))
        + data(Stamp(END, host_number(), REMOTE, 8, 0.0))
        + data(b"of another client")
        + data(state(3), match_id="another.")
        # From another host.
        + data(Stamp(STATE, host_number() ^ 1, REMOTE + 1, 0, 0.0))
    )
    with scripted_nakama(joined(after=after)) as server:
        bot, recorder = make_player(target_of(server))
        bot.delivery = stamped()
        bot.connect()
        with bot.join_match(token="t") as match:
            match.wait(lambda: recorder.counts["match_received"] >= 7, LONG)
        bot.close()
    assert recorder.delivery() == {"expected": 9, "received": 5, "lost": 4, "duplicated": 1, "reordered": 1}
    assert len(recorder.samples["delivery"]) == 4


def test_sent_stamps() -> None:
    sent: list[tuple[int, Stamp, bytes]] = []

    def realtime(peer: Peer) -> None:
        request = peer.request()
        assert request["match_join"] == {"token": "t"}
        peer.answer(request, match={"match_id": MATCH, "self": SELF})
        while "match_leave" not in (request := peer.request()):
            body = request["match_data_send"]
            assert "cid" not in request
            payload = base64.b64decode(body["data"])
            stamp = Stamp.unpack(payload)
            assert stamp is not None
            sent.append((int(body["op_code"]), stamp, payload[36:]))
        peer.answer(request)

    with scripted_nakama(realtime) as server:
        bot, recorder = make_player(target_of(server))
        bot.delivery = stamped()
        bot.connect()
        with bot.join_match(token="t") as match:
            for _ in match.ticks(100.0, 0.1):
                match.send(3, b"own")
        bot.close()
    number = recorder.counts["ticks_sent"]
    assert [(code, stamp.kind, stamp.sequence, own) for code, stamp, own in sent] == [
        *((3, STATE, sequence, b"own") for sequence in range(number)),
        (3, END, number, b""),
    ]
    assert {(stamp.host, stamp.sender) for _, stamp, _ in sent} == {(host_number(), 0x0A1B2C3D00004000)}


class Stalling(Recorder):
    """Blocks the whole process for 3.5 ticks of 10 ms after every sent tick."""

    def count(self, name: str, number: int = 1) -> None:
        super().count(name, number)
        end = perf_counter() + 0.035
        while name == "ticks_sent" and perf_counter() < end:
            pass


@pytest.mark.parametrize("skip", [True, False])
def test_overrun_ticks_are_skipped_or_run_late(skip: bool) -> None:
    with scripted_nakama(joined()) as server:
        bot, recorder = make_player(target_of(server), recorder=Stalling())
        bot.connect()
        with bot.join_match(token="t") as match:
            for _ in match.ticks(100.0, 0.1, skip=skip):
                match.send(1)
        bot.close()
    if skip:
        # Sent at 0, 40 and 80 ms at most; ticks after the last sent one also count as missed.
        assert 1 <= recorder.counts["ticks_sent"] <= 3
        assert recorder.counts["ticks_sent"] + recorder.counts["ticks_missed"] == 10
    else:
        assert (recorder.counts["ticks_sent"], recorder.counts["ticks_missed"]) == (10, 0)
    sent = recorder.counts["ticks_sent"]
    assert len(recorder.samples["tick_lateness"]) == sent == recorder.counts["match_sent"]


def test_refused_leave_does_not_hide_the_end() -> None:
    with scripted_nakama(joined(error={"code": 3, "message": "Invalid match ID"})) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        with pytest.raises(LookupError), bot.join_match(token="t"):
            raise LookupError
        bot.close()
    assert recorder.outcomes("WS", "match_leave") == ["BadInput"]


@given(
    st.floats(0.5, 200.0),
    st.integers(0, 100),
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30),
)
def test_every_tick_is_sent_or_missed(rate: float, ticks: int, delays: list[float]) -> None:
    """Every tick is either sent or counted as missed, however late the process is."""
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


KICKS = """
local M = {}
function M.match_init() return {}, 20, "" end
function M.match_join_attempt(_, _, _, state) return state, true end
function M.match_join(_, _, _, state) return state end
function M.match_leave(_, _, _, state) return state end
function M.match_loop(_, dispatcher, _, state, messages)
  for _, m in ipairs(messages) do
    dispatcher.broadcast_message(m.op_code, m.data, nil, m.sender)
    if m.op_code == 9 then dispatcher.match_kick({m.sender}) end
  end
  return state
end
function M.match_terminate(_, _, _, state) return state end
function M.match_signal(_, _, _, state) return state end
local nk = require("nakama")
nk.register_rpc(function() return nk.match_create("kicks", {}) end, "kicks")
return M
"""


def test_messages_after_a_kick_are_missed_not_lost(player: MakePlayer, tmp_path: Path) -> None:
    (tmp_path / "kicks.lua").write_text(KICKS)
    with EmulatorProcess.start(extra=("--module", str(tmp_path))) as emulator:
        (a, mine), (b, theirs) = player(url=emulator.url), player(url=emulator.url)
        match_id = a.socket.rpc("kicks")["payload"]
        with a.join_match(match_id) as first, b.join_match(match_id, players=2) as second:
            assert first.wait(lambda: len(first.presences) == 2, LONG)
            second.send(9, b"out")
            assert first.wait(lambda: len(first.presences) == 1, LONG)
            second.send(1, b"dropped")
            first.send(1, b"not for the other")
            first.send(1, b"again")
            mine.until("match_received", 3)
    assert mine.delivery() == {"expected": 3, "received": 3}
    assert theirs.delivery() == {"expected": 3, "received": 1, "missed": 2}


def test_player_that_comes_back_to_the_servers_match_is_there(player: MakePlayer, tmp_path: Path) -> None:
    present: list[int] = []
    (tmp_path / "kicks.lua").write_text(KICKS)
    with EmulatorProcess.start(extra=("--module", str(tmp_path))) as emulator:
        (a, mine), (b, theirs) = player(url=emulator.url), player(url=emulator.url)
        match_id = a.socket.rpc("kicks")["payload"]
        with a.join_match(match_id) as first:
            with b.join_match(match_id, players=2):
                assert first.wait(lambda: len(first.presences) == 2, LONG)
                first.on_change = lambda: present.append(len(first.presences))
                a.socket.pause_reading()
            # Over the same connection; the other player reads later that it had left.
            with b.join_match(match_id, players=2) as second:
                a.socket.resume_reading()
                assert first.wait(lambda: present == [1, 2], 10.0)
                first.send(1, b"one")
                second.send(1, b"two")
                mine.until("match_received", 2)
                theirs.until("match_received", 2)
    assert mine.delivery() == {"expected": 2, "received": 2}
    assert theirs.delivery() == {"expected": 2, "received": 2}


def test_a_stamp_from_before_the_send_is_not_believed(player: MakePlayer) -> None:
    (a, _), (b, theirs) = player(), player()
    with a.create_match() as first, b.join_match(first.id, players=2):
        first.meet(2)
        b.socket.pause_reading()
        first.send(1, b"a")
        body = {"match_id": first.id, "presence": {"user_id": a.user_id}, "op_code": "1", "data": "YQ=="}
        b.socket.on_message(json.dumps({"match_data": body}).encode(), perf_counter() - 10.0, 0.001)
        b.socket.resume_reading()
    assert theirs.delivery()["received"] == 1
    assert 0.0 <= theirs.samples["delivery"][0] < 10.0
