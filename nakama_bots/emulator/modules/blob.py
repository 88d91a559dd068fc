"""RPC ``blob``: answers with as many letters as the payload, a whole number up to a million, says."""

from __future__ import annotations

from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.nk import Initializer, Nk

_MOST = 1_000_000
_INVALID_ARGUMENT = 3


def _blob(_: RpcContext, payload: str) -> str:
    if not payload.isascii() or not payload.isdecimal() or int(payload) > _MOST:
        msg = "the payload must be a whole number up to 1000000"
        raise RuntimeFunctionError(msg, _INVALID_ARGUMENT)
    return "x" * int(payload)


def init_module(_: Nk, initializer: Initializer) -> None:
    """Register the function."""
    initializer.register_rpc(_blob, "blob")
