"""Runtime modules: loading, hooks, and matches whose functions misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher, NoMessage
from nakama_bots.emulator.dispatch.rest import Answer, Request, Router
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime import loader
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.nk import Nk
from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.tracker import Presence, PresenceStream

from .support import Clock, Recorder, make_core


class Game:
    """A core with the bundled modules, and helpers to call it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.core: Core = make_core(self.clock)
        loader.load(self.core, (), handlers.MESSAGES)
        self.nk = Nk(self.core)
        self.initializer = Initializer(self.core, handlers.MESSAGES)
        self.dispatcher = MessageDispatcher(self.core, handlers.MESSAGES)

    def say(self, session: Recorder, message: dict[str, Any]) -> list[Any]:
        session.frames.clear()
        pending = self.dispatcher.dispatch(session, json.dumps({"cid": "1", **message}).encode())
        if pending is not None:
            asyncio.run(_wait(pending))
        return session.frames

    def call(self, identifier: str, payload: str = "") -> Any:
        return self.core.functions[identifier](RpcContext(), payload)


async def _wait(pending: Any) -> None:
    await pending


class Quiet:
    """A match that does nothing."""

    def match_init(self, context: Any, params: Any) -> tuple[Any, int, str]:
        return {}, 10, '{"workload":"quiet"}'

    def match_join_attempt(self, context: Any, dispatcher: Any, tick: int, state: Any, *_: Any) -> Any:
        return state, True

    def match_join(self, context: Any, dispatcher: Any, tick: int, state: Any, presences: Any) -> Any:
        return state

    def match_leave(self, context: Any, dispatcher: Any, tick: int, state: Any, presences: Any) -> Any:
        return state

    def match_loop(self, context: Any, dispatcher: Any, tick: int, state: Any, messages: Any) -> Any:
        return state

    def match_terminate(self, context: Any, dispatcher: Any, tick: int, state: Any, grace: int) -> Any:
        return state

    def match_signal(self, context: Any, dispatcher: Any, tick: int, state: Any, data: str) -> Any:
        return state, data


class Failing(Quiet):
    """A match whose function named ``broken`` raises, or returns None as state."""

    def __init__(self, broken: str, result: Any = None) -> None:
        self.broken = broken
        self.result = result

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "broken"):
            result = object.__getattribute__(self, "result")

            def broken(*_: Any) -> Any:
                if result is None:
                    msg = "broken on purpose"
                    raise ValueError(msg)
                return result

            return broken
        return object.__getattribute__(self, name)


def joined(game: Game, handler: Quiet) -> tuple[str, Recorder]:
    game.initializer.register_match("it", handler)
    match_id = game.nk.match_create("it")
    session = Recorder(game.core)
    game.say(session, {"match_join": {"match_id": match_id}})
    return match_id, session


def test_bundled_functions() -> None:
    game = Game()
    assert game.call("echo", "x") == "x"
    match_id = json.loads(game.call("create_match"))["match_id"]
    assert match_id.endswith(".emulator")
    with pytest.raises(RuntimeFunctionError, match="must be a JSON object"):
        game.call("create_match", "1")
    game.clock.seconds += 2
    assert json.loads(game.call("find_benchmark_match"))["match_id"] == match_id
    assert [match["match_id"] for match in game.nk.match_list(5)] == [match_id]
    assert game.nk.match_signal(match_id) == "0"
    with pytest.raises(RuntimeFunctionError, match="failed to list matches"):
        game.nk.match_list(1, query_text="+")


@pytest.mark.parametrize("when", ["match_loop", "match_signal", "match_leave", "match_join"])
def test_failing_match_closes_its_members(when: str) -> None:
    game = Game()
    match_id, session = joined(game, Failing(when))
    match = game.core.matches.all()[0] if len(game.core.matches) else None
    if when == "match_loop":
        assert match is not None
        match.tick()
        match.tick()
    elif when == "match_signal":
        with pytest.raises(RuntimeFunctionError, match="match busy"):
            game.nk.match_signal(match_id, "x")
    elif when == "match_leave":
        other = Recorder(game.core)
        game.say(other, {"match_join": {"match_id": match_id}})
        game.say(other, {"match_leave": {"match_id": match_id}})
    assert session.closed == (1000, "server-side session disconnect")
    assert len(game.core.matches) == 0
    (answer,) = game.say(Recorder(game.core), {"match_join": {"match_id": match_id}})
    assert answer["error"]["code"] == 4


def test_failing_join_attempt_ends_the_match() -> None:
    game = Game()
    _, session = joined(game, Failing("match_join_attempt"))
    assert session.frames[-1]["error"] == {"code": 5, "message": "Match join rejected"}
    assert len(game.core.matches) == 0
    assert game.nk.match_list(1) == []


class LastWords(Quiet):
    """A match that defers a broadcast and then fails."""

    def match_loop(self, context: Any, dispatcher: Any, tick: int, state: Any, messages: Sequence[Any]) -> Any:
        dispatcher.broadcast_message_deferred(12, "last words")
        msg = "broken on purpose"
        raise ValueError(msg)


def test_failing_match_sends_its_deferred_broadcasts() -> None:
    game = Game()
    _, session = joined(game, LastWords())
    received: list[int] = []
    session.disconnect = lambda *_: received.append(len(session.frames))  # type: ignore[method-assign]
    session.frames.clear()
    game.core.matches.all()[0].tick()
    assert received == [1]
    assert session.frames[0]["match_data"]["op_code"] == "12"


def test_none_state_ends_the_match_silently() -> None:
    game = Game()
    _, session = joined(game, Failing("match_signal", (None, "bye")))
    match = game.core.matches.all()[0]
    with pytest.raises(RuntimeFunctionError):
        match.signal("x")
    assert session.closed is None
    match.terminate(0)
    match.stop()


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (({}, 0, ""), "invalid tick rate, must be between 1 and 60"),
        (({}, 61, ""), "invalid tick rate"),
        (({}, "x", ""), "unexpected second value, must be a tick rate number"),
        (({}, 1, None), "unexpected third value, must be a label string"),
        (({}, 1, "x" * 2049), "invalid label, must be 2048 bytes or less"),
        ((None, 1, ""), "unexpected first value, must be a state"),
    ],
)
def test_match_that_cannot_start(initial: Any, message: str) -> None:
    game = Game()
    game.initializer.register_match("it", Failing("match_init", initial))
    with pytest.raises(RuntimeFunctionError, match=message):
        game.nk.match_create("it")
    game.initializer.register_match("it", Failing("match_init"))
    with pytest.raises(RuntimeFunctionError, match="broken on purpose"):
        game.nk.match_create("it")


class Kicker(Quiet):
    def match_loop(self, context: Any, dispatcher: Any, tick: int, state: Any, messages: Sequence[Any]) -> Any:
        dispatcher.match_kick([message.sender for message in messages])
        return state

    def match_leave(self, context: Any, dispatcher: Any, tick: int, state: Any, presences: Any) -> Any:
        dispatcher.match_label_update(json.dumps({"left": presences[0].username}))
        return super().match_leave(context, dispatcher, tick, state, presences)


def test_kick_is_a_leave_after_the_loop() -> None:
    game = Game()
    match_id, session = joined(game, Kicker())
    game.say(session, {"match_data_send": {"match_id": match_id, "op_code": 1}})
    (match,) = game.core.matches.all()
    match.tick()
    assert match.members == {}
    assert session.frames == []
    assert game.nk.match_list(1, query_text="+label.left:somebody") == []
    game.clock.seconds += 1
    (found,) = game.nk.match_list(1, query_text="+label.left:somebody")
    assert found["label"] == '{"left": "somebody"}'
    with pytest.raises(RuntimeFunctionError, match="2048 bytes"):
        match.set_label("x" * 2049)


def test_match_that_calls_itself_fails() -> None:
    game = Game()

    class Self(Quiet):
        def match_loop(self, context: Any, *_: Any) -> Any:
            return game.nk.match_signal(context.match_id, "")

    joined(game, Self())
    game.core.matches.all()[0].tick()
    assert len(game.core.matches) == 0


def test_empty_benchmark_match_ends_after_a_minute() -> None:
    game = Game()
    game.nk.match_create("benchmark_match")
    (match,) = game.core.matches.all()
    for _ in range(600):
        match.tick()
    assert match.stopped


def test_functions_that_misbehave_fail_alone() -> None:
    game = Game()

    async def later(_: RpcContext, payload: str) -> Any:
        if payload == "x":
            raise KeyError(payload)
        if payload == "e":
            raise RuntimeFunctionError("on purpose", 9)
        return 1

    def at_once(_: RpcContext, __: str) -> Any:
        raise ZeroDivisionError

    game.initializer.register_rpc(later, "Later")
    game.initializer.register_rpc(at_once, "at_once")
    session = Recorder(game.core)
    for identifier, payload, message in (
        ("later", "x", "'x'"),
        ("LATER", "e", "on purpose"),
        (
            "later",
            "",
            "Runtime function returned invalid data - only allowed one return value of type String/Byte.",
        ),
        ("at_once", "", "ZeroDivisionError"),
    ):
        (answer,) = game.say(session, {"rpc": {"id": identifier, "payload": payload}})
        assert answer["error"] == {"code": 7, "message": message}


def test_socket_hooks() -> None:
    game = Game()
    seen: list[JsonObject] = []

    def before(context: RpcContext, body: JsonObject) -> JsonObject | None:
        assert context.session_id
        match body["status"]:
            case "no":
                return None
            case "bad":
                raise ValueError
        return {"status": str(body["status"]).upper()}

    def after(_: RpcContext, answer: JsonObject, body: JsonObject) -> None:
        assert answer == {"cid": "1"}
        seen.append(body)
        raise ValueError

    game.initializer.register_rt_before(before, "StatusUpdate")
    game.initializer.register_rt_after(after, "status_update")
    session = Recorder(game.core)
    frames = game.say(session, {"status_update": {"status": "yes"}})
    assert frames[0] == {"cid": "1"}
    assert frames[1]["status_presence_event"]["joins"][0]["status"] == "YES"
    assert seen == [{"status": "YES"}]
    assert game.say(session, {"status_update": {"status": "bad"}})[0]["error"]["code"] == 7
    with pytest.raises(NoMessage):
        game.say(session, {"status_update": {"status": "no"}})


def test_rest_hooks() -> None:
    game = Game()
    seen: list[JsonObject] = []

    def before(_: RpcContext, body: JsonObject) -> JsonObject | None:
        account = body["account"]
        assert isinstance(account, dict)
        if account["id"] == "device-broken-1":
            raise ValueError(account["id"])
        return {**body, "account": {"id": "device-changed-1"}}

    game.initializer.register_req_before(before, "AuthenticateDevice")
    game.initializer.register_req_after(
        lambda _, answer, body: seen.append({**body, "answered": sorted(answer)}), "AuthenticateDevice"
    )
    router = Router(game.core, handlers.ROUTES)

    def login(device: str) -> Answer:
        request = Request(
            "POST",
            "/v2/account/authenticate/device",
            {"create": ["true"]},
            {"authorization": "Basic ZGVmYXVsdGtleTo="},
            json.dumps({"id": device}).encode(),
        )
        return asyncio.run(router.answer(request))

    assert login("device-original-1").status == 200
    answered = ["created", "refresh_token", "token"]
    assert seen == [{"create": True, "account": {"id": "device-changed-1"}, "answered": answered}]
    assert game.core.accounts.identified("device", "device-changed-1") is not None
    assert json.loads(login("device-broken-1").body) == {"code": 13, "message": "device-broken-1"}


@pytest.mark.parametrize("register", ["register_rt_before", "register_rt_after", "register_req_before"])
def test_unknown_messages_cannot_be_hooked(register: str) -> None:
    with pytest.raises(ValueError, match=r"'NoSuch'.*there are"):
        getattr(Game().initializer, register)(print, "NoSuch")


def test_match_without_all_functions() -> None:
    with pytest.raises(ValueError, match="match handler 'x' has no match_init, match_join_attempt"):
        Game().initializer.register_match("x", object())  # type: ignore[arg-type]


def test_streams() -> None:
    game = Game()
    one, other = Recorder(game.core), Recorder(game.core)
    stream = {"mode": 200, "label": "feed"}
    assert game.nk.stream_user_join(one.user_id, one.id, stream)
    assert not game.nk.stream_user_join(one.user_id, one.id, stream)
    assert game.nk.stream_user_join(other.user_id, other.id, stream, hidden=True, persistence=True)
    assert game.nk.stream_count(stream) == 2
    one.frames.clear()
    game.nk.stream_send(stream, "", reliable=False)
    assert one.frames == other.frames == [{"stream_data": {"stream": {"mode": 200, "label": "feed"}}}]
    with pytest.raises(RuntimeFunctionError, match=r"#1 to stream_user_leave \(expects valid user id\)"):
        game.nk.stream_user_leave("nobody", one.id, stream)
    game.nk.stream_user_leave(other.user_id, other.id, stream)
    game.nk.stream_close(stream)
    assert game.nk.stream_count(stream) == 0
    game.core.tracker.track(PresenceStream(0, "x"), Presence(one))
    assert len(one.frames) == 1  # the server's own modes without a rule report no presences


def test_boards_and_notifications() -> None:
    game = Game()
    game.nk.leaderboard_create("board", sort_order="desc", operator="best")
    game.nk.tournament_create("cup", duration=60)
    assert game.core.leaderboards.get("board") is not None
    # The bundled modules create one too.
    assert [one.id for one in game.core.leaderboards.tournaments()] == ["cup", "nakama_bots_cup"]
    no_user = "00000000-0000-4000-8000-000000000000"
    game.nk.session_disconnect(no_user)
    game.nk.users_ban_id([no_user])
    game.nk.users_unban_id([no_user])
    game.nk.notification_send(no_user, "x", {}, 1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = ", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "it has no init_module"),
        ("def init_module(nk, initializer): raise KeyError('a\\nb')", "KeyError"),
        (
            "def init_module(nk, initializer): initializer.register_rt_before(print, 'X')",
            "no socket message 'X'",
        ),
    ],
)
def test_module_that_does_not_load(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "game.py"
    path.write_text(source)
    with pytest.raises(EmulatorStartError) as caught:
        EmulatorProcess.start(extra=("--module", str(path)))
    text = str(caught.value)
    assert "exit code 2" in text
    assert message in text
    assert f"--module: '{path}' cannot be used" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "message"), [("none.py", "the file does not exist"), ("x.txt", "ends in neither .py nor .lua")]
)
def test_file_that_is_not_a_module(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "x.txt").touch()
    with pytest.raises(EmulatorStartError, match=message):
        EmulatorProcess.start(extra=("--module", str(tmp_path / name)))
