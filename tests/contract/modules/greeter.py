"""A match that greets who joins and tells of who leaves; as greeter.lua."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from nakama_bots.emulator.runtime.matches import Dispatcher, MatchContext, MatchMessage, MatchPresence
from nakama_bots.emulator.runtime.nk import Initializer, Nk

JOINED, LEFT, LEAVE = 1, 2, 3


class Greeter:
    def match_init(self, _: MatchContext, __: Any) -> tuple[Any, int, str]:
        return {}, 10, "greeter"

    def match_join_attempt(
        self, _: MatchContext, __: Dispatcher, ___: int, state: Any, *____: Any
    ) -> tuple[Any, bool]:
        return state, True

    def match_join(
        self, _: MatchContext, dispatcher: Dispatcher, __: int, state: Any, presences: Sequence[MatchPresence]
    ) -> Any:
        dispatcher.broadcast_message(JOINED, presences[0].username)
        return state

    def match_leave(
        self, _: MatchContext, dispatcher: Dispatcher, __: int, state: Any, presences: Sequence[MatchPresence]
    ) -> Any:
        dispatcher.broadcast_message(LEFT, presences[0].username)
        return state

    def match_loop(
        self, _: MatchContext, dispatcher: Dispatcher, __: int, state: Any, messages: Sequence[MatchMessage]
    ) -> Any:
        dispatcher.match_kick([message.sender for message in messages if message.op_code == LEAVE])
        return state

    def match_terminate(self, _: MatchContext, __: Dispatcher, ___: int, state: Any, ____: int) -> Any:
        return state

    def match_signal(self, _: MatchContext, __: Dispatcher, ___: int, state: Any, data: str) -> tuple[Any, str]:
        return state, data


def init_module(nk: Nk, initializer: Initializer) -> None:
    initializer.register_match("greeter", Greeter())
    initializer.register_rpc(
        lambda _, __: orjson.dumps({"match_id": nk.match_create("greeter", {})}).decode(), "contract_greeter"
    )
