"""RPC ``echo``: answers with its payload."""

from __future__ import annotations

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.nk import Initializer, Nk


def _echo(_: RpcContext, payload: str) -> str:
    return payload


def init_module(_: Nk, initializer: Initializer) -> None:
    """Register the function."""
    initializer.register_rpc(_echo, "echo")
