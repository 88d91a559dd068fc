"""RPC ``create_match``: starts an authoritative match.

The payload is a JSON object, all of it may be left out: ``module``, the name of a match handler
(``benchmark_match``), and ``params``, an object that its ``match_init`` gets. The answer is ``{"match_id":
".."}``.
"""

from __future__ import annotations

import orjson

from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.nk import Initializer, Nk

_INVALID_ARGUMENT = 3


def init_module(nk: Nk, initializer: Initializer) -> None:
    """Register the function."""

    def create_match(_: RpcContext, payload: str) -> str:
        try:
            asked = orjson.loads(payload or "{}")
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict):
            msg = "the payload must be a JSON object"
            raise RuntimeFunctionError(msg, _INVALID_ARGUMENT)
        params = asked.get("params") or {}
        match_id = nk.match_create(str(asked.get("module") or "benchmark_match"), params)
        return orjson.dumps({"match_id": match_id}).decode()

    initializer.register_rpc(create_match, "create_match")
