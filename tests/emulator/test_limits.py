"""Nothing grows without limit: behaviour of an emulator whose stores are full."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
import websocket

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.handlers.channel import send_message
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.matches import RunningMatch
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.emulator.store.accounts import SessionCache, StoredAccount
from nakama_bots.emulator.store.boards import Score
from nakama_bots.emulator.store.chat import channel_id
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.limits import Full, StoreLimits
from nakama_bots.emulator.store.matchmaker import Entry, QueuedTicket
from nakama_bots.emulator.store.storage import ObjectKey, StorageDelete, StorageWrite
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

from .support import Clock, RawSocket, Recorder, login, make_core


def bounded(clock: Clock | None = None, **limits: int) -> Core:
    return make_core(clock, Options(limits=StoreLimits(**limits)))


def test_oldest_messages_are_dropped_first() -> None:
    core = bounded(messages=3)
    rooms = [PresenceStream(Mode.CHANNEL, label=name) for name in ("a", "b")]
    for number in range(5):
        send_message(core, channel_id(rooms[number % 2]), json.dumps({"n": number}), "", "")
    left = [core.messages.page(room, 10, None, forward=True).get("messages", []) for room in rooms]
    assert [[json.loads(one["content"])["n"] for one in page] for page in left] == [[2, 4], [3]]


def test_oldest_notifications_are_dropped_first() -> None:
    core = bounded(notifications=2)
    now = core.now()
    for name in ("ann", "ben"):
        core.accounts.add(StoredAccount(name, name, now, now))
    for user, subject in (("ann", "1"), ("ben", "2"), ("ann", "3"), ("ann", "4")):
        core.notify(user, subject, "{}", 1)

    def subjects(user: str) -> list[Any]:
        page: Any = core.notifications.page(user, 10)
        return [one["subject"] for one in page.get("notifications", [])]

    assert (subjects("ann"), subjects("ben")) == (["3", "4"], [])
    core.notifications.forget_user("ann")
    core.notify("ben", "5", "{}", 1)
    assert (subjects("ann"), subjects("ben")) == ([], ["5"])


def test_full_storage_refuses_new_objects_but_not_changes() -> None:
    core = bounded(objects=2)
    keys = [ObjectKey("c", name, "u") for name in ("a", "b", "c")]
    core.storage.write([StorageWrite(key, "{}") for key in keys[:2]])
    core.storage.write([StorageWrite(keys[0], '{"n":1}')])
    with pytest.raises(Full, match="2 objects, the most that --max-objects allows"):
        core.storage.write([StorageWrite(keys[2], "{}")])
    core.storage.delete([StorageDelete(keys[1])])
    core.storage.write([StorageWrite(keys[2], "{}")])
    core.storage.forget_user("u")
    core.storage.write([StorageWrite(key, "{}") for key in keys[:2]])


def test_record_over_the_limit_ends_the_oldest_period_or_is_refused() -> None:
    clock = Clock()
    core = bounded(clock, records=2)
    board = core.leaderboards.create("daily", reset_schedule="0 0 * * *")
    for _ in range(3):
        core.leaderboards.write(board, Score("ann", "ann", 1))
        clock.seconds += 86400
    core.leaderboards.write(board, Score("ann", "ann", 1))
    core.leaderboards.write(board, Score("ben", "ben", 1))
    with pytest.raises(Full, match="records"):
        core.leaderboards.write(board, Score("cal", "cal", 1))
    core.leaderboards.write(board, Score("ben", "ben", 2))


def test_limits_of_groups_parties_and_tickets() -> None:
    core = bounded(groups=1, parties=1, tickets=1)
    now = core.now()
    core.accounts.add(StoredAccount("ann", "ann", now, now))
    session = Recorder(core)
    core.groups.create("ann", "one")
    with pytest.raises(Full, match="groups"):
        core.groups.create("ann", "two")
    core.parties.create("p", session, open_=True, hidden=False, max_size=2, label="")
    with pytest.raises(Full, match="parties"):
        core.parties.create("q", session, open_=True, hidden=False, max_size=2, label="")

    def ticket() -> QueuedTicket:
        return QueuedTicket(core.new_id(), (Entry(session, {}, {}),), query.parse("*"), 2, 2, 1, now)

    core.matchmaker.add(ticket())
    with pytest.raises(Full, match="tickets"):
        core.matchmaker.add(ticket())


def test_presence_over_the_limit_is_refused_before_any_answer() -> None:
    core = bounded(presences=1)
    session = Recorder(core)
    dispatch = MessageDispatcher(core, handlers.MESSAGES).dispatch
    for cid, room in (("1", "a"), ("2", "b")):
        dispatch(session, json.dumps({"cid": cid, "channel_join": {"target": room, "type": 1}}).encode())
    text = "the emulator holds 1 presences, the most that --max-presences allows"
    assert session.frames[-1] == {"cid": "2", "error": {"message": text}}
    assert core.tracker.total == 1
    core.close_session(session)
    assert core.tracker.total == 0


def test_revoked_token_is_forgotten_after_expiry() -> None:
    now = [1000]
    cache = SessionCache(lambda: now[0], 60)
    for number in range(100):
        claims = SessionClaims(f"token-{number}", f"user-{number}", "", now[0], now[0] + 60)
        cache.revoke_session(claims)
        cache.revoke_refresh(claims)
        cache.revoke_user(claims.user_id)
        cache.revoke_before(claims.user_id, now[0])
        assert not cache.session_valid(claims)
        now[0] += 1
    kept = [len(getattr(cache, name)) for name in ("_sessions", "_refreshes", "_removed", "_not_before")]
    assert all(60 <= number <= 63 for number in kept), kept


class Empty:
    """A match whose behaviour is set by its state."""

    def match_init(self, _: Any, params: Any) -> tuple[Any, int, str]:
        return dict(params), 2, ""

    def match_join_attempt(self, _: Any, __: Any, ___: int, state: Any, *____: Any) -> tuple[Any, bool]:
        return state, True

    def match_join(self, _: Any, __: Any, ___: int, state: Any, ____: Any) -> Any:
        return state

    match_leave = match_join

    def match_loop(self, _: Any, dispatcher: Any, __: int, state: Any, messages: Any) -> Any:
        state["received"] = len(messages)
        for number in range(state.get("defer", 0)):
            dispatcher.broadcast_message_deferred(number + 1, "x")
            state["deferred"] = number + 1
        if state.get("kick"):
            dispatcher.match_kick(state["kick"])
        return state


def match_of(core: Core, **params: Any) -> RunningMatch:
    handler: Any = Empty()
    core.matches.handlers["empty"] = handler
    return core.matches.create(core.new_id(), "empty", params)


def joined(core: Core, match: RunningMatch, number: int) -> list[Recorder]:
    members = [Recorder(core) for _ in range(number)]
    dispatch = MessageDispatcher(core, handlers.MESSAGES).dispatch
    for member in members:
        dispatch(member, json.dumps({"match_join": {"match_id": match.id}}).encode())
        member.frames.clear()
    for member in members:
        member.frames.clear()
    return members


def test_empty_match_stops_after_its_timeout() -> None:
    core = make_core(options=Options(match_max_empty=2))
    match = match_of(core)
    member = joined(core, match, 1)[0]
    for _ in range(10):
        match.tick()
    core.close_session(member)
    for left in (False, False, False, True):
        match.tick()
        assert match.stopped is left
    assert len(core.matches) == 0


def test_input_beyond_the_queue_is_dropped() -> None:
    core = make_core(options=Options(match_input_queue_size=3))
    match = match_of(core)
    member = joined(core, match, 1)[0]
    for _ in range(5):
        match.queue(member, 1, b"", reliable=True)
    match.tick()
    assert match.state["received"] == 3


def test_deferred_broadcasts_follow_the_function_and_are_limited() -> None:
    core = make_core(options=Options(match_deferred_queue_size=2))
    match = match_of(core, defer=2)
    member = joined(core, match, 1)[0]
    match.tick()
    assert [frame["match_data"]["op_code"] for frame in member.frames] == ["1", "2"]
    match.state["defer"] = 3
    match.tick()
    assert match.stopped
    assert match.state["deferred"] == 2
    assert member.closed == (1000, "server-side session disconnect")


def test_calls_beyond_the_queue_end_the_match() -> None:
    core = make_core(options=Options(match_call_queue_size=2))
    match = match_of(core)
    members = joined(core, match, 3)
    match.state["kick"] = [match.presence(member) for member in members]
    match.tick()
    assert match.stopped


def test_limit_of_matches() -> None:
    core = bounded(matches=1)
    match_of(core)
    with pytest.raises(RuntimeFunctionError, match="1 matches, the most that --max-matches allows"):
        match_of(core)


def test_over_the_wire() -> None:
    extra = ("--max-accounts", "1", "--max-sockets", "1")
    with EmulatorProcess.start(extra=extra) as emulator:
        token = str(login(emulator.url, "device-of-the-first")["token"])
        with pytest.raises(urllib.error.HTTPError) as refused:
            login(emulator.url, "device-of-the-second")
        text = "the emulator holds 1 accounts, the most that --max-accounts allows"
        with refused.value as answer:
            assert (answer.code, json.load(answer)) == (429, {"code": 8, "message": text})
        login(emulator.url, "device-of-the-first")
        with RawSocket(emulator.url, token), pytest.raises(websocket.WebSocketBadStatusException) as full:
            websocket.create_connection(f"ws{emulator.url[4:]}/ws?token={token}", timeout=15)
        assert full.value.status_code == 503
        text = "the emulator holds 1 sockets, the most that --max-sockets allows\n"
        assert (full.value.resp_body or b"").decode() == text


def test_tokens_with_another_key() -> None:
    keys = ("--encryption-key", "mine", "--refresh-encryption-key", "mine-too")
    with EmulatorProcess.start(extra=keys) as emulator:
        tokens = login(emulator.url, "device-of-the-first")
    for token, key in ((tokens["token"], "mine"), (tokens["refresh_token"], "mine-too")):
        claims = SessionClaims.verify(token, key, 0)
        assert claims is not None
        assert SessionClaims.verify(token, Options().encryption_key, 0) is None
