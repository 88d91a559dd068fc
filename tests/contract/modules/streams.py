"""The functions that the contract cases of streams call; as streams.lua."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.nk import Initializer, Nk
from nakama_bots.emulator.store.tracker import Stream

MODE = 123


def init_module(nk: Nk, initializer: Initializer) -> None:
    def register(name: str, act: Callable[[RpcContext, Stream, dict[str, Any]], object]) -> None:
        def function(context: RpcContext, payload: str) -> str:
            asked = orjson.loads(payload)
            act(context, Stream(MODE, label=asked["label"]), asked)
            return '{"ok":true}'

        initializer.register_rpc(function, f"contract_stream_{name}")

    register(
        "join",
        lambda context, stream, asked: nk.stream_user_join(
            context.session_id, stream, hidden=asked.get("hidden", False)
        ),
    )
    register("leave", lambda context, stream, _: nk.stream_user_leave(context.session_id, stream))
    register("send", lambda _, stream, asked: nk.stream_send(stream, asked["data"], reliable=asked["reliable"]))
    register("close", lambda _, stream, __: nk.stream_close(stream))
