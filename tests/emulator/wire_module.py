"""The runtime functions and the match that the recordings were made with, as a module for the emulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.matches import Dispatcher, MatchContext, MatchMessage, MatchPresence
from nakama_bots.emulator.runtime.nk import Nk

LABEL = '{"mode":"wire","open":1}'
STREAM_MODE = 123
OK = '{"ok":true}'


class WireMatch:
    def match_init(self, context: MatchContext, params: dict[str, Any]) -> tuple[Any, int, str]:
        return {"count": 0}, params.get("rate", 10), params.get("label", LABEL)

    def match_join_attempt(
        self,
        context: MatchContext,
        dispatcher: Dispatcher,
        tick: int,
        state: Any,
        presence: MatchPresence,
        metadata: dict[str, str],
    ) -> tuple[Any, ...]:
        if "reject" in metadata:
            return state, False, metadata["reject"]
        return state, True

    def match_join(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: Any, presences: Any
    ) -> Any:
        return state

    def match_leave(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: Any, presences: Any
    ) -> Any:
        return state

    def match_loop(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: Any, messages: list[MatchMessage]
    ) -> Any:
        for message in messages:
            if message.op_code == 7:
                return None
            getattr(self, f"_op_{message.op_code}")(dispatcher, state, message)
        return state

    @staticmethod
    def _op_1(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.broadcast_message(1, message.data, None, message.sender)

    @staticmethod
    def _op_2(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.broadcast_message(2, message.data)

    @staticmethod
    def _op_3(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.broadcast_message(3, message.data, [message.sender], reliable=False)

    @staticmethod
    def _op_4(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.match_kick([message.sender])

    @staticmethod
    def _op_5(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.match_label_update(message.data.decode())

    @staticmethod
    def _op_6(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.broadcast_message(6)

    @staticmethod
    def _op_8(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        msg = "match boom"
        raise RuntimeFunctionError(msg)

    @staticmethod
    def _op_9(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        state["count"] += 1

    @staticmethod
    def _op_10(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        dispatcher.broadcast_message(10, str(state["count"]))

    @staticmethod
    def _op_11(dispatcher: Dispatcher, state: Any, message: MatchMessage) -> None:
        for number in range(int(message.data)):
            dispatcher.broadcast_message(11, str(number))

    def match_terminate(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: Any, grace: int
    ) -> Any:
        return state

    def match_signal(
        self, context: MatchContext, dispatcher: Dispatcher, tick: int, state: Any, data: str
    ) -> tuple[Any, str]:
        return state, f"signal:{data}"


def _stream(request: dict[str, Any]) -> dict[str, Any]:
    return {"mode": STREAM_MODE, "label": request.get("label", "")}


def _streams(nk: Nk) -> dict[str, Callable[[RpcContext, dict[str, Any]], str | None]]:
    def join(context: RpcContext, request: dict[str, Any]) -> str:
        nk.stream_user_join(
            context.user_id,
            context.session_id,
            _stream(request),
            hidden=request.get("hidden", False),
            persistence=False,
        )
        return OK

    def leave(context: RpcContext, request: dict[str, Any]) -> str:
        nk.stream_user_leave(context.user_id, context.session_id, _stream(request))
        return OK

    def send(context: RpcContext, request: dict[str, Any]) -> str:
        nk.stream_send(_stream(request), request["data"], reliable=request.get("reliable", True))
        return OK

    def close(context: RpcContext, request: dict[str, Any]) -> str:
        nk.stream_close(_stream(request))
        return OK

    return {"stream_join": join, "stream_leave": leave, "stream_send": send, "stream_close": close}


def _users(nk: Nk) -> dict[str, Callable[[RpcContext, dict[str, Any]], str | None]]:
    def notify(context: RpcContext, request: dict[str, Any]) -> None:
        nk.notification_send(
            request.get("user_id", context.user_id),
            request["subject"],
            request["content"],
            request["code"],
            request.get("sender", ""),
            persistent=request["persistent"],
        )

    def ban(context: RpcContext, request: dict[str, Any]) -> None:
        nk.users_ban_id([request["user_id"]])

    def unban(context: RpcContext, request: dict[str, Any]) -> None:
        nk.users_unban_id([request["user_id"]])

    def disconnect(context: RpcContext, request: dict[str, Any]) -> None:
        nk.session_disconnect(request["session_id"])

    def logout(context: RpcContext, request: dict[str, Any]) -> None:
        nk.session_logout(context.user_id)

    return {
        "notify": notify,
        "ban": ban,
        "unban": unban,
        "session_disconnect": disconnect,
        "session_logout": logout,
    }


def _matches(nk: Nk) -> dict[str, Callable[[RpcContext, dict[str, Any]], str | None]]:
    def create(context: RpcContext, request: dict[str, Any]) -> str:
        return json.dumps({"match_id": nk.match_create("wire_match", request)}, separators=(",", ":"))

    def signal(context: RpcContext, request: dict[str, Any]) -> str:
        return nk.match_signal(request["match_id"], request["data"])

    return {"create_match": create, "signal_match": signal}


def _with_json(
    function: Callable[[RpcContext, dict[str, Any]], str | None],
) -> Callable[[RpcContext, str], str | None]:
    return lambda context, payload: function(context, json.loads(payload or "{}"))


async def _slow(_: RpcContext, payload: str) -> str:
    # The recorded function is slow on purpose.
    await asyncio.sleep(int(payload) / 1000)
    return "done"


def _fail_arg(_: RpcContext, __: str) -> str:
    msg = "bad argument"
    raise RuntimeFunctionError(msg, 3)


def _fail_badcode(_: RpcContext, __: str) -> str:
    msg = "weird"
    raise RuntimeFunctionError(msg, 42)


def _status_hook(_: RpcContext, body: JsonObject) -> JsonObject | None:
    return _hook(str(body.get("status", "")), body)


def _event_hook(_: RpcContext, body: JsonObject) -> JsonObject | None:
    return _hook(str(body.get("name", "")), body)


def _hook(word: str, body: JsonObject) -> JsonObject | None:
    if word == "hook:disabled":
        return None
    if word == "hook:error":
        msg = "rejected by hook"
        raise RuntimeFunctionError(msg)
    if word == "hook:code":
        msg = "rejected by hook with code"
        raise RuntimeFunctionError(msg, 7)
    return body


def init_module(nk: Nk, initializer: Initializer) -> None:
    initializer.register_match("wire_match", WireMatch())
    for name, function in {**_streams(nk), **_users(nk), **_matches(nk)}.items():
        initializer.register_rpc(_with_json(function), name)
    initializer.register_rpc(_slow, "slow")
    initializer.register_rpc(lambda _, payload: "x" * int(payload), "big")
    initializer.register_rpc(_fail_arg, "fail_arg")
    initializer.register_rpc(_fail_badcode, "fail_badcode")
    initializer.register_rpc(lambda _, __: 42, "ret_number")
    initializer.register_rt_before(_status_hook, "StatusUpdate")
    initializer.register_req_before(_event_hook, "Event")
