"""The authoritative match of the vendor's published benchmark, and the RPC that finds players a place in one.

Ten ticks a second, at most ten players. Op code 1 goes back to its sender, op code 2 goes to everybody;
both with
their data and without a sender. RPC ``find_benchmark_match`` lists the matches that are not full, or
starts one, and
answers ``{"match_id": ".."}``. A match that nobody is in for a minute ends.
(https://heroiclabs.com/docs/nakama/getting-started/benchmarks/)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import orjson

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.matches import Dispatcher, MatchContext, MatchMessage, MatchPresence
from nakama_bots.emulator.runtime.nk import Initializer, Nk

TICK_RATE: Final = 10
MOST_PLAYERS: Final = 10
ECHO: Final = 1
BROADCAST: Final = 2
LABEL: Final = '{"workload":"benchmark"}'
_MOST_EMPTY_TICKS: Final = 60 * TICK_RATE


class State(TypedDict):
    """Who is in, who may come in, and for how many ticks nobody was."""

    players: dict[str, MatchPresence]
    coming: dict[str, int]
    empty_ticks: int


class BenchmarkMatch:
    """The handler."""

    def match_init(self, _: MatchContext, __: Mapping[str, Any]) -> tuple[State, int, str]:
        """An empty match."""
        return State(players={}, coming={}, empty_ticks=0), TICK_RATE, LABEL

    def match_join_attempt(
        self,
        _: MatchContext,
        __: Dispatcher,
        tick: int,
        state: State,
        presence: MatchPresence,
        ___: Mapping[str, str],
    ) -> tuple[Any, ...]:
        """Ten may be in or on their way; who was let in has five seconds to come."""
        coming = {who: since for who, since in state["coming"].items() if tick - since < 5 * TICK_RATE}
        coming.pop(presence.session_id, None)
        state["coming"] = coming
        if presence.session_id not in state["players"] and len(state["players"]) + len(coming) >= MOST_PLAYERS:
            return state, False, "match full"
        coming[presence.session_id] = tick
        return state, True

    def match_join(
        self, _: MatchContext, __: Dispatcher, ___: int, state: State, presences: Sequence[MatchPresence]
    ) -> State:
        """They are in."""
        for presence in presences:
            state["coming"].pop(presence.session_id, None)
            state["players"][presence.session_id] = presence
        return state

    def match_leave(
        self, _: MatchContext, __: Dispatcher, ___: int, state: State, presences: Sequence[MatchPresence]
    ) -> State:
        """They are out."""
        for presence in presences:
            state["players"].pop(presence.session_id, None)
        return state

    def match_loop(
        self, _: MatchContext, dispatcher: Dispatcher, __: int, state: State, messages: Sequence[MatchMessage]
    ) -> State | None:
        """Echo and broadcast."""
        for message in messages:
            if message.op_code == ECHO:
                dispatcher.broadcast_message(ECHO, message.data, [message.sender])
            elif message.op_code == BROADCAST:
                dispatcher.broadcast_message(BROADCAST, message.data)
        state["empty_ticks"] = 0 if state["players"] else state["empty_ticks"] + 1
        return state if state["empty_ticks"] < _MOST_EMPTY_TICKS else None

    def match_terminate(self, _: MatchContext, __: Dispatcher, ___: int, state: State, ____: int) -> State:
        """Nothing to save."""
        return state

    def match_signal(
        self, _: MatchContext, __: Dispatcher, ___: int, state: State, ____: str
    ) -> tuple[State, str]:
        """How many players there are."""
        return state, str(len(state["players"]))


def init_module(nk: Nk, initializer: Initializer) -> None:
    """Register the match and the function."""

    def find(_: RpcContext, __: str) -> str:
        found = nk.match_list(
            1, authoritative=True, min_size=0, max_size=MOST_PLAYERS - 1, query_text="+label.workload:benchmark"
        )
        match_id = found[0]["match_id"] if found else nk.match_create("benchmark_match")
        return orjson.dumps({"match_id": match_id}).decode()

    initializer.register_match("benchmark_match", BenchmarkMatch())
    initializer.register_rpc(find, "find_benchmark_match")
